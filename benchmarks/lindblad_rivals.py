"""How fast are devices with coherences without qtd? The same numbers from NumPy, QuTiP and qthermo.

Every rival takes arrays whose last axis goes over the reservoirs and returns the current J_cold out
of the cold reservoir, its zero-frequency noise S_cold (second cumulant, one factor) and, for two
qubits, the COP J_cold / J_hot, each of shape (points,). Master equations are local ones: jumps
between the levels of H_0, their quanta counted.

- `numpy_two_qubits`, `numpy_three_qubits`: batches of points, two calls of `numpy.linalg.solve`. Of
  two qubits the six numbers that matter are kept. Of three qubits all 64 (`by_hand=False`), or the
  ten that someone who has thought about the device would keep;
- `qutip_points`: one point after the other, `steadystate` and `countstat_current_noise`, all of the
  density matrix;
- `qutip_chain`: of a row of many qubits the state at rest, by the fastest of QuTiP's methods;
- `qthermo_points`: one point after the other, `davies_bath` of H_0 (its local bath) and
  `current_statistics`, likewise.

Two qubits: Bhandari and Jordan, App. A, Eqs. A13-A21. Three qubits: Linden, Popescu and Skrzypczyk,
PRL 105, 130401 (2010), with golden-rule rates in place of resets. Noise: Landi et al., PRX Quantum
5, 020201 (2024), and its adjoint in NumPy, see `_solve`.
"""

import functools
import time
from typing import NamedTuple

import numpy as np

# Two qubits, reservoirs in the order hot, sink, cold.
ENERGY_1, ENERGY_2, SHIFT, EXCHANGE = 2.0, 2.1, 0.1, 0.02
# Of a qubit, the other one down, up.
GAPS = (
    np.array([ENERGY_1, ENERGY_1 + SHIFT]),
    np.array([ENERGY_2, ENERGY_2 + SHIFT]),
)
# Three qubits, and reservoirs, in the order cold, hot, work.
COUPLING, CUTOFF = 0.01, 10.0  # J(w) = COUPLING w exp(-w / CUTOFF)
COLD, HOT, WORK = range(3)

NUMBER = np.diag([0.0, 1.0])
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])
RAISE = np.array([[0.0, 0.0], [1.0, 0.0]])
ONE = np.eye(2)


def on(site, operator, sites):
    """An operator of one qubit; the first one comes last in the product for two qubits, states 0,
    1, 2, d, and first for three."""
    factors = [operator if i == site else ONE for i in range(sites)]
    return functools.reduce(np.kron, factors[::-1] if sites == 2 else factors)


def numpy_two_qubits(temperatures, centers, widths, by_hand=False, chunk=None):
    """J_cold, S_cold and COP for parameters of shape (points, 3)."""
    static, results = _two_qubits(by_hand), np.empty((3, len(temperatures)))
    chunk = chunk or (1024 if by_hand else 256)
    for start in range(
        0, len(temperatures), chunk
    ):  # smaller chunks pay for calls, larger ones for the level-2 cache
        part = slice(start, start + chunk)
        # Points last until the generators are made: numpy is slow where the last axis is short.
        parameters = [np.ascontiguousarray(x[part].T) for x in (temperatures, centers, widths)]
        (hot_up, hot_down), (sink_up, sink_down), cold = (
            two_qubit_rates(r, *(x[r] for x in parameters)) for r in range(3)
        )
        cold = np.concatenate(cold)
        values = np.concatenate(
            [np.ones((1, cold.shape[1])), hot_up + sink_up, hot_down + sink_down, cold]
        )
        state, results[0, part], results[1, part] = _solve(
            static, values, slice(5, 9), cold, np.concatenate([GAPS[1], -GAPS[1]])[:, None]
        )
        # On the jumps of qubit 1.
        hot = np.concatenate([GAPS[0][:, None] * hot_up, -GAPS[0][:, None] * hot_down])
        results[2, part] = results[0, part] / (hot * (static.exits[1:5] @ state)).sum(axis=0)
    return tuple(results)


def numpy_three_qubits(temperatures, energies, swap, by_hand=False, chunk=None):
    """J_cold and S_cold for temperatures of shape (points, 3), energies (points, 2) of cold and
    work, and g (points,)."""
    static, results = _three_qubits(by_hand), np.empty((2, len(swap)))
    # 64 matrices of 64 x 64 are 2 MB; from 16 to 128 the time is the same within 10 %.
    chunk = chunk or (512 if by_hand else 64)
    for start in range(0, len(swap), chunk):
        part = slice(start, start + chunk)
        up, down = three_qubit_rates(temperatures[part].T, energies[part].T)
        values = np.concatenate([energies[part].T, swap[None, part], up, down])
        quantum = energies[part, 0]
        _, *results[:, part] = _solve(
            static,
            values,
            [3 + COLD, 6 + COLD],
            np.stack([up[COLD], down[COLD]]),
            np.stack([quantum, -quantum]),
        )
    return tuple(results)


def _solve(static, values, place, rates, quanta):
    """State (numbers, points), current and noise for generators sum_k values_k static_k whose jumps
    at `place` are counted.

    With p_0 = 1 and z_0 = 0 the rest of M p = 0 and of M^T z = I 1 - w is regular; w . rho is the
    current I, 1 . rho the trace. Then S = Tr[J2 rho] + 2 (z . J1 rho - I z . rho), as x = M^-1 (I -
    J1) rho in S = Tr[J2 rho] + 2 Tr[J1 x] is needed only under the trace. Two solves: NumPy keeps
    no factors, and an inverse takes longer.
    """
    size, points = static.exits.shape[1], values.shape[1]
    # One matrix product for all points.
    generator = (values.T @ static.generators).reshape(points, size, size)
    inner = generator[:, 1:, 1:]
    state = np.ones((size, points))
    state[1:] = np.linalg.solve(inner, -generator[:, 1:, :1])[..., 0].T
    state /= static.trace @ state
    charges, exits = rates * quanta, static.exits[place]
    left = exits @ state  # jumps per time and unit rate
    current = (charges * left).sum(axis=0)
    right = np.multiply.outer(current, static.trace) - charges.T @ exits
    z = np.zeros_like(state)
    z[1:] = np.linalg.solve(inner.transpose(0, 2, 1), right[:, 1:, None])[..., 0].T
    noise = (charges * quanta * left).sum(axis=0) - 2 * current * (z * state).sum(axis=0)
    for jump, charge in zip(static.jumps[place], charges):
        noise += 2 * charge * (z * (jump @ state)).sum(axis=0)
    return state, current, noise


class Static(NamedTuple):
    """Real superoperators on the numbers a state is kept as, populations first."""

    # (terms, size * size), what each term of the generator is for unit value.
    generators: np.ndarray
    jumps: np.ndarray  # (terms, size, size), the jump part, zero for a Hamiltonian
    exits: np.ndarray  # (terms, size), the trace of the jumps
    trace: np.ndarray

    @classmethod
    def of(cls, terms, pairs):
        """Of Hamiltonians and jump operators, ("hamiltonian" or "jump", matrix), with these
        coherences."""
        one, size = np.eye(len(terms[0][1])), len(terms[0][1])

        def unit(a, b):
            return np.outer(one[a], one[b]).ravel()

        columns = [unit(a, a) for a in range(size)]
        for a, b in pairs:
            # Re rho_ab, Im rho_ab.
            columns += [
                unit(a, b) + unit(b, a),
                1j * (unit(a, b) - unit(b, a)),
            ]
        into = np.array(columns, complex).T
        out = into.conj().T / np.linalg.norm(into, axis=0)[:, None] ** 2

        def both(left, right):
            return np.kron(left, right.T)  # rows stacked

        generators, jumps = [], []
        for kind, x in terms:
            jump, loss = (
                (0 * both(x, x), 1j * x)
                if kind == "hamiltonian"
                else (both(x, x.conj().T), x.conj().T @ x / 2)
            )
            generators.append(
                (out @ (jump - both(loss, one) - both(one, loss.conj().T)) @ into).real
            )
            jumps.append((out @ jump @ into).real)
        trace, jumps = (np.arange(len(columns)) < size).astype(float), np.array(jumps)
        return cls(np.array(generators).reshape(len(terms), -1), jumps, trace @ jumps, trace)


@functools.cache
def _two_qubits(by_hand):
    """Terms: H; qubit 1 up and down, each with qubit 2 down and up; qubit 2 likewise. By hand: of
    the coherences only that of 1 and 2."""
    hamiltonian, _, jumps = _two_qubit_operators()
    terms = [("hamiltonian", hamiltonian)]
    terms += [
        ("jump", x) for site in (0, 1) for direction in (0, 1) for x in jumps[site][direction]
    ]
    return Static.of(
        terms, [(1, 2)] if by_hand else [(a, b) for a in range(4) for b in range(a + 1, 4)]
    )


@functools.cache
def _three_qubits(by_hand):
    """Terms: H of unit cold energy, work energy and g; the three qubits up; the three down."""
    hamiltonians, jumps = _three_qubit_operators()
    terms = [("hamiltonian", x) for x in hamiltonians] + [
        ("jump", jumps[site][direction]) for direction in (0, 1) for site in range(3)
    ]
    # In the order cold, hot, work |0,1,0> is state 2 and |1,0,1> state 5.
    return Static.of(
        terms, [(2, 5)] if by_hand else [(a, b) for a in range(8) for b in range(a + 1, 8)]
    )


def _two_qubit_operators():
    """H, H_0, and jumps[qubit] = (up, down), each with the other qubit down and up: their gaps
    differ by the shift."""
    first, second = on(0, NUMBER, 2), on(1, NUMBER, 2)
    bare = ENERGY_1 * first + ENERGY_2 * second + SHIFT * first @ second
    hop = on(0, RAISE, 2) @ on(1, RAISE.T, 2)
    jumps = []
    for site in (0, 1):
        up = [on(site, RAISE, 2) @ on(1 - site, other, 2) for other in (ONE - NUMBER, NUMBER)]
        jumps.append((up, [x.T for x in up]))
    return bare + EXCHANGE * (hop + hop.T), bare, jumps


def _three_qubit_operators():
    """Derivatives of H by the energies of cold and work (hot has their sum) and by g; and
    jumps[qubit] = (up, down)."""
    numbers, raising = ([on(site, x, 3) for site in range(3)] for x in (NUMBER, RAISE))
    swap = raising[COLD] @ raising[WORK] @ raising[HOT].T
    return [numbers[COLD] + numbers[HOT], numbers[WORK] + numbers[HOT], swap + swap.T], [
        (x, x.T) for x in raising
    ]


def two_qubit_rates(reservoir, temperature, center, width):
    """Rates up and down, first axis the two gaps of the qubit that the reservoir touches; K(w) = d
    w / ((w - e)^2 + (d w)^2)."""
    gap = GAPS[int(reservoir == 2)].reshape(2, *(1,) * np.ndim(temperature))
    strength = width * gap / ((gap - center) ** 2 + (width * gap) ** 2)
    up = strength / np.expm1(gap / temperature)
    return up, up + strength


def three_qubit_rates(temperatures, energies):
    """Rates up and down of the three qubits, first axis cold, hot, work, in an Ohmic density with
    exponential cut-off."""
    gaps = np.stack([energies[0], energies[0] + energies[1], energies[1]])
    strength = COUPLING * gaps * np.exp(-gaps / CUTOFF)
    up = strength / np.expm1(gaps / temperatures)
    return up, up + strength


def qutip_points(two_qubits, method="svd"):
    """The rival of one of the two devices, its operators already made; arguments as those of the
    NumPy one.

    `method` finds the steady state. The default of QuTiP 5.3, "direct", is an LU factorization, but
    spends 15 ms at each call on changing QuTiP's settings to and fro; "svd" is the fastest that is
    as accurate.
    """
    import qutip  # here, so that the other rivals run without it

    def solve(hamiltonian, jumps, counted, driven):
        """`jumps` in groups of (rate, operator, quantum)."""
        operators = {
            name: [(np.sqrt(rate) * x, quantum) for rate, x, quantum in group]
            for name, group in jumps.items()
        }
        liouvillian = qutip.liouvillian(
            hamiltonian, [c for group in operators.values() for c, _ in group]
        )
        state = qutip.steadystate(liouvillian, method=method)
        # Counted energy instead of particles: quanta weigh the net current, their squares its
        # self-correlation.
        net, total = (
            sum(e**n * qutip.sprepost(c, c.dag()) for c, e in operators[counted]) for n in (1, 2)
        )
        # Dense pseudo-inverse: for so few levels twice as fast as the sparse way, which solves with
        # L + 1e-15 i instead.
        current, noise, _ = qutip.countstat_current_noise(
            liouvillian, [], rhoss=state, I_ops=[net], J_ops=[total], sparse=False, method="direct"
        )
        drive = sum(e * qutip.expect(c.dag() * c, state) for c, e in operators.get(driven, []))
        return (
            (current[0], noise[0, 0, 0], current[0] / drive)
            if driven
            else (current[0], noise[0, 0, 0])
        )

    if two_qubits:
        matrix, _, matrices = _two_qubit_operators()
        hamiltonian = qutip.Qobj(matrix)
        jumps = [[[qutip.Qobj(x) for x in group] for group in both] for both in matrices]

        def point(temperatures, centers, widths):
            groups = {}
            for r, (name, qubit) in enumerate((("hot", 0), ("sink", 0), ("cold", 1))):
                up, down = two_qubit_rates(r, temperatures[r], centers[r], widths[r])
                groups[name] = [
                    *zip(up, jumps[qubit][0], GAPS[qubit]),
                    *zip(down, jumps[qubit][1], -GAPS[qubit]),
                ]
            return solve(hamiltonian, groups, "cold", "hot")
    else:
        matrices, jump_matrices = _three_qubit_operators()
        terms = [qutip.Qobj(x) for x in matrices]
        jumps = [[qutip.Qobj(x) for x in both] for both in jump_matrices]

        def point(temperatures, energies, swap):
            rates, (cold, work) = zip(*three_qubit_rates(temperatures, energies)), energies
            gaps = cold, cold + work, work
            groups = {
                r: [(u, jumps[r][0], gap), (d, jumps[r][1], -gap)]
                for r, ((u, d), gap) in enumerate(zip(rates, gaps))
            }
            return solve(cold * terms[0] + work * terms[1] + swap * terms[2], groups, COLD, None)

    return _one_by_one(point)


def qthermo_points(two_qubits):
    """The same with qthermo. Its baths are built anew for every point, as all that depends on
    temperatures and energies."""
    import qthermo

    if two_qubits:
        hamiltonian, bare, _ = _two_qubit_operators()
        couplings = [on(site, FLIP, 2) for site in (0, 0, 1)]

        def point(temperatures, centers, widths):
            baths = []
            for name, x, *numbers in zip(
                ("hot", "sink", "cold"), couplings, temperatures, centers, widths
            ):
                temperature, center, width = numbers

                def spectrum(w, e=center, d=width):
                    return d * w / ((w - e) ** 2 + (d * w) ** 2)

                baths.append(
                    qthermo.davies_bath(bare, x, temperature, spectrum=spectrum, name=name)
                )
            cold = qthermo.current_statistics(hamiltonian, "cold", baths, bare)
            # The statistics of one current know no other: for the COP the state once more.
            hot = baths[0].heat_current(qthermo.steady_state(hamiltonian, baths), bare)
            return cold.mean, cold.noise, cold.mean / hot
    else:
        terms, _ = _three_qubit_operators()
        couplings = [on(site, FLIP, 3) for site in range(3)]
        spectrum = qthermo.ohmic_spectrum(COUPLING, CUTOFF)

        def point(temperatures, energies, swap):
            bare = energies[0] * terms[0] + energies[1] * terms[1]
            names = "cold", "hot", "work"
            baths = [
                qthermo.davies_bath(bare, x, t, spectrum=spectrum, name=name)
                for name, x, t in zip(names, couplings, temperatures)
            ]
            cold = qthermo.current_statistics(bare + swap * terms[2], "cold", baths, bare)
            return cold.mean, cold.noise

    return _one_by_one(point)


def _one_by_one(point):
    return lambda *parameters: tuple(
        np.array(x) for x in zip(*(point(*numbers) for numbers in zip(*parameters)))
    )


# In the order in which they are tried; all that need no preparation of their own.
METHODS = {
    "direct": {},
    "power": {},
    "iterative-gmres": {"use_precond": True, "rtol": 1e-12},
    "iterative-bicgstab": {"use_precond": True, "rtol": 1e-12},
}


def qutip_chain(device, methods=tuple(METHODS)):
    """Ways of QuTiP to the state at rest of a `qtd.Lindbladian`: seconds that its Liouvillian took
    to be made, and functions that return the state, by method; without those that fail."""
    import qutip

    start = time.perf_counter()
    liouvillian = _liouvillian(qutip, device)
    seconds, found = time.perf_counter() - start, {}
    for method in methods:

        def run(method=method):
            return qutip.steadystate(liouvillian, method=method, **METHODS[method]).full()

        try:
            state = run()
        except (ValueError, RuntimeError) as error:
            print(f"    QuTiP, {method}: {str(error)[:60]}")
            continue
        if np.abs(liouvillian.full() @ state.ravel("F")).max() < 1e-8:
            found[method] = run
    return seconds, found


def _liouvillian(qutip, device):
    """That of the same operators, jump by jump, with rates from the reservoirs of qtd."""
    hamiltonian, approach = np.asarray(device.hamiltonian()), device.approach
    couplings = device.structure.couplings

    def rate(name, gap):
        return float(device.reservoirs[name].rates(np.asarray(gap))[0])

    def spectrum(name):
        # QuTiP's frequencies are what the device loses.
        return lambda w: rate(name, -w)

    if approach == "redfield":
        sources = [[qutip.Qobj(operator), spectrum(name)] for name, operator in couplings.items()]
        return qutip.bloch_redfield_tensor(
            qutip.Qobj(hamiltonian), sources, fock_basis=True, sec_cutoff=-1
        )
    energies, states = (np.asarray(x) for x in device.levels())
    gaps, jumps = np.round(energies[:, None] - energies, 9), []
    for name, operator in couplings.items():
        turned = states.conj().T @ operator @ states
        for gap in np.unique(gaps[np.abs(turned) > 1e-9]):
            part = states @ np.where(gaps == gap, turned, 0) @ states.conj().T
            jumps.append(np.sqrt(rate(name, gap)) * qutip.Qobj(part))
    return qutip.liouvillian(qutip.Qobj(hamiltonian), jumps)
