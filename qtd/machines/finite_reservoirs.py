"""A few fermionic modes between finite reservoirs, until all are in equilibrium (equation numbers
of the paper named in the class)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._numerics.compilation import compiled
from .._numerics.hermitian import eigensystem
from .._numerics.modules import parameter
from .._numerics.validation import as_real, as_share, check, is_concrete, whole
from ..gases import FermiGas
from ..parameters import checked
from ..status import Status, first, raise_if_known
from . import _drift
from ._finite_checks import finite_checks
from ._finite_results import Crossings, Equilibrium, Evolution, Flows, Minimum
from ._machine import VALID, AbstractMachine, DesignProblem, Survey

__all__ = ["Crossings", "Equilibrium", "Evolution", "FiniteReservoirs", "Flows", "Minimum"]

_NOISE = 1e-8  # of a temperature, by which it must rise again after a minimum
_APART = 1e-5  # of the larger value, on either side of a crossing


class FiniteReservoirs(AbstractMachine):
    r"""Modes of energies omega_k, filled and emptied by finite reservoirs j at the rates gamma_jk.

    $$ P_j = \sum_{kq} \frac{\gamma_{jk} \gamma_{qk}}{\sum_i \gamma_{ik}} (n_{jk} - n_{qk}), \quad
       \dot T_j = -\frac{1}{C_j} \sum_k (\omega_k - h_j) P_{jk}, \quad
       \dot \mu_j = -\frac{P_j + M_{1j} \dot T_j / T_j}{M_{0j}} $$

    with n_jk the Fermi functions and C, h, M as in `qtd.gases.GasProperties`: reservoirs are
    thermal at every time, and the modes follow them at once, or, `full`, at their own rates sum_j
    gamma_jk.

    - `energies`: (modes,). `rates`: (reservoirs, modes), >= 0, much smaller than temperatures and
      mode spacings.
    - `gases`: a `qtd.gases.FermiGas` with an entry for each reservoir, as it is at time 0.

    Currents are positive out of a reservoir. Derivatives with respect to energies are taken at
    fixed rates. Default: the paper's Fig. 1. **Source:** Eqs. (4), (5), (10), (11) of the paper on
    transient cooling with finite fermionic reservoirs.

    >>> gases = qtd.gases.FermiGas([0.6, 1.0], [20.8, 16.0], alpha=1.5, closure="sommerfeld")
    >>> print(qtd.machines.FiniteReservoirs(gases=gases).operate().temperature_rates.round(4))
    [-0.0661  0.5477]
    """

    energies: Float[Array, " modes"] = parameter("any", "E")
    rates: Float[Array, "reservoirs modes"] = parameter("nonnegative", "E")
    gases: FermiGas

    def __init__(
        self,
        energies: ArrayLike | None = None,
        rates: ArrayLike | None = None,
        gases: FermiGas | None = None,
    ):
        self.energies = as_real(
            np.array([21.1, 21.5]) if energies is None else energies, "energies"
        )
        self.gases = (
            FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0])) if gases is None else gases
        )
        self.rates = (
            jnp.sqrt(jnp.stack([self.energies, self.energies]))
            if rates is None
            else as_real(rates, "rates")
        )

    def rules(self) -> None:
        shape = (*self.gases.temperature.shape, *self.energies.shape)
        if 0 in shape:
            raise ValueError(
                "`energies` and `gases` must hold at least one mode and one reservoir, got"
                f" {shape[-1]} and {shape[0]}."
            )
        if len(shape) != 2 or self.rates.shape != shape:
            raise ValueError(
                f"`rates` must have the shape (reservoirs, modes) = {shape}, got"
                f" {self.rates.shape}."
            )

    @classmethod
    def from_hamiltonian(
        cls, hamiltonian: ArrayLike, widths: ArrayLike, gases: FermiGas
    ) -> "FiniteReservoirs":
        """The modes of `hamiltonian`, Hermitian, over sites; reservoir j of `gases` coupled to site
        s with the width `widths[j, s]`.

        gamma_jk = sum_s widths[j, s] |U_sk|^2. Modes must be further apart than their rates.
        """
        hamiltonian = jnp.asarray(hamiltonian)
        if hamiltonian.ndim != 2 or hamiltonian.shape[0] != hamiltonian.shape[1]:
            raise ValueError(
                f"`hamiltonian` must be a square matrix, got shape {hamiltonian.shape}."
            )
        if is_concrete(hamiltonian) and not np.allclose(hamiltonian, np.conj(hamiltonian.T)):
            raise ValueError("`hamiltonian` must be Hermitian.")
        energies, vectors = eigensystem(hamiltonian * 1.0)
        widths = as_real(widths, "widths")
        if widths.ndim != 2 or widths.shape[1] != len(hamiltonian):
            raise ValueError(
                f"`widths` must have the shape (reservoirs, sites), got {widths.shape} for"
                f" {len(hamiltonian)} sites."
            )
        return cls(energies, widths @ jnp.abs(vectors) ** 2, gases)

    def checks(self, point):
        return finite_checks(self, point)

    @checked
    def operate(self) -> Flows:
        """What flows at time 0, the modes in their quasi-stationary state."""
        return _flows(self)

    @checked
    def evolve(
        self, times: ArrayLike, full: bool = False, occupations: ArrayLike | None = None
    ) -> Evolution:
        """Temperatures and chemical potentials at the given times >= 0.

        `full`: with the occupations of the modes as variables, from `occupations` (quasi-stationary
        by default). By an implicit method, for reservoirs that are stiff (modes at nearly one
        energy, or that exchange at very different rates), too. Relative errors are about 1e-10.
        Derivatives in both modes, at the cost of a run for each parameter.
        """
        times = as_real(times, "times").astype(self.energies.dtype)
        check("times", times, "nonnegative")
        if times.ndim != 1 or not times.size:
            raise ValueError(
                f"`times` must be a list of times, at least one, got shape {times.shape}."
            )
        if occupations is not None:
            occupations = as_real(occupations, "occupations").astype(self.energies.dtype)
            if not full or occupations.shape != self.energies.shape:
                raise ValueError(
                    f"`occupations` must be one for each of {len(self.energies)} modes, with"
                    " `full=True`."
                )
        return _evolve(self, times, full, occupations)

    @checked
    def equilibrium(self) -> Equilibrium:
        """The common temperature and chemical potential at which the reservoirs hold what they hold
        now; derivatives are implicit."""
        return _equilibrium(self)

    @checked
    def relaxation_rates(self) -> Float[Array, " variables"]:
        """Rates at which small deviations from `equilibrium` decay, in rising order; 0 for every
        conserved quantity."""
        return _relaxation_rates(self)

    @checked
    def minimum_temperature(
        self, reservoir: int, full: bool = False, occupations: ArrayLike | None = None
    ) -> Minimum:
        """The first minimum of the temperature of `reservoir`, a number, after time 0; `full` and
        `occupations` as in `evolve`.

        It is one when the temperature rises again by 1e-8 of itself, which rounding does not make.
        Its time and value have the derivatives of the implicit and the envelope theorem. Where
        there is none the time is 0, or infinite for a temperature that falls all the way.
        """
        whole(reservoir, "reservoir", 0)
        if reservoir >= len(self.rates):
            raise ValueError(f"`reservoir` must be below {len(self.rates)}, got {reservoir}.")
        return _minimum(self, reservoir, full, occupations)

    @checked
    def crossing_times(
        self, pair: tuple[int, int] = (0, 1), of: str = "temperature", most: int = 4
    ) -> Crossings:
        """When the temperatures, or `of` "chemical_potential", of a `pair` of reservoirs cross; NaN
        after the last of up to `most` times.

        A crossing counts once the gap is 1e-5 of the larger value on either side, so that rounding
        near equilibrium makes none, and a start at equal values is none.
        """
        if of not in ("temperature", "chemical_potential"):
            raise ValueError(f'`of` must be "temperature" or "chemical_potential", got {of!r}.')
        if len(set(pair)) != 2 or not all(0 <= j < len(self.rates) for j in pair):
            raise ValueError(
                f"`pair` must name two reservoirs below {len(self.rates)}, got {pair!r}."
            )
        whole(most, "most", 1)
        return _crossings(self, tuple(pair), of, most)

    @checked
    def equilibration_time(self, share: ArrayLike = 0.01) -> Float[Array, ""]:
        """When all but a `share` of the entropy that the way to `equilibrium` produces has been
        produced.

        Entropy never falls, so there is one such time: 0 in equilibrium, infinite for reservoirs
        that stop before they get there. Raises `ValueError` (in compiled code: NaN) if they run
        into a point without heat capacity, or take too many steps.
        """
        time, status = _equilibration(self, as_share(share, "share").astype(self.energies.dtype))
        raise_if_known(status, Status.SINGULAR, Status.NOT_CONVERGED)
        return time

    def design_problem(self) -> DesignProblem:
        """The largest heat current out of the coldest reservoir over energies and rates of the
        modes, where these are narrow (`VALID`)."""
        coldest = int(np.argmin(self.gases.temperature))
        mu = float(self.gases.chemical_potential[coldest])
        reach = 8 * float(self.gases.temperature.max())
        over = {f"energies[{k}]": (mu - reach, mu + reach) for k in range(len(self.energies))}
        for j, k in np.ndindex(*self.rates.shape):
            over[f"rates[{j},{k}]"] = (1e-4 * float(self.gases.temperature.min()), reach)
        return DesignProblem(self, f"J_{coldest}", over, dict(VALID), starts=16, steps=200)

    def survey(self) -> Survey:
        """The heat that leaves the coldest reservoir over its temperature and its chemical
        potential."""
        gases, coldest = self.gases, int(np.argmin(self.gases.temperature))
        shares = np.linspace(-1, 1, 25)[:, None] * np.eye(len(self.rates))[coldest]
        spread = {"temperature": 0.6 * shares, "chemical_potential": 0.2 * shares}
        return Survey(
            f"J_{coldest}",
            {
                f"gases.{name}": np.asarray(getattr(gases, name)) * (1 + x)
                for name, x in spread.items()
            },
        )

    def crossover(self) -> Float[Array, "reservoirs reservoirs"]:
        """omega_tilde_jq = (T_j mu_q - T_q mu_j) / (T_j - T_q), the energy at which two reservoirs
        are equally occupied.

        Infinite at equal temperatures, with the sign of mu_j - mu_q, and NaN where the potentials
        are equal too: no derivative there.
        """
        t, mu = self.gases.temperature, self.gases.chemical_potential
        gap, bias = t[:, None] - t[None], mu[:, None] - mu[None]
        crossing = (t[:, None] * mu[None] - t[None] * mu[:, None]) / jnp.where(gap == 0, 1.0, gap)
        return jnp.where(
            gap == 0, jnp.where(bias == 0, jnp.nan, jnp.sign(bias) * jnp.inf), crossing
        )


def _caution(machine):
    """A check for what keeps its numbers, but should be said; the last of all checks, as it always
    holds."""
    low = jnp.any(machine.gases.degeneracy < 10) & (machine.gases.closure == "sommerfeld")
    return jnp.asarray(True), first(
        (low, Status.NOT_DEGENERATE), (jnp.any(machine.energies <= 0), Status.BELOW_BAND)
    )


@compiled
def _flows(machine):
    gases = machine.gases
    leaving = _drift.leaving(machine, gases, ())
    particles, energy = leaving.sum(1), (machine.energies[None] * leaving).sum(1)
    heat = ((machine.energies[None] - gases.chemical_potential[:, None]) * leaving).sum(1)
    rates = _drift.warming(machine, gases, leaving)
    sigma = _drift.entropy_production(machine, gases, ())
    status = first((~jnp.isfinite(sigma), Status.INVALID_PARAMETER), _caution(machine))
    return Flows(
        particles=particles,
        energy=energy,
        heat=heat,
        occupations=_drift.quasi_stationary(machine, gases),
        temperature_rates=rates[0],
        potential_rates=rates[1],
        entropy_production=sigma,
        temperatures=gases.temperature,
        rates_over=_rates_over(machine),
        status=status,
    )


def _rates_over(machine):
    """The rate of each mode over what makes it narrow: temperatures, and its distance to the next
    mode that is not at the same energy."""
    found = {}
    for k, rate in enumerate(machine.rates.sum(0)):
        found[f"mode {k}", "the lowest temperature"] = rate / machine.gases.temperature.min()
        if len(machine.energies) > 1:
            apart = jnp.abs(machine.energies - machine.energies[k])
            nearest = jnp.min(jnp.where(apart > 0, apart, jnp.inf))
            found[f"mode {k}", "its distance to the next mode"] = rate / nearest
    return found


@compiled
def _evolve(machine, times, full, occupations):
    order = jnp.argsort(times)
    course = _drift.way(machine, times[order], full, occupations)
    states = jnp.zeros_like(course.states).at[order].set(course.states)

    def at(state):
        gases, modes = _drift.at(machine, state)
        known = (
            gases.temperature,
            gases.chemical_potential,
            modes if full else _drift.quasi_stationary(machine, gases),
        )
        return (
            known,
            _drift.totals(machine, gases, modes),
            _drift.entropy_production(machine, gases, modes),
        )

    known, totals, production = jax.vmap(at)(states)
    begin = _drift.totals(machine, *_drift.at(machine, _drift.start(machine, full, occupations)))
    drift = jnp.nanmax(jnp.abs(totals[:, :2] - begin[None, :2]), axis=0) / jnp.abs(begin[:2])
    status = first(
        (~jnp.all(jnp.isfinite(begin)), Status.INVALID_PARAMETER),
        (course.ended, Status.SINGULAR),
        (course.last < times.max(), Status.NOT_CONVERGED),
        _caution(machine),
    )
    return Evolution(times, *known, totals[:, 2], production, drift, course.last, status)


@compiled
def _equilibrium(machine):
    temperature, potential, converged = _drift.rest(machine)
    known = jnp.isfinite(
        _drift.totals(machine, machine.gases, jnp.zeros(0, machine.energies.dtype))
    ).all()
    status = first((~known, Status.INVALID_PARAMETER), (~converged, Status.NOT_CONVERGED))
    return Equilibrium(temperature, potential, _drift.conserved(machine), status)


@compiled
def _relaxation_rates(machine):
    temperature, potential, _ = _drift.rest(machine)
    return _drift.relaxation_rates(machine, temperature, potential)


@compiled
def _minimum(machine, reservoir, full, occupations):
    frozen, modes = jax.lax.stop_gradient((machine, occupations))

    def rise(state, machine):
        return _drift.speed(state, machine)[reservoir]

    start = _drift.start(frozen, full, modes)

    def has_risen(now, before, after, _):
        return now[reservoir] > jnp.minimum(before, after)[reservoir] * (1 + _NOISE)

    found = _drift.happening(frozen, start, rise, has_risen)
    interior = found.happened
    time = jnp.where(interior, found.time, 0.0)
    at = _drift.known_states(
        machine, jnp.where(interior, found.state, start)[None], time[None], full, occupations
    )[0]
    # One Newton step in time: its value polishes the root, its derivative is that of the implicit
    # theorem.
    still = jax.lax.stop_gradient(at)
    curvature = jax.jvp(
        lambda state: rise(state, frozen), (still,), (_drift.speed(still, frozen),)
    )[1]
    time = time - rise(at, machine) / jnp.where(interior, curvature, 1.0)
    falls = ~interior & (found.left[reservoir] < start[reservoir] * (1 - _NOISE))
    return Minimum(
        time=jnp.where(interior, time, jnp.where(falls, jnp.inf, 0.0)),
        temperature=jnp.where(falls, found.left[reservoir], at[reservoir]),
        interior=interior,
        status=_searched(machine, start, found),
    )


@compiled
def _crossings(machine, pair, of, most):
    frozen = jax.lax.stop_gradient(machine)
    one, other = (j if of == "temperature" else j + len(machine.rates) for j in pair)

    def gap(state):
        return state[one] - state[other]

    def unit(state):
        return _APART * jnp.maximum(jnp.abs(state[one]), jnp.abs(state[other]))

    def side_of(state):
        return jnp.where(jnp.abs(gap(state)) > unit(state), jnp.sign(gap(state)), 0.0)

    def search(carry, _):
        """Crosses from a side to the other, or, from none, to one."""
        time, state, side, count = carry

        def beyond(state, _):
            return jnp.where(side == 0, jnp.abs(gap(state)) - unit(state), -side * gap(state))

        def is_apart(now, *_):
            return jnp.abs(gap(now)) > unit(now)

        found = _drift.happening(
            frozen, state, beyond, is_apart, jnp.where(count < most, _drift.horizon(frozen), 0.0)
        )
        crossed = found.happened & (side != 0)
        carry = (
            time + found.left_at,
            found.left,
            side_of(found.left),
            jnp.where(crossed, count + 1, count),
        )
        return carry, (
            jnp.where(crossed, time + found.time, jnp.inf),
            found.state,
            _searched(machine, start, found),
        )

    start = _drift.start(frozen, False, None)
    begin = jnp.zeros_like(start[0]), start, side_of(start), 0
    (*_, count), (times, states, statuses) = jax.lax.scan(search, begin, None, length=most + 1)
    order = jnp.argsort(times)[:most]
    times, states = times[order], states[order]
    there = jnp.isfinite(times)
    states = _drift.known_states(machine, states, jax.lax.cummax(jnp.where(there, times, 0.0)))
    speeds = jax.vmap(lambda state: _drift.speed(state, frozen))(jax.lax.stop_gradient(states))
    later = -jax.vmap(gap)(states) / jnp.where(there, jax.vmap(gap)(speeds), 1.0)

    def known(x):
        return jnp.where(there, x, jnp.nan)

    # A search that was not made, because there were enough, has nothing to say.
    status = jnp.where(count < most, statuses[-1], statuses[0])
    return Crossings(known(times + later), known(states[:, one] + speeds[:, one] * later), status)


@compiled
def _equilibration(machine, share):
    temperature, potential, _ = _drift.rest(machine)

    def entropy(gases):
        return gases.properties().entropy.sum()

    begin, end = entropy(machine.gases), entropy(machine.gases.at(temperature, potential))

    def of_state(state, machine):
        return entropy(_drift.at(machine, state)[0])

    target = end - share * (end - begin)
    frozen, goal, unit = jax.lax.stop_gradient((machine, target, end - begin))
    start = _drift.start(frozen, False, None)
    found = _drift.happening(
        frozen, start, lambda state, machine: (of_state(state, machine) - goal) / unit
    )
    time = jnp.where(found.happened, found.time, 0.0)
    at = _drift.known_states(
        machine, jnp.where(found.happened, found.state, start)[None], time[None]
    )[0]
    still = jax.lax.stop_gradient(at)
    rate = jax.jvp(lambda state: of_state(state, frozen), (still,), (_drift.speed(still, frozen),))[
        1
    ]
    # One Newton step in time, for the derivatives of the implicit theorem.
    time = time - (of_state(at, machine) - target) / jnp.where(found.happened, rate, 1.0)
    there = end - begin <= 4 * jnp.finfo(end.dtype).eps * jnp.abs(end)
    never = jnp.where(found.happened | _drift.settled(found.left, frozen), jnp.inf, jnp.nan)
    return jnp.where(found.happened, time, jnp.where(there, 0.0, never)), _searched(
        machine, start, found
    )


def _searched(machine, start, found):
    """The status of a search that may end where the reservoirs have settled."""
    settled = _drift.settled(found.left, machine)
    return first(
        (~jnp.all(jnp.isfinite(start)), Status.INVALID_PARAMETER),
        (~found.happened & ~settled & found.ended, Status.SINGULAR),
        (~found.happened & ~settled, Status.NOT_CONVERGED),
        _caution(machine),
    )
