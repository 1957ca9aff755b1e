"""What the paper on two qubits says, and what comes out."""

from collections.abc import Iterator

import numpy as np

from ...parameters import replace
from .._blocks import peak, root
from .._filtered import maxima, named
from .._sheet import Claim, claim
from .devices import (
    SHIFTS,
    best_bias,
    exchange_alone,
    figure_4_current,
    figure_4_resonant,
    first_energy,
    global_exchange_alone,
    last_bias,
    local,
    machine,
    redfield,
    secular,
    without_exchange,
)

BIASES = (0.1, 0.3)


def all_claims() -> list[Claim]:
    """Figure by figure, then the conclusions."""
    parts = (_on_bias, _on_coupling, _on_shift, _on_energy, _on_quality, _on_exchange, _on_losses, _on_equations, _on_exchange_alone)
    return [each for part in parts for each in part()]


def _on_bias() -> Iterator[Claim]:
    best = {f"D_z = {shift}": best_bias(shift) for shift in SHIFTS}
    places, heights = zip(*best.values())
    yield claim(
        "Fig. 3",
        "the cooling current has a maximum around dT = 0.3 T",
        "0.3",
        named("dT of maximum", dict(zip(best, places))),
        [all(0.05 < at < 0.45 for at in places), all(0.25 < at < 0.35 for at in places)],
        f"there is one, at {min(places):.2f} to {max(places):.2f}",
    )
    yield claim(
        "Fig. 3",
        "the magnitude of cooling depends on Delta_z",
        "yes",
        named("largest J_C", dict(zip(best, heights))),
        [max(heights) > 2 * min(heights)],
        f"by a factor of {max(heights) / min(heights):.1f} between these curves",
    )
    ends = {shift: last_bias(shift) for shift in SHIFTS}
    heating = {shift: np.max(-without_exchange(np.linspace(end, 0.99, 400), shift)) for shift, end in ends.items()}
    faint = max(heating[shift] / height for shift, height in zip(SHIFTS[:3], heights))
    yield claim(
        "Fig. 3",
        "it cools in the entire range of the thermal bias",
        "all dT",
        {f"dT where cooling ends (D_z = {shift})": end for shift, end in ends.items()}
        | {"strongest heating, D_z = 0.05 to 0.2": max(heating[shift] for shift in SHIFTS[:3])}
        | {"strongest heating, D_z = 0.5": heating[0.5]}
        | {f"D_z where cooling begins (dT = {bias})": _first_shift(bias) for bias in BIASES},
        [min(ends.values()) > 0.5, max(heating.values()) <= 0],
        f"up to dT = {min(ends.values()):.2f} to {max(ends.values()):.2f}; up to D_z = 0.2 the heating beyond is at most "
        f"{100 * faint:.1g} % of the largest cooling",
    )


def _first_shift(bias):
    return root(lambda shift: without_exchange(bias, shift), 1e-3, 0.1)


def _on_coupling() -> Iterator[Claim]:
    device = machine("zz", 0.3, 0.1)
    gap = min(abs(float(e + shift)) for e in (device.energy_1, device.energy_2) for shift in (0.0, device.shift))
    validity = device.validity()
    yield claim(
        "Fig. 3",
        "the coupling is well within the weak coupling regime",
        "rates far below all energies",
        {"largest rate (dT = 0.3, D_z = 0.1)": float(validity.rate_over_gap) * gap, "smallest gap": gap},
        [validity.rate_over_gap < 0.1],
        "by Eq. (3) a narrow filter is a strong one, K = 1 / (Gamma Omega) at its centre; rates fall below the widths of the filters with "
        f"a prefactor kappa < {1 / float(validity.rate_over_width):.1e}, which would scale all currents of Figs. 3 and 4 alike",
    )


def _on_shift() -> Iterator[Claim]:
    current = lambda bias: lambda shift: without_exchange(bias, shift)
    best = {bias: peak(current(bias), 0.05, 1.0) for bias in BIASES}
    last = {bias: root(current(bias), 0.8, 2.0) for bias in BIASES}
    ideal = {bias: 2.0 * (1 - bias) / (1 + bias) for bias in BIASES}
    far = {bias: without_exchange(bias, np.linspace(last[bias] + 1e-3, 12.0, 400)) for bias in BIASES}
    small = max(np.abs(far[bias][-1]) / best[bias][1] for bias in BIASES)
    by_bias = lambda values: {f"dT = {bias}": value for bias, value in values.items()}
    yield claim(
        "Fig. 3",
        "against Delta_z the current has a maximum and goes to zero for large Delta_z",
        "maximum, then zero",
        maxima("D_z", by_bias(best)) | named("D_z where heating begins", by_bias(last)) | named("the same by Eq. 10", by_bias(ideal)),
        [small < 1e-3, all(np.all(values >= 0) for values in far.values())],
        f"it heats first, from D_z = {min(last.values()):.2f} and {max(last.values()):.2f} on; at D_z = 12 {small:.0e} of the "
        "maximum is left",
    )


def _on_energy() -> Iterator[Claim]:
    energy = np.linspace(-2.0, -0.01, 200)
    largest = [np.max(figure_4_current(energy)), np.max(figure_4_resonant(energy))]
    yield claim(
        "Fig. 4",
        "the cold reservoir is heated where eps_1 < 0",
        "heating",
        {f"J_C(eps_1 = {e:g})": figure_4_current(e) for e in (-0.5, -1.0)} | {"J_C(-1), centres |eps_1|": figure_4_resonant(-1.0)},
        [value < 0 for value in largest],
        f"for -2 < eps_1 < 0 J_C is at most {largest[0]:.0e}, and {largest[1]:.0e} if the filters are read as centred on |eps_1|",
    )
    first, (best, height) = first_energy(), peak(figure_4_current, 0.3, 3.0)
    ideal = 0.1 * 1.3 / 0.7
    yield claim(
        "Fig. 4",
        "the cold reservoir is cooled where eps_1 > 0",
        "cooling",
        {"eps_1 where cooling begins": first, "the same by Eq. 10": ideal, "J_C(eps_1 = 0.1)": figure_4_current(0.1)}
        | {"eps_1 of maximum": best, "largest J_C": height},
        [
            np.all(figure_4_current(np.linspace(first + 1e-3, 4.0, 200)) > 0),
            np.all(figure_4_current(np.linspace(1e-3, first - 1e-3, 50)) > 0),
        ],
        f"only above eps_1 = {first:.3f}; Eq. (10) demands {ideal:.3f}",
    )


def _on_quality() -> Iterator[Claim]:
    device = machine("zz", 0.2, 0.1)
    narrow = replace(device, {f"{name}.spectral_density.width": 1e-4 for name in ("hot", "sink")})
    point, better = device.operate(), narrow.operate()
    share, narrowed, ideal = (float(cop / point.carnot_cop) for cop in (point.cop, better.cop, device.tight_coupling_cop))
    yield claim(
        "Sec. V",
        "cooling shows that the model is an effective absorption refrigerator",
        "effective",
        {"J_L (dT = 0.2, D_z = 0.1)": point.heat_currents["hot"], "J_C": point.heat_currents["cold"], "COP": point.cop}
        | {"COP of Carnot": point.carnot_cop, "COP over Carnot's": share, "S_CC sigma / J_C^2": point.tur("cold")}
        | {"COP over Carnot's, Gamma_L = Gamma_R = 1e-4": narrowed, "Delta_z / eps_1 over Carnot's": ideal},
        [point.heat_currents["cold"] > 0, share > 0.1],
        f"the paper gives no efficiency: it is {100 * share:.2f} % of Carnot's, and {100 * narrowed:.0f} % with filters of width 1e-4 at "
        "hot and sink",
    )


def _on_exchange() -> Iterator[Claim]:
    zero = lambda bias, exchange, low, high: root(lambda shift: secular(shift, exchange, bias, 1.0), low, high)
    starts = {
        f"dT = {bias}, D_x = {exchange}": zero(bias, exchange, 0.05, 0.3) for bias, exchange in ((0.1, 0.002), (0.3, 0.002), (0.1, 0.003))
    }
    ends = {f"dT = {bias}, D_x = 0.002": zero(bias, 0.002, 0.5, 1.5) for bias in BIASES}
    start, other = starts["dT = 0.1, D_x = 0.002"], starts["dT = 0.3, D_x = 0.002"]
    yield claim(
        "Fig. 5",
        "at Delta_x = 0.002 the global equation heats for Delta_z below about 0.2",
        "0.2",
        named("D_z where cooling begins", starts) | named("D_z where cooling ends", ends),
        [np.all(secular(np.linspace(0.01, start - 1e-3, 50), 0.002, 0.1, 1.0) < 0), 0.15 < start < 0.25],
        f"it heats, up to {start:.2f}; with dT = 0.3 as in Fig. 4, instead of the caption's 0.1, up to {other:.2f}",
    )
    equations = {"local": local(0.1, 0.002, 0.1, 1.0), "global": secular(0.1, 0.002, 0.1, 1.0)}
    onsets = [root(lambda shift, x=x: local(shift, x, 0.1, 1.0), 1e-3, 0.1) for x in (0.0, 0.002)]
    yield claim(
        "Fig. 5",
        "at Delta_x = 0.002 the local equation cools where the global one heats",
        "local > 0 > global",
        {f"J_C(D_z = 0.1), {name}": current for name, current in equations.items()},
        [equations["local"] > 0 > equations["global"]],
        f"it cools from D_z = {onsets[1]:.4f} on, without exchange from {onsets[0]:.4f} on",
    )


def _on_losses() -> Iterator[Claim]:
    by_local = {exchange: local(0.3, exchange, 0.1, 1.0) for exchange in (0.0, 0.002, 0.02, 0.05)}
    by_global = {exchange: secular(0.2, exchange, 0.1, 1.0) for exchange in (0.0, 0.002)}
    by_redfield = {exchange: redfield(0.3, exchange, 0.1, 1.0) for exchange in (0.002, 0.02, 0.05, 0.1)}
    change = {exchange: 100 * (current / by_local[0.0] - 1) for exchange, current in by_redfield.items()}
    yield claim(
        "Fig. 5",
        "the XX coupling is detrimental to cooling in both equations",
        "J_C falls with Delta_x",
        {f"local, D_z = 0.3, D_x = {x:g}": value for x, value in by_local.items()}
        | {f"global, D_z = 0.2, D_x = {x:g}": value for x, value in by_global.items()}
        | {f"Redfield, D_z = 0.3, D_x = {x:g}": value for x, value in by_redfield.items()},
        [np.all(np.diff(list(by_local.values())) < 0), by_global[0.002] < by_global[0.0]],
        f"of these two; by the Redfield equation, which resolves the splitting of the qubits, J_C at this coupling changes by "
        f"{change[0.05]:+.0f} % up to D_x = 0.05, and by {change[0.1]:+.0f} % up to 0.1",
    )
    less = local(0.2, 0.02, 0.1, 1.0)
    losses = {"local": 1 - less / by_global[0.0], "global": 1 - by_global[0.002] / by_global[0.0]}
    yield claim(
        "Fig. 5",
        "the local equation loses less cooling to a small Delta_x than the global one",
        "not as drastically",
        {"J_C(D_z = 0.2), local, D_x = 0.02": less, "J_C(D_z = 0.2), global, D_x = 0.002": by_global[0.002]},
        [losses["local"] < losses["global"]],
        f"{100 * losses['local']:.1f} % at Delta_x = 0.02 against {100 * losses['global']:.0f} % at 0.002",
    )


def _on_equations() -> Iterator[Claim]:
    couplings, equations = (1.0, 1e-1, 1e-2, 1e-3, 1e-4), {"local": local, "global": secular, "Redfield": redfield}
    currents = {name: dict(zip(couplings, equation(0.1, 0.002, 0.1, np.array(couplings)))) for name, equation in equations.items()}
    away = {name: {k: abs(currents[name][k] - currents["Redfield"][k]) for k in couplings} for name in ("local", "global")}
    nearer = [f"{k:g}" for k in couplings if away["local"][k] < away["global"][k]]
    narrow = 1 / float(machine("zz", 0.1, 0.1, 2.0, 2.1).validity().rate_over_width)
    yield claim(
        "Fig. 5",
        "for small Delta_x the local equation describes the dynamics better",
        "local",
        {f"J_C/kappa, {name}, kappa = {k:g}": current for name, values in currents.items() for k, current in values.items()},
        [away["local"][1.0] < away["global"][1.0], away["local"][1e-4] < away["global"][1e-4]],
        "D_x = 0.002, D_z = 0.1, dT = 0.1: it is nearer to the Redfield equation, of these couplings, where kappa = "
        f"{', '.join(nearer)}; but rates are below the widths of the filters, as any master equation needs, where kappa < {narrow:.1e}",
    )
    detuned, degenerate = (machine("global", 0.1, 0.1, 2.0, e, x) for e, x in ((2.1, 1e-8), (2.0, 1e-8)))
    jumps = {"eps_2 = 2.1": detuned, "eps_2 = 2": degenerate}
    limits = {name: device.operate().heat_currents["cold"] for name, device in jumps.items()}
    bare = {name: without_exchange(0.1, 0.1, 2.0, float(device.energy_2)) for name, device in jumps.items()}
    yield claim(
        "App. A3",
        "for Delta_x = 0 the global and the local equation give the same",
        "the same",
        named("global, D_x = 1e-8", limits) | named("D_x = 0", bare),
        [abs(float(limits[name]) - bare[name]) < 1e-6 * bare[name] for name in jumps],
        "D_z = 0.1, dT = 0.1: in the limit of the global equation J_C differs by a factor of "
        f"{float(limits['eps_2 = 2']) / bare['eps_2 = 2']:.0f} where both qubits have one energy, as in Fig. 3",
    )


def _on_exchange_alone() -> Iterator[Claim]:
    models = {"local": "local", "global": "global", "Redfield": "redfield", "Redfield, one coherence": "redfield-partial"}
    device = lambda model: exchange_alone(model, (2.4, 2.0), 0.2, 0.05, (1.0, 1.0, 0.95), (0.1, 0.2, 0.15))
    points = {name: device(model).operate() for name, model in models.items()}
    current = {name: point.heat_currents["cold"] for name, point in points.items()}
    rng = np.random.default_rng(0)
    energies, exchange = rng.uniform(1.0, 4.0, (2, 400)), rng.uniform(0.01, 0.9, 400)
    bias, widths = rng.uniform(0.01, 0.9, (2, 400)), rng.uniform(0.01, 0.3, (3, 400))
    largest = np.max(global_exchange_alone(*energies, exchange, 1 + bias[0], 1 - bias[1], *widths))
    worst = points["local"]
    yield claim(
        "Sec. V",
        "XX coupling cannot cool, by the local and by the global equation",
        "no cooling",
        named("J_C", current)
        | {"J_C of H_S (local)": worst.device_energy_currents["cold"], "sigma (local)": worst.entropy_production}
        | {"sigma of H_S (local)": worst.device_entropy_production, "largest J_C of 400 random devices (global)": largest},
        [largest < 0, current["local"] < 0],
        "D_z = 0, D_x = 0.2, kappa = 0.05; eps = 2.4, 2; T = 1, 1, 0.95 and Gamma = 0.1, 0.2, 0.15 of hot, sink, cold. By the second law, "
        f"sigma of the energies that H_S has cannot be negative: for the local equation it is {float(worst.device_entropy_production):.1e}",
    )
