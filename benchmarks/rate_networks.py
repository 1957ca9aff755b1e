"""Rate networks: qtd against NumPy, SciPy and QuTiP on the collective refrigerator.

    python benchmarks/rate_networks.py            (needs the extra `bench` for QuTiP)

Every code computes the cooling current, its noise and the COP of the same refrigerators. Agreement
is checked first, compilation is timed apart, and the codes run in turn on one core, so that the
ratios of the medians hold on a busy machine too.
"""

import argparse
import functools
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import jax
import jax.numpy as jnp
import numpy as np
import rivals
import timing
from rows import Case, Row

import qtd

ROLES = ("cold", "hot", "work")
FIGURE_2 = {
    "temperatures": (0.5, 1.0, 1000.0),
    "centers": (2.0, 6.0, 4.0),
    "widths": (0.1, 0.1, 1e-3),
    "heights": (1.0, 1.0, 1.0),
}
PATHS = (
    "temperature",
    "spectral_density.center",
    "spectral_density.width",
    "spectral_density.height",
)


def main():
    arguments = _arguments()
    timing.one_core()
    compare(arguments.points, arguments.chunk, arguments.rounds)


def compare(points, chunk, rounds):
    """Time per point at N = 31, over devices scattered by 20 % around Fig. 2 of the paper."""
    parameters = _scattered(points)
    flat = _flat(parameters)
    outputs = (0, 1, 2)
    value, compile_value = timing.compiled(lambda x: figures(31, x), flat, chunk)
    gradients, compile_gradient = {}, {}
    for i, name in zip(outputs, ("current", "noise", "COP")):
        gradients[name], compile_gradient[name] = timing.compiled(
            jax.value_and_grad(lambda x, i=i: figures(31, x)[i]), flat, chunk
        )
    gradients["current + noise + COP"], compile_gradient["current + noise + COP"] = timing.compiled(
        total_and_gradient, flat, chunk
    )

    few = {name: x[:200] for name, x in parameters.items()}
    one = {name: x[0] for name, x in parameters.items()}
    codes = {
        "qtd": (lambda: jax.block_until_ready(value(flat)), points),
        "NumPy, batched LAPACK": (lambda: rivals.numpy_lapack(31, **parameters), points),
        "NumPy, elimination along the band": (lambda: rivals.numpy_batch(31, **parameters), points),
        "SciPy, one by one": (lambda: rivals.scipy_loop(31, **few), 200),
        "QuTiP countstat": (lambda: rivals.qutip_countstat(31, **one), 1),
    }
    print(
        "\nAgreement with qtd, worst of the points and of (current, noise, COP), relative;"
        f" {points} points"
    )
    reference = np.stack([np.asarray(x) for x in value(flat)])
    for name, (run, count) in codes.items():
        difference = np.abs(
            np.stack([np.atleast_1d(x) for x in run()]) / reference[:, :count] - 1
        ).max()
        print(f"  {name:<36} {difference:.1e}")
        assert difference < 1e-6, name

    for name, function in gradients.items():
        codes[f"qtd, value and gradient of {name}"] = (
            lambda f=function: jax.block_until_ready(f(flat)),
            points,
        )
    medians = timing.alternating({name: run for name, (run, _) in codes.items()}, rounds)
    base = medians["qtd"] / points
    print(
        f"\nCompilation: value {compile_value:.2f} s; "
        + "; ".join(f"gradient of {k} {v:.2f} s" for k, v in compile_gradient.items())
    )
    print(f"\n{'current, noise and COP at N = 31':<52} {'us/point':>12} {'time/qtd':>12}")
    for name, (_, count) in codes.items():
        print(
            f"  {name:<50} {1e6 * medians[name] / count:>12.3f}"
            f" {medians[name] / count / base:>12.2f}"
        )


def figures(num_spins, x):
    """Cooling current, its noise and COP of the refrigerator with these 12 reservoir parameters."""
    paths = [f"{role}.{path}" for role in ROLES for path in PATHS]
    point = qtd.replace(
        qtd.machines.CollectiveRefrigerator(num_spins), dict(zip(paths, x))
    ).operate()
    return point.heat_currents["cold"], point.heat_covariance["cold", "cold"], point.cop


@functools.partial(jax.value_and_grad, has_aux=True)
def total_and_gradient(x):
    """The sum of the three at N = 31, and the three; its gradient in all parameters."""
    found = figures(31, x)
    return sum(found), found


def rows():
    """The refrigerator's row in the table of `python -m benchmarks`."""

    def case(points):
        parameters = _scattered(points)
        return Case(
            _flat(parameters),
            {
                "NumPy along the band": lambda: rivals.numpy_batch(31, **parameters),
                "NumPy LAPACK": lambda: rivals.numpy_lapack(31, **parameters),
            },
        )

    title = "31 spins: current, noise, COP; gradient of their sum in 12"
    value = functools.partial(figures, 31)
    return {
        "collective-refrigerator": Row(
            title, value, total_and_gradient, case, 20480, 1e-6, 256, 256
        )
    }


def _flat(parameters):
    """(points, 12), reservoir by reservoir."""
    columns = np.stack([parameters[name] for name in FIGURE_2], axis=2)
    return jnp.asarray(columns.reshape(len(columns), 12))


def _scattered(points):
    random = np.random.default_rng(0)
    return {
        name: np.array(centre) * (1 + 0.2 * random.uniform(-1, 1, (points, 3)))
        for name, centre in FIGURE_2.items()
    }


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20480)
    parser.add_argument("--chunk", type=int, default=256, help="points that qtd evaluates together")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
