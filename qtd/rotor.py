r"""A rotor of finite inertia on a driven network: how it spins up, how torque noise moves it, and
how long it stays at a velocity.

The rotor obeys I dv/dt = F(theta, v) - F_ext + xi(t), with the torque by the series of
`qtd.expansion` to some order in the velocity, and noise <xi(t) xi(t')> = S(theta) delta(t - t'). A
load is 2 pi F_ext, the work that a turn forwards takes out. **Source:** Bustos-Marun and Calvo,
"Thermodynamics and steady state of quantum motors and pumps far from equilibrium", Eq. (9).
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from ._numerics.batching import add
from ._numerics.compilation import compiled, optimised
from ._numerics.printing import readable
from ._numerics.quadrature import expanded, gauss, integral_up_to, legendre
from ._numerics.roots import real_roots
from ._numerics.validation import as_real, check, is_concrete, where_legal, whole
from .expansion._driven import Network, as_asked, integrals, panel_edges, precision
from .expansion.series import Local, local_at, of_orbit
from .status import Status, raise_if_known

__all__ = ["SpinUp", "Trajectory", "diffusion", "escape_time", "langevin", "spin_up"]


class SpinUp(eqx.Module):
    """How a rotor went: `velocities` and `times` at the start and after every turn, in the
    direction in which it began.

    Where it came to a standstill (`stopped`), velocities after it are 0 and times that of the
    standstill; `angle` is where it stopped, or went to. `error`: estimated error of its energy,
    relative to that at the start where it is larger. `status` is 0 where all is well
    (`qtd.Status`); of the series of the torque that of the whole orbit, as in
    `qtd.expansion.Local`.
    """

    velocities: Float[Array, " turns"]
    times: Float[Array, " turns"]
    angle: Float[Array, ""]
    stopped: Bool[Array, ""]
    error: Float[Array, ""]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [
            ("v", self.velocities[..., -1], "velocity at the end, 0 at a standstill"),
            ("time", self.times[..., -1], "until then"),
        ]
        rows += [
            ("angle", self.angle, "turned until then"),
            ("stopped", self.stopped, "1: stands still"),
        ]
        rows += [
            ("error", self.error, "of its energy, estimated, relative"),
            ("status", self.status, "0: fine"),
        ]
        return readable(self, "a rotor without noise", rows)

    @property
    def mean_velocities(self) -> Float[Array, " turns"]:
        """2 pi over the time of each turn, with the sign of the velocity; 0 for turns that were not
        finished."""
        finished = self.velocities[..., 1:] != 0
        spent = jnp.where(finished, self.times[..., 1:] - self.times[..., :-1], 1.0)
        return jnp.where(finished, 2 * jnp.pi * jnp.sign(self.velocities[..., 1:]) / spent, 0.0)


class Trajectory(eqx.Module):
    """`angles`, not wrapped, and `velocities` at the given `times`.

    `status` is UNRESOLVED where steps were so long that librations were heated by more than a
    hundredth of what friction takes out of them, or longer than a rotor takes through the shortest
    panel of its orbit; otherwise that of the series of the torque on the whole orbit, as in
    `qtd.expansion.Local`, 0 where all is well.
    """

    times: Float[Array, " times"]
    angles: Float[Array, " times"]
    velocities: Float[Array, " times"]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [
            ("times", self.times, ""),
            ("angles", self.angles, "not wrapped"),
            ("v", self.velocities, "velocities"),
        ]
        return readable(
            self, "a rotor with torque noise", [*rows, ("status", self.status, "0: fine")]
        )


def spin_up(
    network: Network,
    velocity: ArrayLike,
    inertia: ArrayLike,
    load: ArrayLike = 0.0,
    cycles: int = 100,
    order: int = 3,
    electronic_inertia: bool = False,
    panels: int | None = None,
) -> SpinUp:
    """Turns of a rotor without noise, from angle 0 at this `velocity` (or at each of an array of
    them, none 0), until it stands still.

    - `network`: a function from the angle to a `RateNetwork`, as in this whole module. `inertia` I
      > 0. `load`: 2 pi F_ext.
    - `cycles`: turns at most. `order` >= 0 of the torque in the velocity.

    The angle is the independent variable: d(I v^2 / 2) / d theta = F - F_ext, by a Runge-Kutta
    method of order 8, a step a panel, with panels as in `coefficients`: None for 96, and for 384
    where parameters are known and 96 do not suffice. With `electronic_inertia` the electrons' own,
    of second order in the velocity, is added to `inertia`.
    """
    velocity = as_real(velocity, "velocity").astype(precision(network))
    inertia = as_asked(network, inertia, "inertia")
    check("inertia", inertia, "positive")
    check("velocity", jnp.abs(velocity), "positive")
    whole(cycles, "cycles", 1)
    whole(order, "order", 0)
    spun = functools.partial(
        _spin_up,
        network,
        velocity,
        inertia,
        as_asked(network, load, "load"),
        cycles,
        order,
        electronic_inertia,
    )
    found = spun(panels or 96)
    if panels is None and is_concrete(found.error) and jnp.any(found.error > 1e-6):
        found = spun(384)
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


def langevin(
    network: Network,
    velocity: ArrayLike,
    inertia: ArrayLike,
    times: ArrayLike,
    key: PRNGKeyArray,
    load: ArrayLike = 0.0,
    angle: ArrayLike = 0.0,
    order: int = 3,
    steps: int = 64,
    panels: int = 96,
) -> Trajectory:
    """One trajectory with torque noise from `angle` and `velocity` at time 0, at rising `times` >
    0, with `steps` steps to each.

    - `network`, `load` and `inertia` > 0 as in `spin_up`. `key`: of `jax.random`. `order` >= 1 of
      the torque in the velocity.
    - `panels` of a turn, on which torque and noise are polynomials.

    By the stochastic Heun method; the noise S(theta) is that at rest, so there is no difference
    between Ito and Stratonovich. Where the steps are too long, the status is UNRESOLVED. `jax.vmap`
    over keys gives many trajectories.
    """
    times = as_real(times, "times").astype(precision(network))
    inertia = as_asked(network, inertia, "inertia")
    check("inertia", inertia, "positive")
    check("times", times, "positive")
    times = where_legal(
        times, lambda x: (x[1:] > x[:-1]).all(), lambda x: f"`times` must rise, got {x}; sort them."
    )
    whole(steps, "steps", 1)
    whole(order, "order", 1)
    start = jnp.stack([as_asked(network, angle, "angle"), as_asked(network, velocity, "velocity")])
    found = _langevin(
        network, start, inertia, times, key, as_asked(network, load, "load"), order, steps, panels
    )
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


def diffusion(network: Network, velocity: ArrayLike, order: int = 3) -> Float[Array, ""]:
    """Diffusion of the angle of `network` around a stable constant `velocity` v, <d theta^2> = 2 D
    t for long times t: D = S / (2 gamma^2).

    With noise and friction averaged over a turn: S = int S(theta) d theta / 2 pi and gamma = -dC_F
    / dv / 2 pi at v. For a rotor that is so heavy that its velocity does not change within a turn,
    the torque to `order` >= 1 in v. NaN where v is not stable, and where the series of the torque
    has a status, as in `qtd.expansion.Coefficients`.
    """
    whole(order, "order", 1)
    return _diffusion(network, as_asked(network, velocity, "velocity"), order)


def escape_time(
    network: Network,
    stable: ArrayLike,
    barrier: ArrayLike,
    inertia: ArrayLike,
    load: ArrayLike = 0.0,
    order: int = 3,
) -> Float[Array, ""]:
    r"""Mean time until torque noise has carried a rotor from a `stable` velocity to an unstable
    one, `barrier`, for the first time.

    $$ \tau = \frac{2 I^2}{S} \int_{v_s}^{v_b} dy \int^{y} dz\, e^{\Phi(y) - \Phi(z)}, \qquad
       \Phi(v) = -\frac{I}{\pi S} \int^v [C_F(u) - C_{ext}]\, du $$

    Noise S and torque are averaged over a turn: for a rotor whose velocity hardly changes within
    one. The inner integral starts twelve standard deviations of v beyond v_s, or at the next
    maximum of Phi. NaN where `stable` is not stable, and where the series of the torque has a
    status, as in `qtd.expansion.Coefficients`. `network`, `load` C_ext and `inertia` I > 0 as in
    `spin_up`; torque to `order` >= 1.
    """
    whole(order, "order", 1)
    inertia, load = as_asked(network, inertia, "inertia"), as_asked(network, load, "load")
    check("inertia", inertia, "positive")
    return _escape_time(
        network,
        as_asked(network, stable, "stable"),
        as_asked(network, barrier, "barrier"),
        inertia,
        load,
        order,
    )


class _Torque(eqx.Module):
    """Torque by order in the velocity, electronic inertia and noise on an orbit: polynomials on
    panels; `found`, `lost` by `local_at`."""

    edges: Float[Array, " ends"]
    polynomials: Float[Array, "panels 16 quantities"]
    found: Local
    lost: Float[Array, " points"]

    def __init__(self, network, order, panels):
        self.edges = panel_edges(network, panels)
        self.found, self.lost = local_at(network, gauss(self.edges)[0], max(order, 1))
        quantities = (
            self.found.torque[: order + 1],
            self.found.inertia[None],
            self.found.noise[None],
        )
        self.polynomials = expanded(jnp.concatenate(quantities).T)

    def status(self, *others):
        """The status of the series on the whole orbit, with `others` as in `of_orbit`."""
        return of_orbit(self.found, self.lost, *others)


def _net(quantities, velocity, load, inertia):
    """Acceleration of a rotor of this inertia; the torque by Horner's rule."""
    torque = functools.reduce(
        lambda total, term: total * velocity + term,
        [quantities[k] for k in reversed(range(len(quantities)))],
    )
    return (torque - load / (2 * jnp.pi)) / inertia


@optimised
def _spin_up(network, velocity, inertia, load, cycles, order, electronic, panels):
    torque = _Torque(network, order, panels)

    def spin(v):
        return _spun(torque, v, inertia, load, cycles, order, electronic)

    for _ in range(velocity.ndim):
        spin = jax.vmap(spin)
    return spin(velocity)


def _spun(torque, velocity, inertia, load, cycles, order, electronic):
    way = jnp.where(velocity < 0, -1.0, 1.0).astype(velocity.dtype)
    sizes = torque.edges[1:] - torque.edges[:-1]
    there, back = (torque.polynomials, sizes), (torque.polynomials[::-1], sizes[::-1])

    def pushed(quantities, speed):
        """The acceleration in the direction of motion."""
        heavy = inertia + quantities[order + 1] if electronic else inertia
        return way * _net(quantities[: order + 1], way * speed, load, heavy)

    def along(x, speed, panels):
        """What moves in a panel at x in [0, 1]: acceleration in the direction of motion, and the
        panel's size."""
        (onwards, size), (backwards, other) = panels
        quantities = jnp.where(
            way > 0, legendre(2 * x - 1) @ onwards, legendre(1 - 2 * x) @ backwards
        )
        return pushed(quantities, speed), jnp.where(way > 0, size, other)

    # Both directions go through the panels with the same local coordinate, which so is the same for
    # all of a batch, and so is what is there at the stages of each.
    places = jnp.asarray(2 * _stages()[0] - 1, velocity.dtype)
    tables = [
        (jnp.einsum("sl,plq->psq", jax.vmap(legendre)(x), polynomials), size)
        for x, (polynomials, size) in ((places, there), (-places, back))
    ]

    def flow(stage, square, panels):
        (onwards, size), (backwards, other) = panels
        moves = square > 0
        speed = jnp.sqrt(jnp.where(moves, square, 1.0))
        quantities = [
            jnp.where(way > 0, onwards[stage, i], backwards[stage, i])
            for i in range(order + 1 + electronic)
        ]
        size = jnp.where(way > 0, size, other)
        return 2 * size * pushed(quantities, jnp.where(moves, speed, 0.0)), size / speed

    def step(carry, panels):
        state, passed, error = carry
        after, doubt = _runge_kutta(flow, state, panels)
        goes_on = (after[0] > 0) & (passed[1] > 0)
        kept = jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), after, state)
        passed = passed[0] + goes_on.astype(velocity.dtype), goes_on.astype(velocity.dtype)
        return (
            kept,
            passed,
            error + jnp.where(goes_on, jnp.abs(doubt[0]) / jnp.maximum(kept[0], velocity**2), 0),
        ), None

    def turn(carry, _):
        carry, _ = lax.scan(step, carry, tables)
        (square, time), (_, goes_on), _ = carry
        return carry, (way * jnp.sqrt(square) * goes_on, time)

    zero, one = jnp.zeros_like(velocity), jnp.ones_like(velocity)
    start = ((velocity**2, zero), (zero, one), zero)
    (state, (passed, goes_on), error), (velocities, times) = lax.scan(
        jax.checkpoint(turn), start, None, length=cycles
    )
    stopped = goes_on == 0
    place = passed.astype(int) % len(sizes)
    last = jax.tree.map(lambda x: x[place], (there, back))
    x, rest = _standstill(along, jnp.sqrt(state[0]), last)
    edges = jnp.where(way > 0, torque.edges, 2 * jnp.pi - torque.edges[::-1])
    within = edges[place] + jnp.where(stopped, x * (edges[place + 1] - edges[place]), 0)
    angle = way * (2 * jnp.pi * (passed // len(sizes)) + within)
    times = jnp.where((velocities == 0) & stopped, (state[1] + rest)[None], times)
    status = torque.status(
        (~jnp.isfinite(error), Status.NOT_CONVERGED), (error > 1e-6, Status.UNRESOLVED)
    )
    # A rotor whose torque is not known does not stand still.
    exists = jnp.all(jnp.isfinite(torque.polynomials))

    def known(x):
        return jnp.where(exists, x, jnp.nan)

    velocities, times = jnp.append(velocity, velocities), jnp.append(zero, times)
    return SpinUp(
        known(velocities), known(times), known(angle), stopped & exists, known(error), status
    )


def _standstill(along, speed, panels):
    """Local coordinate in a panel at which the rotor stands still, and the time until then, from
    the panel's start: with the velocity as the independent variable both are smooth (Henon's
    trick)."""

    places = _stages()[0]

    def flow(stage, x, _):
        slower = speed * float(1 - places[stage])
        rate, size = along(x, slower, panels)
        return -slower * speed / (rate * size), -speed / rate

    zero = jnp.zeros_like(speed)
    (x, time), _ = _runge_kutta(flow, (zero, zero), None)
    return jnp.clip(x, 0.0, 1.0), time


def _runge_kutta(flow: Callable, state: tuple, args: Any) -> tuple[tuple, tuple]:
    """One step from 0 to 1, and its estimated error; `flow(stage, x, args)` gives the slopes of the
    `state` from its first entry x alone, so that the others are sums over the stages.

    Written out: half of the coefficients are 0, and others belong to stages that only fill what is
    between the steps.
    """
    _, rows, weights, doubts = _stages()
    slopes = []

    def moved(x, i, row):
        return add([x, *(float(c) * slope[i] for c, slope in zip(row, slopes) if c != 0)])

    for stage, row in enumerate(rows):
        slopes.append(flow(stage, moved(state[0], 0, row), args))
    after = tuple(moved(x, i, weights) for i, x in enumerate(state))
    return after, tuple(moved(jnp.zeros_like(x), i, doubts) for i, x in enumerate(state))


def _stages():
    """Places of the stages that count, the coefficients that lead to each, and those of the step
    and of its error."""
    import diffrax  # when it is needed: it takes as long as all the rest of qtd

    known = diffrax.Dopri8().tableau
    used = np.flatnonzero((known.b_sol != 0) | (known.b_error != 0)).max() + 1
    places = np.append(0.0, known.c)[:used]
    rows = [np.zeros(0), *known.a_lower][:used]
    return places, rows, known.b_sol[:used], known.b_error[:used]


@optimised
def _langevin(network, start, inertia, times, key, load, order, steps, panels):
    import diffrax  # as above

    torque = _Torque(network, order, panels)

    def at(angle):
        angle = angle % (2 * jnp.pi)
        panel = jnp.clip(
            jnp.searchsorted(torque.edges, angle, side="right") - 1, 0, len(torque.edges) - 2
        )
        left, right = torque.edges[panel], torque.edges[panel + 1]
        return (
            legendre(jnp.clip(2 * (angle - left) / (right - left) - 1, -1.0, 1.0))
            @ torque.polynomials[panel]
        )

    def drift(_, state, __):
        return jnp.stack([state[1], _net(at(state[0])[: order + 1], state[1], load, inertia)])

    def spread(_, state, __):
        noise = at(state[0])[order + 2]
        return jnp.stack(
            [jnp.zeros_like(noise), jnp.sqrt(jnp.where(noise > 0, noise, 0)) / inertia]
        )

    ends = jnp.concatenate([jnp.zeros_like(times[:1]), times])
    shares = jnp.arange(steps, dtype=times.dtype) / steps
    grid = (ends[:-1, None] + (ends[1:] - ends[:-1])[:, None] * shares[None]).reshape(-1)
    noise = diffrax.UnsafeBrownianPath(shape=(), key=key)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        solution = diffrax.diffeqsolve(
            diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(spread, noise)),
            diffrax.Heun(),
            t0=grid[0],
            t1=times[-1],
            dt0=None,
            y0=start,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.StepTo(jnp.append(grid, times[-1])),
            max_steps=len(times) * steps + 1,
            adjoint=diffrax.DirectAdjoint(),
        )
    found = jnp.asarray(solution.ys)
    points, weights, _ = gauss(torque.edges)
    push = jax.vmap(at)(points)
    step = jnp.max(grid[1:] - grid[:-1])
    # A step multiplies the energy of a libration of frequency w by 1 + (w step)^4 / 4, and friction
    # g by 1 - g step / I.
    stiffness = jnp.max(jnp.abs((push[1:, 0] - push[:-1, 0]) / (points[1:] - points[:-1])))
    heating = (stiffness / inertia) ** 2 * step**3 / 4
    friction = -(weights @ push[:, 1]) / (2 * jnp.pi * inertia)
    passed = jnp.max(jnp.abs(found[:, 1])) * step
    too_long = (heating > 0.01 * jnp.abs(friction)) | (
        passed > jnp.min(torque.edges[1:] - torque.edges[:-1])
    )
    status = torque.status(
        (~jnp.all(jnp.isfinite(found)), Status.NOT_CONVERGED), (too_long, Status.UNRESOLVED)
    )
    return Trajectory(times, found[:, 0], found[:, 1], status)


@compiled
def _diffusion(network, velocity, order):
    torque, noise = _averages(network, order)
    friction = -add(k * torque[k] * velocity ** (k - 1) for k in range(1, order + 1))
    return jnp.where(friction > 0, noise / (2 * friction**2), jnp.nan)


@compiled
def _escape_time(network, stable, barrier, inertia, load, order):
    torque, noise = _averages(network, order)
    net = torque.at[0].add(-load / (2 * jnp.pi))

    def potential(v):
        return -2 * inertia / noise * add(net[k] * v ** (k + 1) / (k + 1) for k in range(order + 1))

    curvature = jax.grad(jax.grad(potential))(stable)
    way = jnp.sign(barrier - stable)
    # Away from the barrier as far as a rotor ever goes, or to the next maximum.
    behind = way * (stable - real_roots(lax.stop_gradient(net)))
    depth = jnp.minimum(
        12 / jnp.sqrt(jnp.abs(curvature)),
        jnp.where(behind > 1e-6 * jnp.abs(stable), behind, jnp.inf).min(),
    )
    shares = jnp.linspace(0.0, 1.0, 33, dtype=stable.dtype)
    edges = jnp.concatenate([-depth * (1 - shares[:-1]), way * (barrier - stable) * shares])
    points, weights, _ = gauss(edges)
    height = potential(stable + way * points) - potential(stable)
    outer = jnp.where(points > 0, jnp.exp(jnp.where(points > 0, height, 0)), 0)
    time = 2 * inertia**2 / noise * (weights * outer) @ integral_up_to(edges, jnp.exp(-height))
    return jnp.where(curvature > 0, time, jnp.nan)


def _averages(network, order):
    """Averages over an orbit, of the torque by order in the velocity, and of its noise; NaN where
    the series has a status."""
    angles, weights, tails = gauss(panel_edges(network, 96))
    found, lost = local_at(network, angles, max(order, 1))
    (averages,), error = integrals(
        [jnp.concatenate([found.torque[: order + 1], found.noise[None]])], weights, tails
    )
    status = of_orbit(found, lost, (~(error <= 1e-6), Status.UNRESOLVED))
    averages = jnp.where(status == 0, averages / (2 * jnp.pi), jnp.nan)
    return averages[:-1], averages[-1]
