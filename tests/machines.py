"""The table of machines that the testers in `transforms/` run over: one row a machine, or a model
or method of one.

A row says which vectors of numbers are legal devices and which are not, how a device is made of a
vector, what is observed of it, and to how many digits. One compiled program a row gives the values,
the statuses, and derivatives in both modes of a batch of devices. To have a machine tested, add a
row to `ROWS`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import random_refrigerator

import qtd
from qtd.gases import FermiGas
from qtd.machines import (
    CollectiveRefrigerator,
    FiniteReservoirs,
    NDemon,
    QuantumMotor,
    QubitRefrigerator,
    ResonatorRefrigerator,
)
from qtd.spectral import Resonator

INVALID = {qtd.Status.INVALID_PARAMETER}


class Illegal(NamedTuple):
    """What makes a device illegal, by path, and the statuses that may say so."""

    changes: Mapping[str, float]
    statuses: set[qtd.Status]


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One machine, for testers.

    `paths` name the entries of a vector in order; entries behind them are no parameters to
    differentiate. `draw` makes the vectors of legal devices, when a test first asks for `points`.
    `build` makes a device of one vector, a PyTree; `observe` returns its numbers and its status,
    `observe_forward` more numbers, of which no reverse mode is compiled. `step` is that of central
    differences, (points, parameters); `scale` is what an error of slopes is relative to, from
    points, values and slopes, (points, numbers, parameters).
    """

    name: str
    paths: tuple[str, ...]
    draw: Callable[[], np.ndarray]
    build: Callable[[Any], Any]
    observe: Callable[[Any], Any]
    step: Callable[[np.ndarray], np.ndarray]
    scale: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    illegal: tuple[Illegal, ...]
    observe_forward: Callable[[Any], Any] | None = None
    curved: bool = False  # has a Hessian to look at
    runs_long: bool = False  # so long that differences have a program without derivatives
    deep: bool = False  # programs are so large that all its tests are deep, compiled quickly
    # Statuses of legal devices, besides 0, that keep their numbers.
    warned: frozenset[qtd.Status] = frozenset()
    kept: tuple[int, ...] = ()  # numbers that are told of illegal devices too
    # Of values (moves, points, numbers): where no difference is accurate
    poles: Callable[[np.ndarray], np.ndarray] | None = None
    differences: float = 1e-7  # slopes against central differences
    modes: float = 1e-9  # reverse against forward mode
    batch: float = 1e-12  # a batch against single devices
    alone: float = 0.0  # a device beside a broken one against itself
    single: float = 1e-4  # float32 against float64
    single_numbers: tuple[int, ...] = ()  # judged in float32; all, if none are named
    single_devices: int = 4  # as many of the first devices
    # batch and single are relative to the largest number of a device, or else to each number
    by_largest: bool = True

    @functools.cached_property
    def points(self) -> np.ndarray:
        """Legal devices, one vector each."""
        return self.draw()

    def numbers(self, device):
        """All numbers of a device, and its status."""
        found, status = self.observe(device)
        return jnp.concatenate(
            [found, self.observe_forward(device)]
        ) if self.observe_forward else found, status

    def bad(self, illegal):
        """The second device, made illegal."""
        vector = np.array(self.points[1])
        for path, value in illegal.changes.items():
            vector[self.paths.index(path)] = value
        return vector


class Outcome(NamedTuple):
    """Of a batch of devices: numbers, statuses, slopes of the numbers along one direction,
    gradients of a weighted sum of them."""

    values: np.ndarray
    status: np.ndarray
    slopes: np.ndarray
    gradients: np.ndarray


class Program:
    """Values, statuses and derivatives in both modes of as many devices as a row has points,
    compiled once."""

    def __init__(self, row: Row):
        self.row = row

        def one(vector, way, weights):
            # One program for what both modes share.
            values, push, status = jax.linearize(
                lambda v: row.observe(row.build(v)), vector, has_aux=True
            )
            slopes, gradients = push(way), jax.linear_transpose(push, vector)(weights)[0]
            if row.observe_forward:
                more, rise = jax.jvp(lambda v: row.observe_forward(row.build(v)), (vector,), (way,))
                values, slopes = jnp.concatenate([values, more]), jnp.concatenate([slopes, rise])
            return Outcome(values, status, slopes, gradients)

        vector = jnp.asarray(row.points[0])
        self.weights = np.eye(len(jax.eval_shape(lambda v: row.observe(row.build(v)), vector)[0]))
        self.ways = np.eye(len(vector))[: len(row.paths)]
        lowered = jax.jit(jax.vmap(one, (0, None, None))).lower(
            jnp.asarray(row.points), self.ways[0], self.weights[0]
        )
        self.calls_lapack = "lapack" in lowered.as_text().lower()
        self.compiled = lowered.compile()

    def __call__(self, points, way=0, weight=0) -> Outcome:
        """At `points`, along parameter number `way`, the gradient being that of the number
        `weight`."""
        found = self.compiled(
            jnp.asarray(points), jnp.asarray(self.ways[way]), jnp.asarray(self.weights[weight])
        )
        return Outcome(*map(np.asarray, found))

    @functools.cached_property
    def outcome(self):
        """At the points of the row."""
        return self(self.row.points)

    @functools.cached_property
    def jacobian(self):
        """(points, numbers, parameters), by forward mode."""
        return np.stack(
            [self(self.row.points, way).slopes for way in range(len(self.ways))], axis=-1
        )

    @functools.cached_property
    def reverse_jacobian(self):
        """The same by reverse mode, of the numbers that have one."""
        rows = [self(self.row.points, weight=k).gradients for k in range(len(self.weights))]
        return np.stack(rows, axis=1)[:, :, : len(self.ways)]

    @functools.cached_property
    def values(self):
        """The numbers alone, as a function of the points."""
        if not self.row.runs_long:
            return lambda points: self(points).values
        compiled = jax.jit(jax.vmap(lambda vector: self.row.numbers(self.row.build(vector))[0]))
        return lambda points: np.asarray(compiled(jnp.asarray(points)))

    def difference(self, way):
        """Slopes (points, numbers) by differences over six points, of sixth order in the step, and
        the values they come from."""
        step = self.row.step(self.row.points)[:, way]
        moves = np.array([-3, -2, -1, 1, 2, 3])
        at = np.stack(
            [self.values(self.row.points + n * step[:, None] * self.ways[way]) for n in moves]
        )
        weights = np.array([-1, 9, -45, 45, -9, 1]) / 60
        return np.einsum("n,npf->pf", weights, at) / step[:, None], at


@functools.cache
def program(name: str) -> Program:
    """That of the row of this name; it lives as long as the process."""
    return Program(ROWS[name])


class Alone(NamedTuple):
    """Some devices of a row, one after the other in one compiled function, and how often that was
    traced.

    `places` of the devices among the points of the row; their numbers are `values`.
    """

    places: list[int]
    values: np.ndarray
    traces: int


@functools.cache
def alone(name: str) -> Alone:
    """Devices made of NumPy's numbers and of JAX's, and with a parameter replaced by NumPy's and by
    Python's."""
    row, traces = ROWS[name], 0

    @eqx.filter_jit
    def observe(device):
        nonlocal traces
        traces += 1
        return row.numbers(device)[0]

    places = list(range(0, len(row.points), max(1, len(row.points) // 8)))
    values = np.stack([observe(row.build(row.points[k])) for k in places])
    device = row.build(jnp.asarray(row.points[0]))
    observe(device)
    if isinstance(device, qtd.machines.AbstractMachine):
        path, value = next(iter(qtd.parameters(device).items()))
        observe(qtd.replace(device, {path: np.asarray(value)}))
        observe(qtd.replace(device, {path: np.asarray(value).tolist()}))
    return Alone(places, values, traces)


def largest_slope(unit):
    """The largest slope of each number, each parameter in units of `unit(points)`, per such
    unit."""

    def scale(points, values, slopes):
        units = np.broadcast_to(unit(points), slopes[:, 0].shape)[:, None, :]
        return np.abs(slopes * units).max(axis=2, keepdims=True) / units

    return scale


def negative(paths, ends):
    """Each parameter whose path ends so, and has to be positive, set to -1."""
    return tuple(Illegal({path: -1.0}, INVALID) for path in paths if path.endswith(ends))


def undefined(path):
    return (Illegal({path: np.nan}, INVALID),)


# Collective refrigerators: near the resonances, filters down to 1e-4, work reservoirs up to 1e4
# times hotter than the cold one.

COLLECTIVE_NAMES = ("cold", "hot", "work")
COLLECTIVE_PATHS = (
    *(
        f"{name}.{field}"
        for name in COLLECTIVE_NAMES
        for field in (
            "temperature",
            *(f"spectral_density.{x}" for x in ("center", "width", "height")),
        )
    ),
    "interaction",
)


def read(machine, paths):
    """The parameters of a machine as one vector."""
    parameters = qtd.parameters(machine)
    return np.array([float(parameters[path]) for path in paths])


def collective(vector, spins=15):
    return qtd.replace(CollectiveRefrigerator(spins), dict(zip(COLLECTIVE_PATHS, vector)))


def observe_collective(machine):
    """I_c, S_cc, the ratio of cold and work that is the COP where the device is a refrigerator,
    sigma."""
    point = machine.operate()
    noise, heat = point.heat_covariance["cold", "cold"], point.heat_currents
    return jnp.stack(
        [heat["cold"], noise, heat["cold"] / heat["work"], point.entropy_production]
    ), point.status


def collective_ranges(points):
    """The range over which each parameter changes things: the width for a filter's centre and
    width, else the value itself."""
    ranges, at = np.array(points), COLLECTIVE_PATHS.index
    for k, path in enumerate(COLLECTIVE_PATHS):
        if path.endswith("center"):
            ranges[:, k] = points[:, at(path.replace("center", "width"))]
    widths = [at(f"{name}.spectral_density.width") for name in COLLECTIVE_NAMES]
    # The gaps move against the narrowest filter with the interaction.
    ranges[:, -1] = points[:, widths].min(axis=1) / 12
    return ranges


def poles_of_cop(at):
    """Next to a zero of I_w, where the COP has a pole, no difference is accurate; of 200 devices at
    most 12 are there."""
    found = np.zeros(at.shape[1:], bool)
    found[:, 2] = np.ptp(at[..., 2], axis=0) > 0.1 * np.abs(at.mean(axis=0)[:, 2])
    assert found.sum() <= 12
    return found


COLLECTIVE = Row(
    "collective refrigerator",
    COLLECTIVE_PATHS,
    lambda: np.stack(
        [read(CollectiveRefrigerator(15), COLLECTIVE_PATHS)]
        + [read(random_refrigerator(k), COLLECTIVE_PATHS) for k in range(200)]
    ),
    collective,
    observe_collective,
    # Six points: truncation of 1e-18 of number / range, rounding of 1e3 eps of the terms that make
    # the number.
    step=lambda points: 1e-3 * collective_ranges(points),
    scale=lambda points, values, slopes: (
        np.abs(slopes) + np.abs(values)[:, :, None] / collective_ranges(points)[:, None]
    ),
    illegal=negative(COLLECTIVE_PATHS, ("temperature", "center", "width", "interaction"))
    + undefined("cold.temperature"),
    # Between the fastest and the slowest rate lie up to eight decades here, and a solve loses as
    # many digits.
    modes=1e-7,
    # The batch may round differently, and the smaller currents are differences of fluxes up to 1e4
    # times larger.
    batch=1e-10,
    # the work current is what remains of fluxes 1e4 times larger: 1e4 eps, in it and in the COP
    single=1e-3,
    single_devices=1,
    by_largest=False,
    poles=poles_of_cop,
)


# Qubit refrigerators, by model.

QUBIT_NAMES = ("hot", "sink", "cold")
QUBIT_PATHS = (
    *("energy_1", "energy_2", "shift", "exchange", "coupling"),
    *(
        f"{name}.{field}"
        for name in QUBIT_NAMES
        for field in ("temperature", "spectral_density.center", "spectral_density.width")
    ),
)
MODELS = ("zz", "global", "local", "redfield", "redfield-partial")


def random_qubits(seed):
    rng = np.random.default_rng(seed)
    levels = [
        *rng.uniform(0.8, 2.5, 2),
        rng.uniform(-0.2, 0.6),
        rng.uniform(0.02, 0.2),
        10 ** rng.uniform(-2, 0),
    ]
    contacts = (
        x
        for _ in QUBIT_NAMES
        for x in (rng.uniform(0.5, 2), rng.uniform(0.8, 2.5), 10 ** rng.uniform(-1.4, -0.3))
    )
    return [*levels, *contacts]


# Equal levels, no detuning of a filter from its gap, next to (not at) a gap of 0.
SPECIAL_QUBITS = [
    [2.0, 2.0, 0.1, 0.05, 0.1, 1.2, 2.0, 0.05, 1.0, 2.1, 0.08, 0.8, 2.1, 0.06],
    [2.0, 2.1, 0.2, 0.02, 1.0, 1.1, 2.0, 0.02, 1.0, 2.2, 0.08, 0.9, 2.3, 0.06],
    [0.05, 1.0, 0.3, 0.05, 0.1, 1.2, 0.5, 0.3, 1.0, 0.6, 0.3, 0.8, 1.2, 0.3],
]


def qubits(model, vector):
    """Behind the parameters stands the cut-off of all filters."""
    levels = vector[:5]
    contacts = vector[5:14].reshape(3, 3)
    cutoff = vector[14]
    made = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width, 1.0, cutoff))
        for t, center, width in contacts
    ]
    exchange = 0.0 if model == "zz" else levels[3]
    return QubitRefrigerator(model, levels[0], levels[1], levels[2], exchange, levels[4], *made)


def observe_qubits(machine):
    """I_c, S_cc, J_h, sigma, the energy of the device that the cold reservoir gives, and J_s."""
    point = machine.operate()
    heat = point.heat_currents
    noise = point.heat_covariance["cold", "cold"]
    device = point.device_energy_currents["cold"]
    return jnp.stack(
        [heat["cold"], noise, heat["hot"], point.entropy_production, device, heat["sink"]]
    ), point.status


def qubit_steps(points):
    """A hundredth of the narrowest scale."""
    at = QUBIT_PATHS.index
    steps = points[:, : len(QUBIT_PATHS)] * 2e-3
    widths = points[:, [at(f"{name}.spectral_density.width") for name in QUBIT_NAMES]]
    centers = points[:, [at(f"{name}.spectral_density.center") for name in QUBIT_NAMES]]
    local = 1e-2 * (widths * centers).min(axis=1)
    for k, path in enumerate(QUBIT_PATHS):
        if path.startswith("energy") or path.endswith("center") or path in ("shift", "exchange"):
            steps[:, k] = np.minimum(local, 5e-3)
    return steps


def qubit_row(model):
    return Row(
        f"qubits, {model}",
        QUBIT_PATHS,
        lambda: np.array(
            [[*vector, 20.0] for vector in [*map(random_qubits, range(24)), *SPECIAL_QUBITS]]
        ),
        functools.partial(qubits, model),
        observe_qubits,
        qubit_steps,
        largest_slope(lambda points: np.abs(points[:, : len(QUBIT_PATHS)]) + 1e-3),
        illegal=negative(QUBIT_PATHS, ("temperature", "width", "coupling"))
        + undefined("hot.temperature"),
        single_numbers=(0, 2, 5),
        # A Redfield equation may have negative noise before it has a negative population.
        warned=frozenset({qtd.Status.INACCURATE} if model.startswith("redfield") else ()),
        curved=model in ("global", "local"),
    )


# Resonator refrigerators, by rates between photon numbers and by Green functions.

RESONATOR_PATHS = (
    *("energy_1", "energy_2", "shift"),
    *(
        f"{name}.{field}"
        for name in QUBIT_NAMES
        for field in ("temperature", "spectral_density.center", "spectral_density.width")
    ),
    *(f"{name}.spectral_density.strength" for name in QUBIT_NAMES),
)


def random_resonators(seed):
    rng = np.random.default_rng(seed)
    energies = [*rng.uniform(1.0, 2.5, 2), rng.uniform(0.02, 0.4)]
    contacts = (
        x
        for _ in QUBIT_NAMES
        for x in (rng.uniform(0.5, 2), rng.uniform(0.8, 2.5), rng.uniform(0.1, 0.4))
    )
    return [*energies, *contacts, *rng.uniform(0.1, 0.2, 3)]


def resonators(vector, levels=(4, 3), cutoff=10.0):
    contacts, strengths = vector[3:12].reshape(3, 3), vector[12:]
    made = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width, strength, cutoff))
        for (t, center, width), strength in zip(contacts, strengths)
    ]
    return ResonatorRefrigerator(levels, *vector[:3], *made)


def observe_rates(machine):
    """I_c, J_h, J_s, S_cc, sigma."""
    point = machine.operate()
    heat, noise = point.heat_currents, point.heat_covariance
    return jnp.stack(
        [heat["cold"], heat["hot"], heat["sink"], noise["cold", "cold"], point.entropy_production]
    ), point.status


def observe_green_functions(machine):
    """I_c, J_h, J_s, and both occupations."""
    state = machine.keldysh("causal", 4096)
    heat = state.heat_currents
    return jnp.stack([heat["cold"], heat["hot"], heat["sink"], *state.occupations]), state.status


def resonator_row(method, observe, differences):
    return Row(
        f"resonators, {method}",
        RESONATOR_PATHS,
        lambda: np.array([random_resonators(seed) for seed in range(12)]),
        resonators,
        observe,
        lambda points: 3e-4 * points,  # lines are a hundredth of an energy wide
        largest_slope(lambda points: points),
        illegal=negative(RESONATOR_PATHS, ("temperature", "width", "strength"))
        + undefined("hot.temperature"),
        differences=differences,
        single_numbers=(0, 1, 2),
        curved=method == "rates",
        runs_long=method != "rates",
        warned=frozenset({qtd.Status.TRUNCATED, qtd.Status.STRONG_CORRELATION}),
    )


# N-demons.

DEMON_PATHS = (
    "hot.temperature",
    "cold.temperature",
    "energy_1",
    "energy_2",
    "energy_3",
    "energy_4",
    "width",
    "boldness",
    "exchange",
)


def random_demons(count):
    rng = np.random.default_rng(0)

    def vector():
        return [
            1.0,
            rng.uniform(0.5, 0.95),
            1.0,
            2.0,
            1.5,
            rng.uniform(1.2, 1.8),
            1.0,
            rng.uniform(0.2, 1.0),
            rng.uniform(0.0, 0.01),
        ]

    return np.array([vector() * rng.uniform(0.97, 1.03, 9) for _ in range(count)])


def demon(vector):
    return qtd.replace(NDemon(), dict(zip(DEMON_PATHS, vector)))


def observe_demon(machine):
    """COP, I_c, entropy current, sigma, margin of the occupations, and the lowest temperature that
    it cools to without exchange."""
    point = machine.operate()
    coldest = qtd.replace(machine, {"exchange": 0.0}).minimum_cold_temperature()
    numbers = [
        point.cop,
        point.heat_currents["cold"],
        point.entropy_current,
        point.entropy_production,
        point.margin,
        coldest,
    ]
    return jnp.stack(numbers), point.status


DEMON = Row(
    "n-demon",
    DEMON_PATHS,
    lambda: random_demons(12),
    demon,
    observe_demon,
    lambda points: np.where(np.array(DEMON_PATHS) == "exchange", 1e-5, 1e-4) * np.ones_like(points),
    largest_slope(np.ones_like),
    illegal=(
        *negative(DEMON_PATHS, ("temperature", "width")),
        *undefined("width"),
        Illegal({"energy_1": 1.7, "energy_2": 1.7}, INVALID),
        Illegal({"energy_1": 1.7, "energy_3": 1.7}, INVALID),
        Illegal({"boldness": 50.0}, {qtd.Status.NO_OCCUPATION}),
    ),
    modes=1e-11,
    single=1e-5,
    single_numbers=(0,),
    by_largest=False,
    kept=(1, 4, 5),
    curved=True,
)


# Quantum motors. The last number of a vector is the load.

MOTOR_PANELS = 24  # enough for radii up to 15 at T = 1
MOTOR_PATHS = (
    *("energy_left", "energy_right", "radius", "tunnelling", "repulsion"),
    *(
        f"{side}.{field}"
        for side in ("left", "right")
        for field in ("spectral_density.height", "temperature", "chemical_potential")
    ),
    "load",
)
MOTORS = np.array(
    [
        [-1.574, 0.236, 6.752, 8.218, 15.799, 0.281, 1.014, 0.751, 0.247, 0.986, -0.751, 0.13],
        [-2.531, -0.562, 6.452, 9.026, 16.53, 0.203, 1.043, 1.904, 0.217, 0.957, -1.904, 0.24],
        [3.684, 2.34, 11.794, 8.36, 15.491, 0.253, 0.97, 0.765, 0.286, 1.03, -0.765, 0.485],
        [1.0, 1.1, 10.0, 8.0, 17.0, 0.25, 0.9, 2.0, 0.23, 1.1, -2.0, 2.2],
    ]
)


def motor(vector):
    """A motor and its load."""
    return qtd.replace(QuantumMotor(), dict(zip(MOTOR_PATHS[:-1], vector))), vector[-1]


def observe_motor(device):
    """Velocity, power, efficiency, sigma and the load at which it starts to pump, by order 1, as
    good for small loads."""
    return motor_numbers(device, 1, "charge")


def observe_fast_motor(device):
    """The same by order 3, but the load at which it starts to cool."""
    return motor_numbers(device, 3, "heat")[0]


def motor_numbers(device, order, pumped):
    machine, load = device
    point = machine.operate(load, order, panels=MOTOR_PANELS)
    onset = machine.pumping_onset(of=pumped, panels=MOTOR_PANELS)
    return jnp.stack(
        [point.velocity, point.power, point.efficiency, point.entropy_production, onset]
    ), point.status


MOTOR = Row(
    "quantum motor",
    MOTOR_PATHS,
    lambda: MOTORS,
    motor,
    observe_motor,
    lambda points: np.full_like(points, 2e-3),
    largest_slope(np.ones_like),
    illegal=(
        *negative(MOTOR_PATHS, ("temperature", "height")),
        Illegal(
            {"left.spectral_density.height": 0.0, "right.spectral_density.height": 0.0},
            INVALID | {qtd.Status.NO_UNIQUE_STEADY_STATE},
        ),
    ),
    observe_forward=observe_fast_motor,
    runs_long=True,
    deep=True,  # everyday, `test_expansion_digits.py` judges motors
    differences=1e-6,
    batch=1e-11,
    alone=1e-13,
    single=5e-4,
    single_numbers=(0, 1, 2, 3, 4),
    by_largest=False,
)


# Finite reservoirs: where they rest and are on the way, when potentials cross, when it is over.

FINITE_PATHS = (
    *(f"energies[{k}]" for k in (0, 1)),
    *(
        f"gases.{field}[{k}]"
        for field in ("temperature", "chemical_potential", "volume")
        for k in (0, 1)
    ),
)
FINITE = np.array(
    [[21.1, 21.5, 0.6, 1.0, 20.8, 16.0, 1.0, 1.0], [17.1, 17.5, 0.8, 1.0, 18.8, 18.0, 1.0, 1.2]]
)
FINITE_TIMES = jnp.array([2.0, 20.0])


def finite(vector):
    gases = FermiGas(vector[2:4], vector[4:6], vector[6:8], closure="sommerfeld")
    return FiniteReservoirs(
        vector[:2], jnp.sqrt(jnp.array([[21.1, 21.5]] * 2, vector.dtype)), gases
    )


def observe_ends(machine):
    """Where reservoirs rest, and both at the last of some times."""
    rest, way = machine.equilibrium(), machine.evolve(FINITE_TIMES.astype(machine.energies.dtype))
    numbers = [
        jnp.stack([rest.temperature, rest.chemical_potential]),
        way.temperatures[1],
        way.chemical_potentials[1],
    ]
    return jnp.concatenate(numbers), way.status


def observe_crossing(machine):
    crossing = machine.crossing_times(most=1)
    return jnp.concatenate([crossing.times, crossing.values]), machine.operate().status


def observe_duration(machine):
    return machine.equilibration_time()[None], machine.operate().status


def finite_row(name, observe, points, step):
    return Row(
        f"finite reservoirs, {name}",
        FINITE_PATHS,
        lambda: points,
        finite,
        observe,
        lambda points: np.full_like(points, step),
        largest_slope(np.ones_like),
        illegal=negative(FINITE_PATHS, ("temperature[0]",))
        if name == "ends"
        else (),  # a broken start takes all steps there are
        differences=1e-6,
        alone=1e-9,
        batch=1e-8,
        single=0.1
        if name == "duration"
        else 1e-3,  # it ends where a hundredth of a small difference of entropies is left
        by_largest=False,
        runs_long=name == "duration",
    )


_TABLE = (
    COLLECTIVE,
    *map(qubit_row, MODELS),
    resonator_row("rates", observe_rates, 1e-7),
    resonator_row("Green functions", observe_green_functions, 1e-6),
    DEMON,
    MOTOR,
    finite_row("ends", observe_ends, FINITE, 1e-5),
    finite_row("crossing", observe_crossing, FINITE[1] * np.array([[1.0], [1.001]]), 1e-5),
    finite_row("duration", observe_duration, FINITE, 1e-4),
)
ROWS = {row.name: row for row in _TABLE}

_DEEP = (pytest.mark.deep, pytest.mark.quick)
every_machine = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_DEEP if row.deep else ()) for name, row in ROWS.items()]
)


def to_digits(names):
    """Parameters of a test that judges digits, by the names of rows."""
    return [
        pytest.param(name, marks=_DEEP if ROWS[name].deep else pytest.mark.digits) for name in names
    ]


every_machine_to_digits = pytest.mark.parametrize("name", to_digits(ROWS))
