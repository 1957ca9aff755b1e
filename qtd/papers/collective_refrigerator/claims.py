"""What the paper on the collective refrigerator says, and what comes out."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from ...machines import CollectiveRefrigerator
from ...parameters import replace
from ...reservoirs import Reservoir
from ...spectral import Peaked, reaction_coordinate
from .._blocks import root
from .._sheet import Claim, claim
from .devices import PANELS_5, WORK_WIDTHS, cooling, edge, performance, point, relaxation

SIZES = (11, 21, 41, 51)


def all_claims() -> list[Claim]:
    """Figure by figure, then the appendices."""
    parts = (_on_size, _on_widths, _on_temperatures, _on_performance, _on_filters, _on_relaxation, _on_sectors, _on_two_reservoirs)
    return [each for part in parts for each in part()]


def exponent(values: dict[int, float], first: int, last: int) -> float:
    """The power of N with which `values` change between two sizes."""
    return float(np.log(values[last] / values[first]) / np.log(last / first))


@jax.jit
def _current(machine):
    return machine.operate().heat_currents["cold"]


def _cold(machine: CollectiveRefrigerator) -> float:
    return float(_current(machine))


def _on_size() -> Iterator[Claim]:
    machines = {n: CollectiveRefrigerator(n) for n in SIZES}
    points, reduced = {n: machine.operate() for n, machine in machines.items()}, {n: machine.reduced() for n, machine in machines.items()}
    current = {n: float(found.heat_currents["cold"]) for n, found in points.items()}
    noise = {n: float(found.heat_covariance["cold", "cold"]) for n, found in points.items()}
    many = current | {n: _cold(CollectiveRefrigerator(n)) for n in (3, 201, 1001)}
    slopes = [exponent(values, 21, 51) for values in (current, noise)]
    yield claim(
        "Fig. 2",
        "current and noise grow as N^2",
        "exponent 2",
        {f"I_c({n})": many[n] for n in (3, *SIZES)}
        | {f"S_cc({n})": noise[n] for n in SIZES}
        | {f"I_c/N^2({n})": many[n] / n**2 for n in (*SIZES, 201, 1001)},
        [abs(slope - 2) < 0.1 for slope in slopes],
        f"exponents between N = 21 and 51: {slopes[0]:.3f} and {slopes[1]:.3f}, of the current between 201 and 1001: "
        f"{exponent(many, 201, 1001):.3f}. N = 3 has two levels, and {'heats' if many[3] < 0 else 'cools'}",
    )
    columns = {
        "I_c reduced": {n: ring.current() for n, ring in reduced.items()},
        "G4": {n: ring.current_hot_drive() for n, ring in reduced.items()},
        "S_cc reduced": {n: ring.noise() for n, ring in reduced.items()},
        "G5": {n: ring.noise_hot_drive() for n, ring in reduced.items()},
    }
    pairs = (("current", "I_c reduced", "G4"), ("noise", "S_cc reduced", "G5"))
    ratios = {f"{name}({n})": float(columns[one][n] / columns[other][n]) for name, one, other in pairs for n in SIZES}
    yield claim(
        "Fig. 2",
        "three levels at beta_w = 0.001 agree almost perfectly with (G4), (G5)",
        "1",
        {f"{name}({n})": value for name, column in columns.items() for n, value in column.items()}
        | {f"{name}(51)": ratios[f"{name}(51)"] for name in ("current", "noise")},
        [abs(ratio - 1) < 0.01 for ratio in ratios.values()],
        f"to {100 * max(abs(ratio - 1) for ratio in ratios.values()):.2f} %, with j(j + 1) in (G2)",
    )
    worse = {"current(51)": current[51] / reduced[51].current(), "noise(51)": noise[51] / reduced[51].noise()}
    changes = [100 * (float(value) - 1) for value in worse.values()]
    yield claim(
        "Fig. 2",
        "the full model performs a bit worse than three levels",
        "worse",
        worse,
        [worse["current(51)"] < 1, worse["noise(51)"] > 1],
        f"{changes[0]:+.0f} % current, {changes[1]:+.0f} % noise",
    )
    width = {n: np.sqrt(noise[n]) / current[n] for n in SIZES}
    yield claim(
        "Eq. 21",
        "the relative width of the transferred energy goes as 1 / N",
        "1 / N",
        {f"N sqrt(S_cc)/I_c({n})": n * value for n, value in width.items()},
        [abs(exponent(width, 21, 51) + 1) < 0.1],
        f"exponent between N = 21 and 51: {exponent(width, 21, 51):.3f}",
    )


def _on_widths() -> Iterator[Claim]:
    zero = {f"d_w at d_h = {h:g}": root(lambda w, h=h: cooling(hot_width=h, work_width=w), 1e-4, 1e-2) for h in (0.1, 0.5, 1.0)}
    one_order, two_orders = cooling(work_width=0.01), cooling(work_width=0.001)
    never = np.max(cooling(hot_width=2.0, work_width=np.geomspace(1e-6, 1e-2, 40)))
    yield claim(
        "Fig. 3a",
        "to cool, the work filter must be two or three orders of magnitude narrower than those of cold and hot",
        "two or three orders",
        {**zero, "largest current at d_h = 2": never, "I_c(d_w = 0.01)": one_order, "I_c(d_w = 0.001)": two_orders},
        [one_order < 0 < two_orders],
        f"the border lies {np.log10(0.1 / zero['d_w at d_h = 0.1']):.1f} orders below 0.1",
    )
    hot = (0.05, 0.5, 1.0, 2.0)
    cold = {f"I_c(d_c = {c:g}, d_h = {h:g})": cooling(cold_width=c, hot_width=h) for c in (0.05, 0.1, 0.3) for h in hot}
    widest = np.max(cooling(cold_width=0.6, hot_width=np.linspace(0.02, 2, 100)))
    yield claim(
        "Fig. 3b",
        "cooling bears a wide hot filter better than a wide cold one",
        "yes",
        {**cold, "largest current at d_c = 0.6": widest},
        [cold["I_c(d_c = 0.1, d_h = 1)"] > 0, widest < 0],
        f"at d_h = 1 it keeps {100 * float(cold['I_c(d_c = 0.1, d_h = 1)'] / two_orders):.0f} % of the current of Fig. 2",
    )


def _on_temperatures() -> Iterator[Claim]:
    edges = {f"beta_c at d_w = {width:g}": edge(width) for width in WORK_WIDTHS}
    currents = {f"I_c(beta_c = 1, d_w = {width:g})": cooling(1.0, work_width=width) for width in WORK_WIDTHS}
    yield claim("Fig. 4", "wider work filters cool less far", "falling", {**edges, **currents}, [np.all(np.diff(list(edges.values())) < 0)])
    limits = {
        "d_w = 0.001": edges["beta_c at d_w = 0.001"],
        "d_w = 1e-6": edge(1e-6),
        "d_w = 1e-6, others 0.01": edge(1e-6, cold_width=0.01, hot_width=0.01),
    }
    yield claim(
        "Fig. 4",
        "the limit beta_c = 3 beta_h is closely approachable as the work filter narrows",
        "3",
        limits,
        [limits["d_w = 1e-6"] > 2.95, limits["d_w = 1e-6, others 0.01"] > 2.95],
        f"to {3 - limits['d_w = 1e-6']:.2f} alone, to {3 - limits['d_w = 1e-6, others 0.01']:.4f} if the other two filters narrow as well",
    )


def _on_performance() -> Iterator[Claim]:
    cold, hot = np.linspace(0.05, 5.0, 100)[None, :], np.linspace(0.05, 2.5, 99)[:, None]
    ratios = {letter: performance(cold, hot, **widths)[1] for letter, widths in PANELS_5.items()}
    inside = [np.all((cold < 3 * hot) | np.isnan(ratio)) for ratio in ratios.values()]
    reach = {f"largest beta_c that cools, ({letter})": np.max(np.where(np.isfinite(ratio), cold, 0)) for letter, ratio in ratios.items()}
    yield claim(
        "Fig. 5",
        "cooling is bounded on the right, inside beta_h < beta_c < 3 beta_h",
        "yes",
        reach,
        [*inside, max(reach.values()) < 4.95],
        "on a grid of steps 0.05 in beta_c up to 5 and 0.025 in beta_h up to 2.5",
    )
    line = {h: root(lambda b, h=h: point(b, h, 0.1, 0.1, 1e-3)[3] - 0.004, 1.05 * h, 2.99 * h) for h in (1.5, 2.0, 2.5)}
    ends = {
        f"d_w that ends cooling there, beta_h = {h:g}": root(lambda w, h=h, b=b: cooling(b, h, work_width=w), 1e-5, 1e-2)
        for h, b in line.items()
    }
    yield claim(
        "Fig. 5b",
        "the border of cooling follows the line on which three levels have the current 0.004",
        "0.004",
        ends,
        [max(ends.values()) < 1.1 * min(ends.values())],
        f"a work filter of width {min(ends.values()):.2g} to {max(ends.values()):.2g} puts the border on that line",
    )
    best = {f"largest COP over bound, ({letter})": np.nanmax(ratio) for letter, ratio in ratios.items()}
    _, cop, bound, _ = point(2.0, 1.0, 0.1, 0.1, 1e-3)
    yield claim(
        "Fig. 5",
        "a wide cold filter costs more of the efficiency than a hot one",
        "(d) below (c)",
        {"COP over bound, Fig. 2": cop / bound, **best},
        [best["largest COP over bound, (d)"] < best["largest COP over bound, (c)"]],
        "for our choice of widths, which the paper does not give",
    )


def _on_filters() -> Iterator[Claim]:
    mode = reaction_coordinate(Peaked(center=2.0, width=0.1), 50.0)
    back, cutoff = mode.peaked()
    gap = max(abs(float(found) - known) for found, known in ((back.center, 2.0), (back.width, 0.1), (back.height, 1.0), (cutoff, 50.0)))
    yield claim(
        "Fig. 6",
        "a peaked density is a mode with a Lorentz-Drude environment",
        "equivalent",
        {"mode energy": mode.energy, "coupling squared": mode.coupling**2, "residual density at 3": mode.residual(jnp.asarray(3.0))},
        [gap < 1e-10],
        f"the inverse map returns centre, width, height and cut-off to {gap:.0e}",
    )


def _on_relaxation() -> Iterator[Claim]:
    sizes = np.array([11, 21, 31, 51, 101])
    times = sizes**2 * relaxation(sizes)
    yield claim(
        "Fig. 7",
        "the thermalisation time goes as 1 / N^2",
        "exponent -2",
        {f"N^2 t_th({n})": time for n, time in zip(sizes, times)},
        [abs(np.log(times[-1] / times[2]) / np.log(101 / 31)) < 0.05],
        f"N^2 t_th still grows by {100 * (times[-1] / times[-2] - 1):.1f} % between N = 51 and 101",
    )
    waits = {n: float(CollectiveRefrigerator(n).decay_time()) for n in (31, 101)}
    slope = exponent(waits, 31, 101)
    yield claim(
        "App. C",
        "so does the mean time in which a reservoir at zero temperature brings a low level to the lowest (C3)",
        "exponent -2",
        {f"time from m = 7/2, N = {n}": time for n, time in waits.items()},
        [abs(slope + 2) < 0.05],
        f"exponent {slope:.3f}",
    )


def _on_sectors() -> Iterator[Claim]:
    full, less = CollectiveRefrigerator(31), CollectiveRefrigerator(31, spin=14.5)
    current, lower = _cold(full), _cold(less)
    share = (1 + lower / current) / 2
    slope = np.log(current / lower) / np.log(15.5 / 14.5)
    yield claim(
        "App. A1",
        "a sector of smaller total spin j cools as j^2, so that some of it changes the cooling current little",
        "j^2, little",
        {"I_c(N = 31, j = 31/2)": current, "I_c(N = 31, j = 29/2)": lower, "I_c, half of each, over that of j = 31/2": share},
        [abs(slope - 2) < 0.1, share > 0.8],
        f"as j^{slope:.1f}, since rates of the hot reservoir keep their 1 / N^2; half of each costs {100 * (1 - share):.0f} %",
    )
    parities = {parity: _cold(CollectiveRefrigerator(11, parity=parity)) for parity in ("even", "odd")}
    yield claim(
        "App. A2",
        "for odd N both sectors of parity cool alike",
        "equal",
        {f"I_c(N = 11, {parity})": value for parity, value in parities.items()},
        [parities["even"] == parities["odd"]],
    )
    even = CollectiveRefrigerator(6)
    odd = CollectiveRefrigerator(6, even.cold, even.hot, even.work, parity="odd")
    cumulants = dict(zip(("I_c", "S_cc", "c_3", "c_4"), even.cumulants("cold", order=4)))
    wide = {f"{name}.spectral_density.width": 0.3 for name in ("cold", "hot", "work")}
    sectors = {"odd": _cold(odd), "odd, widths 0.3": _cold(replace(odd, wide))}
    lost = -sectors["odd"] / float(cumulants["I_c"])
    yield claim(
        "App. A2",
        "for even N, with filters at 1, 4, 3 Omega, the even sector cools; the odd one does not contribute, or heats if filters are broad",
        "cools, 0, heats",
        {f"{name}(N = 6, even)": value for name, value in cumulants.items()}
        | {f"I_c(N = 6, {name})": value for name, value in sectors.items()},
        [cumulants["I_c"] > 0, lost < 0.01, sectors["odd, widths 0.3"] < 0],
        f"already with the widths of Fig. 2 the odd sector takes {100 * lost:+.0f} % of the even one's cooling",
    )


def _on_two_reservoirs() -> Iterator[Claim]:
    bath = lambda temperature, height=1.0: Reservoir(temperature, spectral_density=Peaked(2.0, 2.0, height))
    absent = Reservoir(1.0, spectral_density=Peaked(6.0, 0.1, 0.0))
    device = lambda n, height=1.0: CollectiveRefrigerator(n, bath(0.5), absent, bath(1.0, height))
    machines = {n: device(n) for n in (5, 11, 31, 61)}
    full = {n: _cold(machine) for n, machine in machines.items()}
    levels = {n: float(machine.transmitted_current()) for n, machine in machines.items()}
    apart = max(abs(full[n] / levels[n] - 1) for n in machines)
    slope = exponent(full, 31, 61)
    yield claim(
        "App. D",
        "between two broad reservoirs at low temperature heat flows as N^2, as two levels alone say (D2)",
        "N^2",
        {f"I_c(N = {n})": value for n, value in full.items()} | {f"D2(N = {n})": value for n, value in levels.items()},
        [apart < 0.02, abs(slope - 2) < 0.1],
        f"(D2) holds to {100 * apart:.1f} %; exponent between N = 31 and 61: {slope:.3f}",
    )
    rectified = {"equal heights": machines[31], "height 0.1 of the work reservoir": device(31, 0.1)}
    backward = {name: -float(machine.rectification()) for name, machine in rectified.items()}
    yield claim(
        "App. D",
        "the current changes sign with the bias, with mild rectification where the couplings differ",
        "mild",
        {f"forward over backward, {name}": value for name, value in backward.items()},
        [abs(backward["equal heights"] - 1) < 1e-9, 0.01 < backward["height 0.1 of the work reservoir"] - 1 < 0.5],
        f"{100 * (backward['height 0.1 of the work reservoir'] - 1):.0f} %",
    )
