"""A kind of system of one's own: what it registers, and what it then can do."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.audits import Finding, Severity, checks_of
from qtd.counting import Covariance, noise
from qtd.evolution import relaxed
from qtd.plots.levels import network_of
from qtd.systems import AbstractState, AbstractSystem, at_rest


class Hopper(AbstractSystem):
    """One place between two reservoirs, each of which fills it at its rate times its bose
    occupation, and empties it."""

    energy: jax.Array
    reservoirs: dict

    def rates(self):
        """By reservoir, into the place and out of it."""
        return {name: reservoir.rates(self.energy) for name, reservoir in self.reservoirs.items()}

    def network(self):
        return qtd.RateNetwork(
            jnp.stack([0 * self.energy, self.energy]),
            [(name, 0, 1, 1.0) for name in self.reservoirs],
            self.reservoirs,
        )


class HopperState(AbstractState):
    hopper: Hopper
    filled: jax.Array
    status: jax.Array

    @property
    def reservoirs(self):
        return self.hopper.reservoirs

    def current(self, reservoir, quantity):
        up, down = self.hopper.rates()[reservoir]
        return (0.0 if quantity == "particles" else self.hopper.energy) * (
            up * (1 - self.filled) - down * self.filled
        )

    def array(self):
        return jnp.stack([1 - self.filled, self.filled])


@at_rest.register
def _(system: Hopper) -> HopperState:
    up, down = (sum(x) for x in zip(*system.rates().values()))
    return HopperState(system, up / (up + down), jnp.asarray(0))


@noise.register
def _(state: HopperState, quantity: str) -> Covariance:
    """Of two poles: S = q^2 (a + b - 2 (a - b)^2 / g^2) / g with a = up_1 down_2, b = down_1 up_2
    and g the sum of all rates."""
    (up_1, down_1), (up_2, down_2) = state.hopper.rates().values()
    there = up_1 * down_2
    back = down_1 * up_2
    total = up_1 + down_1 + up_2 + down_2
    found = state.hopper.energy**2 * (there + back - 2 * (there - back) ** 2 / total**2) / total
    return Covariance(tuple(state.reservoirs), ((found, -found), (found,)), True)


@relaxed.register
def _(system: Hopper, state, times):
    up, down = (sum(x) for x in zip(*system.rates().values()))
    filled = up / (up + down) + (jnp.asarray(state)[1] - up / (up + down)) * jnp.exp(
        -(up + down) * times
    )
    return jnp.stack([1 - filled, filled], axis=-1)


@checks_of.register
def _(system: Hopper):
    return {
        "steady state": lambda: [Finding(Severity.FINE, "steady state", "A single place has one.")]
    }


@network_of.register
def _(system: Hopper):
    return system.network()


class Mute(AbstractSystem):
    reservoirs: dict


@pytest.fixture(scope="module")
def hopper():
    flat = qtd.spectral.Ohmic(0.1, 10.0)

    def of(temperature):
        return qtd.Reservoir(temperature, spectral_density=flat)

    return Hopper(jnp.asarray(1.0), {"cold": of(0.5), "hot": of(1.0)})


def test_a_new_kind_of_system_has_currents_noise_and_evolution(hopper):
    point, known = qtd.operate(hopper), qtd.operate(hopper.network())
    for name in ("cold", "hot"):
        np.testing.assert_allclose(point.heat_currents[name], known.heat_currents[name], rtol=1e-13)
    np.testing.assert_allclose(
        point.heat_covariance.matrix, known.heat_covariance.matrix, rtol=1e-13
    )
    np.testing.assert_allclose(
        qtd.counting.covariance(hopper).matrix, known.heat_covariance.matrix, rtol=1e-13
    )
    np.testing.assert_allclose(
        qtd.steady_state(hopper), qtd.steady_state(hopper.network()), rtol=1e-14
    )
    start, times = [1.0, 0.0], [0.0, 1.0, 5.0]
    found, wanted = (qtd.evolution.relax(x, start, times) for x in (hopper, hopper.network()))
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-15)


def test_a_new_kind_of_system_can_be_differentiated_and_swept(hopper):
    def current(system):
        return qtd.operate(system).heat_currents["hot"]

    found = eqx.filter_grad(current)(hopper)
    known = eqx.filter_grad(lambda x: current(x.network()))(hopper)
    np.testing.assert_allclose(found.energy, known.energy, rtol=1e-12)
    table = qtd.sweep(
        hopper,
        {"energy": [0.5, 1.0]},
        {"J": current},
        status=lambda system: qtd.operate(system).status,
    )
    np.testing.assert_allclose(table.J[1], current(hopper), rtol=1e-13)


def test_a_new_kind_of_system_is_audited_and_drawn(hopper):
    audit = qtd.audit(hopper)
    topics = {finding.topic: finding.severity for finding in audit.findings}
    assert (
        audit.trusted
        and topics["steady state"] == topics["first law"] == topics["gradients"] == Severity.FINE
    )
    assert qtd.plots.level_scheme(hopper).axes


def test_a_state_is_taken_as_it_is(hopper):
    state = qtd.steady.solve(hopper.network())
    assert qtd.steady.solve(state) is state
    np.testing.assert_array_equal(
        qtd.counting.covariance(state).matrix, qtd.counting.covariance(hopper.network()).matrix
    )
    with pytest.raises(ValueError, match="does not know the entropy of nonthermal 'hot'"):
        qtd.steady.solve(hopper).entropy_current("hot")


def test_what_a_kind_has_not_registered_is_said(hopper):
    mute = Mute(hopper.reservoirs)
    for ask, words in (
        (
            lambda: qtd.operate(mute),
            "`system` must be a network, a master equation, a conductor, or",
        ),
        (lambda: qtd.evolution.relax(mute, [1.0], [0.0]), "whose evolution is known, got Mute"),
        (
            lambda: qtd.counting.cumulants(hopper, "hot"),
            "a HopperState, of which no generating function is known",
        ),
        (
            lambda: qtd.counting.generating_function(hopper, {"hot": 0.1}),
            "a HopperState, of which no generating function is known",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            ask()
    assert [finding.severity for finding in checks_of(mute)["systems"]()] == [Severity.UNCHECKED]
