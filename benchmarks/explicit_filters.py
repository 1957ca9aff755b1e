"""Explicit filters: qtd against SciPy's sparse LU and QuTiP on refrigerators of three levels with
36, 228 and 2430 kept numbers.

    python benchmarks/explicit_filters.py    (needs the extra `bench` for QuTiP; else its rows are
    left out)

Every code computes the steady state and the heat out of the cold reservoir. SciPy is given the
matrix of the numbers that are kept, and only factors and solves it; QuTiP keeps all numbers. Both
see the local treatment, which QuTiP has; qtd is timed in its default one. Agreement is checked
first, compilation is timed apart, and the codes run in turn on one core.
"""

import argparse
import importlib.util
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg
import timing

import qtd
from qtd.explicit import ExplicitState
from qtd.spectral import Peaked

SIZES = ({"cold": 2, "hot": 1}, {"cold": 5, "hot": 4}, {"cold": 3, "work": 10, "hot": 2})
FILTERS = {"cold": (2.0, 0.5), "work": (4.0, 2.5), "hot": (6.0, 1.0)}
CYCLE = {"cold": (0, 1), "work": (1, 2), "hot": (0, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", type=int, nargs=3, default=(512, 128, 1))
    arguments = parser.parse_args()
    timing.one_core()
    for levels, points in zip(SIZES, arguments.points):
        compare(levels, points, arguments.rounds)


def fridge():
    baths = {
        name: qtd.Reservoir(temperature, spectral_density=Peaked(center, 0.05, 0.05))
        for name, (center, temperature) in FILTERS.items()
    }
    jumps = [(name, *pair, 1.0) for name, pair in CYCLE.items()]
    return qtd.RateNetwork([0.0, 2.0, 6.0], jumps, baths)


def compare(levels, points, rounds):
    """Agreement, then the median time per point of each code."""
    system = fridge().with_explicit_filters(levels)
    local = fridge().with_explicit_filters(levels, treatment="local")
    expected = float(ExplicitState(local).device_current("cold"))
    widths = jnp.linspace(0.04, 0.06, points) if points > 1 else jnp.full(1, 0.05)

    def current(width):
        path = "device.reservoirs.cold.spectral_density.width"
        return ExplicitState(qtd.replace(system, {path: width})).device_current("cold")

    value, first = timing.compiled(current, widths, min(points, 128))
    slope, second = timing.compiled(jax.value_and_grad(current), widths, min(points, 128))
    matrix, functional, trace = kept(local)
    found = functional @ by_scipy(matrix, trace)
    assert abs(found / expected - 1) < 1e-8, (found, expected)
    runs = {
        "qtd": lambda: jax.block_until_ready(value(widths)),
        "qtd, value and derivative": lambda: jax.block_until_ready(slope(widths)),
        "SciPy, sparse LU of the kept numbers": lambda: by_scipy(matrix, trace),
    }
    if importlib.util.find_spec("qutip") and len(functional) < 1000:
        runs["QuTiP, `steadystate`"] = by_qutip(levels, expected)
    seconds = timing.alternating(runs, rounds)
    seconds = {name: x / (points if name.startswith("qtd") else 1) for name, x in seconds.items()}
    print(f"\n{levels}: {len(functional)} numbers, compiled in {first:.1f} and {second:.1f} s")
    for name, x in seconds.items():
        print(f"  {name:40} {1e3 * x:10.3f} ms   {x / seconds['qtd']:8.1f}")


def kept(system):
    """The sparse matrix of what is kept, the functional of the heat, and the trace."""
    state, blocks = ExplicitState(system), system.structure.blocks
    unit = jnp.eye(blocks.size)
    dense = jax.lax.map(lambda x: state.generator.apply(x), unit, batch_size=64).T
    heat = jax.vmap(state.dissipators["cold"].taken)(unit)
    return sparse.csc_matrix(np.asarray(dense)), np.asarray(heat), blocks.trace


def by_scipy(matrix, trace):
    rows = sparse.vstack([sparse.csr_matrix(trace), matrix[1:]], format="csc")
    return linalg.splu(rows).solve(np.eye(1, len(trace))[0])


def by_qutip(levels, expected):
    """A function that solves the same device in the local treatment, checked once."""
    import qutip

    sizes = [3, *(top + 1 for top in levels.values())]

    def on(place, operator):
        parts = [operator if i == place else qutip.qeye(n) for i, n in enumerate(sizes)]
        return qutip.tensor(parts)

    hamiltonian, jumps = on(0, qutip.Qobj(np.diag([0.0, 2.0, 6.0]))), []
    for place, name in enumerate(levels, start=1):
        (center, temperature), (a, b) = FILTERS[name], CYCLE[name]
        lower, n = on(place, qutip.destroy(sizes[place])), 1 / np.expm1(center / temperature)
        exchange = 0.05 * np.sqrt(0.5) * on(0, qutip.basis(3, a) * qutip.basis(3, b).dag())
        hamiltonian += center * lower.dag() * lower
        hamiltonian += exchange * lower.dag() + exchange.dag() * lower
        jumps += [np.sqrt(0.1 * (1 + n)) * lower, np.sqrt(0.1 * n) * lower.dag()]
    cold = jumps[:2]
    for name in set(CYCLE) - set(levels):
        center, temperature = FILTERS[name]
        up, down = fridge().reservoirs[name].rates(jnp.asarray(center))
        a, b = CYCLE[name]
        fall = on(0, qutip.basis(3, a) * qutip.basis(3, b).dag())
        jumps += [np.sqrt(float(down)) * fall, np.sqrt(float(up)) * fall.dag()]
    rho = qutip.steadystate(hamiltonian, jumps)
    taken = sum(qutip.lindblad_dissipator(jump) for jump in cold)
    heat = (hamiltonian * qutip.vector_to_operator(taken * qutip.operator_to_vector(rho))).tr()
    assert abs(heat.real / expected - 1) < 1e-6, (heat, expected)
    return lambda: qutip.steadystate(hamiltonian, jumps)


if __name__ == "__main__":
    main()
