"""Claims of the paper on the N-demon about Fig. 2(b)."""

import math

import numpy as np

from ...machines import NDemon
from ...parameters import replace
from ...scattering import currents
from .._blocks import root
from .._claim import Outcome, claim, claims_in
from .devices import RESONANCES, UNIT, carnot, demon, less_bold, lowest_temperature

__all__ = ["CLAIMS"]

COLD = (0.2, 0.5, 0.8)
BOLD = "COP(T_c = 0.05, e_4 = 1.75) with half the largest boldness"


@claim("Fig. 2b", "COP stays below T_c / (T_h - T_c)", printed="below Carnot")
def cop_stays_below_carnot() -> Outcome:
    temperature = np.linspace(0.02, 0.98, 97)[:, None]
    everywhere = demon(temperature, np.array(RESONANCES)[None, :])
    shares = np.where(everywhere.margin > 0, everywhere.cop / carnot(temperature), 0)
    largest = np.max(shares)
    numbers = {}
    for cold in COLD:
        for energy in RESONANCES:
            found = demon(cold, energy)
            if found.margin > 0:
                numbers[f"COP(T_c = {cold:g}, e_4 = {energy:g})"] = found.cop
    return Outcome(
        {"everywhere": largest < 1},
        numbers | {"largest COP over Carnot": largest},
        f"it stays below {largest:.2f} of it; in the limit (24) that is (T_h - T_c) / (3 T_h -"
        " T_c), less than a third",
    )


@claim("Eq. 24", "for e_4 -> e_3 the COP is T_c / (3 T_h - T_c)", printed="0.2 at T_c = 0.5")
def cop_in_the_limit_of_close_resonances() -> Outcome:
    near = demon(0.5, 1.51).cop
    limits = {cold: demon(cold, 1.5).cop for cold in COLD}
    parts = {"near the limit": abs(near - 0.2) < 1e-3}
    for cold, cop in limits.items():
        parts[f"in the limit, T_c = {cold:g}"] = abs(cop - cold / (3 - cold)) < 1e-12
    numbers = {f"limit(T_c = {cold:g})": cop for cold, cop in limits.items()}
    return Outcome(parts, {"COP(T_c = 0.5, e_4 = 1.51)": near} | numbers)


@claim(
    "Eq. 24",
    "so it stays finite at T_c = T_h, where Carnot's diverges",
    printed="1/2",
)
def cop_stays_finite_at_equal_temperatures() -> Outcome:
    cops = {energy: demon(1.0, energy).cop for energy in (1.4, 1.49, 1.5, 1.51, 1.6)}
    return Outcome(
        {
            "one half in the limit": abs(cops[1.5] - 0.5) < 1e-12,
            "less beside it": max(cops.values()) == cops[1.5],
        },
        {f"COP(T_c = T_h, e_4 = {energy:g})": cop for energy, cop in cops.items()},
        f"within 0.1 of e_3 on either side at least {min(cops.values()):.3f}",
    )


@claim("Fig. 2b", "COP tends to zero with the temperature of the cold lead", printed="0")
def cop_tends_to_zero() -> Outcome:
    lowest = lowest_temperature(1.6)
    limit = demon(np.array([0.8, 0.4, 0.1, 0.01]), 1.5).cop
    above = demon(lowest + np.array([0.3, 1e-2, 1e-4, 1e-6]), 1.6).cop
    return Outcome(
        {
            "in the limit e_4 -> e_3": np.all(np.diff(limit) < 0) and limit[-1] < 0.004,
            "at e_4 = 1.6": np.all(np.diff(above) < 0) and above[-1] < 0.1 * above[0],
        },
        {"COP(24) at T_c = 0.01": limit[-1], "COP(e_4 = 1.6) 1e-6 above T_min": above[-1]},
        f"on the limiting curve; at e_4 = 1.6 already at T_c = {lowest:.3f}, as 1 / |ln(T_c -"
        " T_min)|",
    )


@claim(
    "Fig. 2b",
    "there is a lowest temperature that can be reached, which is zero only for e_4 -> e_3",
    printed="above 0",
)
def there_is_a_lowest_temperature() -> Outcome:
    lowest = {e: lowest_temperature(e) for e in (1.4, 1.45, 1.55, 1.6, 1.75, 1.9)}
    slope = lowest[1.55] * math.log(2) / (1.55 - 1.5)
    cop = less_bold()
    return Outcome(
        {
            "above zero, and proportional to e_4 - e_3": (
                min(lowest.values()) > 0 and abs(slope - 1) < 0.01
            ),
            "for other occupations too": not cop > 0,
        },
        {f"T_min(e_4 = {e:g})": temperature for e, temperature in lowest.items()} | {BOLD: cop},
        "so for the paper's choice of the occupation; one less bold has at T_c = 0.05, e_4 = 1.75, "
        f"below T_min = {lowest[1.75]:.2f}, a COP of {cop:.2g}",
    )


@claim("Fig. 2b", "power is paid for with efficiency", printed="trade-off")
def power_is_paid_for_with_efficiency() -> Outcome:
    # By the temperature of the cold lead, away from e_3 = 1.5 on either side.
    ways = [(0.3, (1.45, 1.4)), (0.3, (1.55, 1.6)), (0.5, (1.4, 1.25))]
    ways += [(0.5, (1.55, 1.6, 1.75, 1.9)), (0.8, (1.4, 1.25)), (0.8, (1.55, 1.6, 1.75, 1.9, 2.1))]
    trades = []
    for cold, energies in ways:
        found = demon(cold, energies)
        trades.append(np.all(np.diff(found.power) > 0) and np.all(np.diff(found.cop) < 0))

    def rise(temperature):
        return demon(temperature + 1e-5, 1.6).power - demon(temperature - 1e-5, 1.6).power

    best = root(rise, 0.2, 0.6)
    numbers = {}
    for cold, energies in ways[2:]:
        for energy in energies:
            numbers[f"power(T_c = {cold:g}, e_4 = {energy:g})"] = demon(cold, energy).power
    numbers["T_c of largest power, e_4 = 1.6"] = best
    numbers["largest power, e_4 = 1.6"] = demon(best, 1.6).power
    return Outcome(
        {"on all ways": all(trades)},
        numbers,
        f"the power rises and the COP falls with the distance from e_3 on {sum(trades)} of"
        f" {len(trades)} ways: at three T_c, on both sides",
    )


@claim(
    "Sec. V",
    "where the occupation is unphysical the demon cannot pump heat",
    printed="cannot",
)
def no_pumping_where_the_occupation_is_unphysical() -> Outcome:
    cop = less_bold()

    def margin(energy):
        return demon(1.0, energy).margin

    return Outcome(
        {"for other occupations too": not cop > 0},
        {
            "lowest e_4 at T_c = T_h": root(margin, 0.05, 1.45),
            "highest e_4 at T_c = T_h": root(margin, 1.55, 2.9),
            BOLD: cop,
        },
        f"it is the paper's choice of f_l(e_4) that fails there; another has a COP of {cop:.2g}",
    )


@claim(
    "Sec. V",
    "the demon exchanges neither particles nor energy, and yet heat flows from cold to hot",
    printed="0, cooling",
)
def heat_flows_without_exchange() -> Outcome:
    """Currents are integrals over the demon's windows at a finite width, where its occupation is
    solved for."""
    machine = replace(NDemon(width=0.05), {"cold.temperature": 0.5})
    flow = currents(machine.broadened("boxcar").conductor)
    cooling = flow.heat_currents["cold"]
    narrow = machine.operate().heat_currents["cold"]
    particles = flow.particle_currents["demon"] / (machine.width * UNIT)
    energy = flow.energy_currents["demon"] / cooling
    lost = 1 + flow.heat_currents["hot"] / cooling
    return Outcome(
        {
            "heat flows from cold to hot": cooling > 0,
            "no particles": abs(particles) < 1e-9,
            "no energy": abs(energy) < 1e-9,
            "the hot lead gets what the cold one loses": abs(lost) < 1e-9,
        },
        {
            "J_c (T_c = 0.5, e_4 = 1.6, Gamma = 0.05)": cooling,
            "J_c, narrow": narrow,
            "particles of the demon over Gamma / h": particles,
            "energy of the demon over J_c": energy,
            "J_c + J_h over J_c": lost,
            "entropy into the demon": -flow.entropy_currents["demon"],
        },
        f"its current is {100 * abs(1 - cooling / narrow):.2f} % off that of narrow resonances",
    )


CLAIMS = claims_in(globals())
