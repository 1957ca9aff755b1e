"""What the README says works as printed."""

import re
from pathlib import Path

import jax
import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(autouse=True)
def users_configuration():
    """Strict promotion is ours; a user has JAX's defaults."""
    strict = jax.config.jax_numpy_dtype_promotion, jax.config.jax_numpy_rank_promotion
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    jax.config.update("jax_numpy_rank_promotion", "allow")
    yield
    jax.config.update("jax_numpy_dtype_promotion", strict[0])
    jax.config.update("jax_numpy_rank_promotion", strict[1])


@pytest.mark.timeout(1800)  # all of them in one go
def test_the_examples_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL):
        exec(block, names)
    assert float(names["point"].heat_currents["cold"]) == pytest.approx(0.0970481, rel=1e-6)
    assert names["best"].converged and (tmp_path / "history.png").exists()


def test_there_are_exactly_two_set_up_commands():
    commands = re.findall(r"```bash\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(commands) == 2 and all(len(text.strip().splitlines()) == 1 for text in commands)
