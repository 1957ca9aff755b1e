"""Claims of the paper on two qubits in Figs. 3, 4 and 5 and its conclusions."""

import functools

import numpy as np

from ...machines.qubit_refrigerator import Model
from ...parameters import replace
from .._blocks import peak, root
from .._claim import Outcome, claim, claims_in
from .._filtered import maxima, named
from .devices import (
    EQUATIONS,
    SHIFTS,
    best_bias,
    by_global,
    by_local,
    by_redfield,
    exchange_alone,
    figure_4_current,
    figure_4_resonant,
    first_energy,
    last_bias,
    machine,
    random_exchange,
    without_exchange,
)

__all__ = ["CLAIMS"]

BIASES = (0.1, 0.3)


@claim("Fig. 3", "the cooling current has a maximum around dT = 0.3 T", printed="0.3")
def there_is_a_best_bias() -> Outcome:
    places = {f"D_z = {shift}": best_bias(shift)[0] for shift in SHIFTS}
    least = min(places.values())
    largest = max(places.values())
    return Outcome(
        {
            "there is a maximum": all(0.05 < place < 0.45 for place in places.values()),
            "around dT = 0.3 T": all(0.25 < place < 0.35 for place in places.values()),
        },
        named("dT of maximum", places),
        f"there is one, at {least:.2f} to {largest:.2f}",
    )


@claim("Fig. 3", "the magnitude of cooling depends on Delta_z", printed="yes")
def cooling_depends_on_the_coupling() -> Outcome:
    heights = {f"D_z = {shift}": best_bias(shift)[1] for shift in SHIFTS}
    factor = max(heights.values()) / min(heights.values())
    return Outcome(
        {"by more than a factor of 2": factor > 2},
        named("largest J_C", heights),
        f"by a factor of {factor:.1f} between these curves",
    )


@claim("Fig. 3", "it cools in the entire range of the thermal bias", printed="all dT")
def it_cools_in_the_entire_range() -> Outcome:
    ends = {shift: last_bias(shift) for shift in SHIFTS}
    heating = {}
    for shift, end in ends.items():
        beyond = np.linspace(end, 0.99, 400)
        heating[shift] = np.max(-without_exchange(beyond, shift))
    small = SHIFTS[:3]
    faint = max(heating[shift] / best_bias(shift)[1] for shift in small)
    numbers = {f"dT where cooling ends (D_z = {shift})": end for shift, end in ends.items()}
    numbers["strongest heating, D_z = 0.05 to 0.2"] = max(heating[shift] for shift in small)
    numbers["strongest heating, D_z = 0.5"] = heating[0.5]
    for bias in BIASES:
        current = functools.partial(without_exchange, bias)
        numbers[f"D_z where cooling begins (dT = {bias})"] = root(current, 1e-3, 0.1)
    least = min(ends.values())
    largest = max(ends.values())
    return Outcome(
        {"up to dT = T / 2": least > 0.5, "beyond": max(heating.values()) <= 0},
        numbers,
        f"up to dT = {least:.2f} to {largest:.2f}; up to D_z = 0.2 the heating beyond is at most "
        f"{100 * faint:.1g} % of the largest cooling",
    )


@claim(
    "Fig. 3",
    "the coupling is well within the weak coupling regime",
    printed="rates far below all energies",
)
def coupling_is_weak() -> Outcome:
    device = machine("zz", 0.3, 0.1)
    energies = device.energy_1, device.energy_2
    shifts = 0.0, device.shift
    gap = min(abs(float(energy + shift)) for energy in energies for shift in shifts)
    ratios = device.rate_ratios()
    return Outcome(
        {"rates far below all energies": ratios.rate_over_gap < 0.1},
        {
            "largest rate (dT = 0.3, D_z = 0.1)": float(ratios.rate_over_gap) * gap,
            "smallest gap": gap,
        },
        "by Eq. (3) a narrow filter is a strong one, K = 1 / (Gamma Omega) at its centre; rates "
        "fall below the widths of the filters with a prefactor kappa < "
        f"{1 / float(ratios.rate_over_width):.1e}, which would scale all currents of Figs. 3 "
        "and 4 alike",
    )


@claim(
    "Fig. 3",
    "against Delta_z the current has a maximum and goes to zero for large Delta_z",
    printed="maximum, then zero",
)
def current_goes_to_zero_for_a_large_coupling() -> Outcome:
    best = {}
    last = {}
    ideal = {}
    left = []
    cools = []
    for bias in BIASES:
        current = functools.partial(without_exchange, bias)
        name = f"dT = {bias}"
        best[name] = peak(current, 0.05, 1.0)
        last[name] = root(current, 0.8, 2.0)
        ideal[name] = 2.0 * (1 - bias) / (1 + bias)
        beyond = current(np.linspace(last[name] + 1e-3, 12.0, 400))
        left.append(np.abs(beyond[-1]) / best[name][1])
        cools.append(np.all(beyond >= 0))
    numbers = maxima("D_z", best)
    numbers |= named("D_z where heating begins", last)
    numbers |= named("the same by Eq. 10", ideal)
    return Outcome(
        {"goes to zero": max(left) < 1e-3, "without heating": all(cools)},
        numbers,
        f"it heats first, from D_z = {min(last.values()):.2f} and {max(last.values()):.2f} on; at "
        f"D_z = 12 {max(left):.0e} of the maximum is left",
    )


@claim("Fig. 4", "the cold reservoir is heated where eps_1 < 0", printed="heating")
def it_heats_at_negative_energies() -> Outcome:
    energy = np.linspace(-2.0, -0.01, 200)
    largest = np.max(figure_4_current(energy))
    resonant = np.max(figure_4_resonant(energy))
    numbers = {f"J_C(eps_1 = {e:g})": figure_4_current(e) for e in (-0.5, -1.0)}
    return Outcome(
        {"as printed": largest < 0, "with centres |eps_1|": resonant < 0},
        numbers | {"J_C(-1), centres |eps_1|": figure_4_resonant(-1.0)},
        f"for -2 < eps_1 < 0 J_C is at most {largest:.0e}, and {resonant:.0e} if the filters are"
        " read as centred on |eps_1|",
    )


@claim("Fig. 4", "the cold reservoir is cooled where eps_1 > 0", printed="cooling")
def it_cools_at_positive_energies() -> Outcome:
    first = first_energy()
    best, height = peak(figure_4_current, 0.3, 3.0)
    ideal = 0.1 * 1.3 / 0.7
    above = figure_4_current(np.linspace(first + 1e-3, 4.0, 200))
    below = figure_4_current(np.linspace(1e-3, first - 1e-3, 50))
    return Outcome(
        {
            "above a first energy": np.all(above > 0),
            "down to eps_1 = 0": np.all(below > 0),
        },
        {
            "eps_1 where cooling begins": first,
            "the same by Eq. 10": ideal,
            "J_C(eps_1 = 0.1)": figure_4_current(0.1),
            "eps_1 of maximum": best,
            "largest J_C": height,
        },
        f"only above eps_1 = {first:.3f}; Eq. (10) demands {ideal:.3f}",
    )


@claim(
    "Sec. V",
    "cooling shows that the model is an effective absorption refrigerator",
    printed="effective",
)
def it_is_an_effective_refrigerator() -> Outcome:
    device = machine("zz", 0.2, 0.1)
    widths = {f"{name}.spectral_density.width": 1e-4 for name in ("hot", "sink")}
    point = device.operate()
    narrow = replace(device, widths).operate()
    share = float(point.cop / point.carnot_cop)
    narrowed = float(narrow.cop / point.carnot_cop)
    ideal = float(device.tight_coupling_cop / point.carnot_cop)
    return Outcome(
        {
            "it cools": point.heat_currents["cold"] > 0,
            "with a tenth of Carnot's COP": share > 0.1,
        },
        {
            "J_L (dT = 0.2, D_z = 0.1)": point.heat_currents["hot"],
            "J_C": point.heat_currents["cold"],
            "COP": point.cop,
            "COP of Carnot": point.carnot_cop,
            "COP over Carnot's": share,
            "S_CC sigma / J_C^2": point.tur("cold"),
            "COP over Carnot's, Gamma_L = Gamma_R = 1e-4": narrowed,
            "Delta_z / eps_1 over Carnot's": ideal,
        },
        f"the paper gives no efficiency: it is {100 * share:.2f} % of Carnot's, and "
        f"{100 * narrowed:.0f} % with filters of width 1e-4 at hot and sink",
    )


@claim(
    "Fig. 5",
    "at Delta_x = 0.002 the global equation heats for Delta_z below about 0.2",
    printed="0.2",
)
def the_global_equation_heats_at_small_couplings() -> Outcome:
    start = _global_zero(0.1, 0.002, 0.05, 0.3)
    other = _global_zero(0.3, 0.002, 0.05, 0.3)
    starts = {
        "dT = 0.1, D_x = 0.002": start,
        "dT = 0.3, D_x = 0.002": other,
        "dT = 0.1, D_x = 0.003": _global_zero(0.1, 0.003, 0.05, 0.3),
    }
    ends = {f"dT = {bias}, D_x = 0.002": _global_zero(bias, 0.002, 0.5, 1.5) for bias in BIASES}
    below = by_global(np.linspace(0.01, start - 1e-3, 50), 0.002, 0.1, 1.0)
    return Outcome(
        {"it heats below": np.all(below < 0), "up to about 0.2": 0.15 < start < 0.25},
        named("D_z where cooling begins", starts) | named("D_z where cooling ends", ends),
        f"it heats, up to {start:.2f}; with dT = 0.3 as in Fig. 4, instead of the caption's 0.1, up"
        f" to {other:.2f}",
    )


def _global_zero(bias, exchange, low, high):
    """The shift at which the current by the global equation changes sign."""

    def current(shift):
        return by_global(shift, exchange, bias, 1.0)

    return root(current, low, high)


@claim(
    "Fig. 5",
    "at Delta_x = 0.002 the local equation cools where the global one heats",
    printed="local > 0 > global",
)
def the_local_equation_cools_where_the_global_heats() -> Outcome:
    locally = by_local(0.1, 0.002, 0.1, 1.0)
    globally = by_global(0.1, 0.002, 0.1, 1.0)

    def onset(exchange):
        def current(shift):
            return by_local(shift, exchange, 0.1, 1.0)

        return root(current, 1e-3, 0.1)

    return Outcome(
        {"local > 0 > global": locally > 0 > globally},
        {"J_C(D_z = 0.1), local": locally, "J_C(D_z = 0.1), global": globally},
        f"it cools from D_z = {onset(0.002):.4f} on, without exchange from {onset(0.0):.4f} on",
    )


@claim(
    "Fig. 5",
    "the XX coupling is detrimental to cooling in both equations",
    printed="J_C falls with Delta_x",
)
def exchange_is_detrimental() -> Outcome:
    locally = {x: by_local(0.3, x, 0.1, 1.0) for x in (0.0, 0.002, 0.02, 0.05)}
    globally = {x: by_global(0.2, x, 0.1, 1.0) for x in (0.0, 0.002)}
    redfield = {x: by_redfield(0.3, x, 0.1, 1.0) for x in (0.002, 0.02, 0.05, 0.1)}
    change = {x: 100 * (current / locally[0.0] - 1) for x, current in redfield.items()}
    numbers = {f"local, D_z = 0.3, D_x = {x:g}": value for x, value in locally.items()}
    numbers |= {f"global, D_z = 0.2, D_x = {x:g}": value for x, value in globally.items()}
    numbers |= {f"Redfield, D_z = 0.3, D_x = {x:g}": value for x, value in redfield.items()}
    return Outcome(
        {
            "local": np.all(np.diff(list(locally.values())) < 0),
            "global": globally[0.002] < globally[0.0],
        },
        numbers,
        "of these two; by the Redfield equation, which resolves the splitting of the qubits, J_C "
        f"at this coupling changes by {change[0.05]:+.0f} % up to D_x = 0.05, and by "
        f"{change[0.1]:+.0f} % up to 0.1",
    )


@claim(
    "Fig. 5",
    "the local equation loses less cooling to a small Delta_x than the global one",
    printed="not as drastically",
)
def the_local_equation_loses_less() -> Outcome:
    without = by_global(0.2, 0.0, 0.1, 1.0)
    locally = by_local(0.2, 0.02, 0.1, 1.0)
    globally = by_global(0.2, 0.002, 0.1, 1.0)
    lost_locally = 1 - locally / without
    lost_globally = 1 - globally / without
    return Outcome(
        {"at ten times the Delta_x": lost_locally < lost_globally},
        {
            "J_C(D_z = 0.2), local, D_x = 0.02": locally,
            "J_C(D_z = 0.2), global, D_x = 0.002": globally,
        },
        f"{100 * lost_locally:.1f} % at Delta_x = 0.02 against {100 * lost_globally:.0f} % at"
        " 0.002",
    )


@claim(
    "Fig. 5",
    "for small Delta_x the local equation describes the dynamics better",
    printed="local",
)
def the_local_equation_is_better() -> Outcome:
    couplings = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
    currents = {}
    for name, equation in EQUATIONS.items():
        currents[name] = dict(zip(couplings, equation(0.1, 0.002, 0.1, np.array(couplings))))
    nearer = {}
    for coupling in couplings:
        reference = currents["Redfield"][coupling]
        locally = abs(currents["local"][coupling] - reference)
        globally = abs(currents["global"][coupling] - reference)
        nearer[coupling] = locally < globally
    numbers = {}
    for name, values in currents.items():
        for coupling, current in values.items():
            numbers[f"J_C/kappa, {name}, kappa = {coupling:g}"] = current
    ratios = machine("zz", 0.1, 0.1, 2.0, 2.1).rate_ratios()
    listed = ", ".join(f"{coupling:g}" for coupling in couplings if nearer[coupling])
    return Outcome(
        {"at kappa = 1": nearer[1.0], "at kappa = 1e-4": nearer[1e-4]},
        numbers,
        "D_x = 0.002, D_z = 0.1, dT = 0.1: it is nearer to the Redfield equation, of these "
        f"couplings, where kappa = {listed}; but rates are below the widths of the filters, as any "
        f"master equation needs, where kappa < {1 / float(ratios.rate_over_width):.1e}",
    )


@claim(
    "App. A3",
    "for Delta_x = 0 the global and the local equation give the same",
    printed="the same",
)
def both_equations_are_one_without_exchange() -> Outcome:
    limits = {}
    bare = {}
    for name, energy in (("eps_2 = 2.1", 2.1), ("eps_2 = 2", 2.0)):
        point = machine("global", 0.1, 0.1, 2.0, energy, 1e-8).operate()
        limits[name] = float(point.heat_currents["cold"])
        bare[name] = without_exchange(0.1, 0.1, 2.0, energy)
    return Outcome(
        {name: abs(limits[name] - bare[name]) < 1e-6 * bare[name] for name in limits},
        named("global, D_x = 1e-8", limits) | named("D_x = 0", bare),
        "D_z = 0.1, dT = 0.1: in the limit of the global equation J_C differs by a factor of "
        f"{limits['eps_2 = 2'] / bare['eps_2 = 2']:.0f} where both qubits have one energy, as in "
        "Fig. 3",
    )


@claim(
    "Sec. V",
    "XX coupling cannot cool, by the local and by the global equation",
    printed="no cooling",
)
def exchange_alone_cannot_cool() -> Outcome:
    models: dict[str, Model] = {
        "local": "local",
        "global": "global",
        "Redfield": "redfield",
        "Redfield, one coherence": "redfield-partial",
    }
    points = {name: exchange_alone(model).operate() for name, model in models.items()}
    current = {name: point.heat_currents["cold"] for name, point in points.items()}
    largest = np.max(random_exchange(400))
    worst = points["local"]
    numbers = {
        "J_C of H_S (local)": worst.device_energy_currents["cold"],
        "sigma (local)": worst.entropy_production,
        "sigma of H_S (local)": worst.device_entropy_production,
        "largest J_C of 400 random devices (global)": largest,
    }
    return Outcome(
        {"by the global equation": largest < 0, "by the local one": current["local"] < 0},
        named("J_C", current) | numbers,
        "D_z = 0, D_x = 0.2, kappa = 0.05; eps = 2.4, 2; T = 1, 1, 0.95 and Gamma = 0.1, 0.2, 0.15 "
        "of hot, sink, cold. By the second law, sigma of the energies that H_S has cannot be "
        "negative: for the local equation it is "
        f"{float(worst.device_entropy_production):.1e}",
    )


CLAIMS = claims_in(globals())
