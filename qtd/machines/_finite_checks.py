"""What only finite reservoirs know about the validity of their numbers: where they end, what they
conserve, and their closure."""

import jax.numpy as jnp
import numpy as np

from ..findings import Checks, Finding, Severity
from ..limits import CONSERVED, CROSSOVER, DEGENERATE, DIFFERENCE, FIRST_ORDER
from ..parameters import replace


def finite_checks(machine, point) -> Checks:
    """Checks by topic; `point` is what flows at time 0."""
    return {
        "quasi-stationary modes": lambda: _quasi_stationary(machine),
        "equilibrium": lambda: _equilibrium(machine),
        "conservation": lambda: _conservation(machine),
        "closure": lambda: _closure(machine, point),
        "signs": lambda: _signs(machine),
    }


def _quasi_stationary(machine):
    """The modes must follow the reservoirs, unless they are variables of their own."""
    modes = np.asarray(machine.rates, float).sum(0)
    slowest, fastest = float(modes[modes > 0].min()), float(np.max(machine.relaxation_rates()))
    ratio = fastest / slowest
    text = (
        f"The reservoirs change at rates up to {fastest:.3g}, {ratio:.2g} of the rate {slowest:.3g}"
        " at which the slowest mode follows;"
        " by about this share of themselves flows are off. `evolve(full=True)` lets modes lag"
        " behind."
    )
    return [Finding(FIRST_ORDER.rate(ratio), "quasi-stationary modes", text, {"ratio": ratio})]


def _equilibrium(machine):
    end, rates = machine.equilibrium(), np.asarray(machine.relaxation_rates(), float)
    count = int(end.conserved)
    if count > 2:
        text = (
            f"The reservoirs conserve {count} quantities, not 2: they stop before they have one"
            " temperature and potential,"
            " and `equilibrium` is not where they get to. Let them share modes of different"
            " energies."
        )
        return [Finding(Severity.DOUBTFUL, "equilibrium", text, {"conserved": float(count)})]
    slowest = float(rates[rates > 1e-12 * rates.max()].min())
    temperature, potential = float(end.temperature), float(end.chemical_potential)
    text = (
        f"All reservoirs end at the temperature {temperature:.6g} and the chemical potential"
        f" {potential:.6g};"
        f" the slowest way there has the rate {slowest:.3g}, a time of {1 / slowest:.3g}."
    )
    numbers = {"temperature": temperature, "chemical_potential": potential, "rate": slowest}
    return [Finding(Severity.FINE, "equilibrium", text, numbers)]


def _conservation(machine):
    """Conservation of particles and energy on the way, and the growth of entropy."""
    rates = np.asarray(machine.relaxation_rates(), float)
    times = jnp.geomspace(0.1 / rates.max(), 3 / rates[rates > 1e-12 * rates.max()].min(), 24)
    course = machine.evolve(times.astype(machine.energies.dtype))
    drift, entropy = float(jnp.max(course.drift)), np.asarray(course.entropy, float)
    grown = np.diff(entropy) >= -1e3 * np.finfo(np.asarray(course.entropy).dtype).eps * np.abs(
        entropy[1:]
    )
    reached, asked = float(course.last), float(times[-1])
    last = min(reached, asked)
    entropy_does = "grows all the way" if grown.all() else "falls on the way, which is impossible"
    text = (
        f"Up to the time {last:.3g} the totals of particles and energy drift by {drift:.1g} of"
        f" themselves, and entropy {entropy_does}."
    )
    severity = CONSERVED.rate(drift) if grown.all() else Severity.WRONG
    found = [
        Finding(severity, "conservation", text, {"drift": drift, "time": last}, "drift", drift)
    ]
    if reached < asked * (1 - 1e-9):
        text = (
            f"The reservoirs can be followed only up to the time {reached:.4g}, where the model"
            " of a gas has no heat capacity left."
        )
        found.append(Finding(Severity.DOUBTFUL, "conservation", text, {"last": reached}, "end"))
    return found


def _closure(machine, point):
    lowest = float(machine.gases.degeneracy.min())
    if machine.gases.closure == "exact":
        text = (
            f"Gases are computed by exact integrals, right at any mu / T (here {lowest:.3g} and"
            " more)."
        )
        return [Finding(Severity.FINE, "closure", text, {"degeneracy": lowest})]
    exact = replace(machine, {"gases.closure": "exact"}).operate().temperature_rates
    off = float(jnp.max(jnp.abs(point.temperature_rates / exact - 1)))
    text = (
        f"The Sommerfeld expansion (mu / T down to {lowest:.3g}, to be {DEGENERATE:.0f} and more)"
        " changes the rate of a temperature"
        f' by {off:.2g} of it against the exact integrals; closure="exact" has no such error.'
    )
    severity = max(
        DIFFERENCE.rate(off), Severity.DOUBTFUL if lowest < DEGENERATE else Severity.FINE
    )
    return [Finding(severity, "closure", text, {"degeneracy": lowest, "deviation": off})]


def _signs(machine):
    """Modes at an energy where two reservoirs are equally occupied, so that nothing tells which way
    electrons flow."""
    crossover = np.asarray(machine.crossover(), float)
    energies = np.asarray(machine.energies, float)
    apart = np.abs(crossover[..., None] - energies)
    j, q, k = np.unravel_index(np.argmin(np.where(np.isfinite(apart), apart, np.inf)), apart.shape)
    distance = float(apart[j, q, k]) / float(machine.gases.temperature.max())
    if not np.isfinite(distance):
        return [Finding(Severity.FINE, "signs", "No energy is equally occupied in two reservoirs.")]
    energy = float(crossover[j, q])
    text = (
        f"Reservoirs {j} and {q} are equally occupied at the energy {energy:.6g}, where the"
        " exchange changes its direction;"
        f" the next mode is {distance:.2g} temperatures away."
    )
    severity = Severity.NOTE if distance < CROSSOVER else Severity.FINE
    return [Finding(severity, "signs", text, {"crossover": energy, "distance": distance})]
