import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from qtd.audits import Severity
from qtd.audits._gradients import Probe, gradients
from qtd.machines import CollectiveRefrigerator
from qtd.thermodynamics import AbstractPoint, Observable

INAPPLICABLE, FINE, NOTE, UNCHECKED, DOUBTFUL, WRONG = Severity


class Point(AbstractPoint):
    """With noise, if there are `names` of reservoirs."""

    value: jax.Array
    names: tuple = eqx.field(static=True)
    status: jax.Array = eqx.field(default_factory=lambda: jnp.asarray(0))

    def observables(self):
        if not self.names:
            return {"value": Observable(self.value, "1", "a number")}
        noise = {
            f"S_{name}": Observable(mistaken(self.value), "E^3", "noise") for name in self.names
        }
        return {"value": Observable(jnp.sin(self.value), "1", "a number")} | noise

    def headlines(self):
        return list(self.observables())[:2]


class Machine(eqx.Module):
    x: jax.Array
    figure: object = eqx.field(static=True)
    names: tuple = eqx.field(static=True, default=())

    def operate(self):
        return Point(self.figure(self.x), self.names)


def probed(figure, x, names=()):
    return gradients(Probe(Machine(jnp.array(x), figure, names), lambda machine: machine.operate()))


@jax.custom_jvp
def mistaken(x):
    return x**2


mistaken.defjvp(lambda x, dx: (x[0] ** 2, 2.01 * x[0] * dx[0]))


@pytest.mark.parametrize(
    "figure, x, severity, says",
    [
        (jnp.sin, 2.0, FINE, "agree"),
        (lambda x: 1e6 + jnp.sin(1e3 * x), 2.0, FINE, "agree"),
        (mistaken, 2.0, WRONG, "do not design"),
        (lambda x: jnp.where(x >= 1, 1.0, 0.0), 1.0, UNCHECKED, "could not be compared"),
        (lambda x: jnp.sqrt(x**2), 0.0, DOUBTFUL, "not a number"),
        (lambda x: jnp.nan * x, 1.0, UNCHECKED, "No observable has a value"),
    ],
)
def test_derivatives_are_compared_with_differences(figure, x, severity, says):
    worst = max(probed(figure, x), key=lambda finding: finding.severity)
    assert worst.severity == severity and says in worst.text


@jax.custom_jvp
def turned(x):
    """x^2 whose derivative is right forwards, and not backwards."""
    return x**2


@turned.defjvp
def _turned_jvp(primals, tangents):
    forwards, backwards = lambda x, dx: 2 * x * dx, lambda x, ct: 2.01 * x * ct
    return primals[0] ** 2, jax.custom_derivatives.linear_call(
        forwards, backwards, primals[0], tangents[0]
    )


def test_a_machine_without_numbers_has_no_derivatives():
    (found,) = gradients(Probe(None, lambda _: Point(jnp.array(1.0), ())))
    assert found.severity == UNCHECKED and "no numbers" in found.text


def test_reverse_mode_is_compared_with_forward_mode():
    forward, reverse = probed(lambda x: jnp.exp(-x) * x, 2.0)
    assert (
        reverse.severity == FINE
        and "jax.grad) agrees" in reverse.text
        and reverse.numbers["reverse"] < 1e-14
    )
    forward, reverse = probed(turned, 2.0)
    assert forward.severity == FINE
    assert reverse.severity == WRONG and "do not design" in reverse.text
    # Forward mode only.
    forward, reverse = probed(
        lambda x: jax.lax.while_loop(lambda y: y < 10, lambda y: 2 * y, x), 2.0
    )
    assert forward.severity == FINE
    assert reverse.severity == UNCHECKED and "could not be checked" in reverse.text


def test_derivatives_of_noise_are_checked_and_those_that_are_not_are_named():
    (wrong, _) = probed(lambda x: x, 2.0, ("left", "right"))
    assert wrong.severity == WRONG and "S_left" in wrong.text
    found = gradients(Probe(CollectiveRefrigerator(3), lambda machine: machine.operate()))
    assert [finding.severity for finding in found] == [FINE, FINE]
    checked, _, rest = found[0].text.partition("Others, most of them")
    assert (
        all(name in checked for name in ("S_cold", "TUR_cold", "COP", "J_hot"))
        and "TUR_hot" not in checked
    )
    assert all(name in rest for name in ("S_hot", "S_work", "TUR_hot", "TUR_work"))
