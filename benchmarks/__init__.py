"""Speed of qtd: `python -m benchmarks`."""
