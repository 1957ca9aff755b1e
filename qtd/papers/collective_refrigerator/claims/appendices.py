"""Claims of the paper on the collective refrigerator in Figs. 6 and 7 and its appendices."""

import jax.numpy as jnp
import numpy as np

from ....machines import CollectiveRefrigerator
from ....parameters import replace
from ....spectral import Peaked, reaction_coordinate
from ..._claim import Outcome, claim, claims_in
from ..devices import between_two_reservoirs, cooling_of, exponent, relaxation

__all__ = ["CLAIMS"]


@claim(
    "Fig. 6", "a peaked density is a mode with a Lorentz-Drude environment", printed="equivalent"
)
def a_peaked_density_is_a_mode() -> Outcome:
    mode = reaction_coordinate(Peaked(center=2.0, width=0.1), 50.0)
    back, cutoff = mode.peaked()
    returned = {"center": back.center, "width": back.width, "height": back.height}
    known = {"center": 2.0, "width": 0.1, "height": 1.0, "cutoff": 50.0}
    gaps = [abs(float(value) - known[name]) for name, value in returned.items()]
    gap = max(*gaps, abs(float(cutoff) - known["cutoff"]))
    return Outcome(
        {"the inverse map returns it": gap < 1e-10},
        {
            "mode energy": mode.energy,
            "coupling squared": mode.coupling**2,
            "residual density at 3": mode.residual(jnp.asarray(3.0)),
        },
        f"the inverse map returns centre, width, height and cut-off to {gap:.0e}",
    )


@claim("Fig. 7", "the thermalisation time goes as 1 / N^2", printed="exponent -2")
def thermalisation_is_superradiant() -> Outcome:
    sizes = np.array([11, 21, 31, 51, 101])
    times = sizes**2 * relaxation(sizes)
    excess = np.log(times[-1] / times[2]) / np.log(101 / 31)
    return Outcome(
        {"exponent -2": abs(excess) < 0.05},
        {f"N^2 t_th({n})": time for n, time in zip(sizes, times)},
        f"N^2 t_th still grows by {100 * (times[-1] / times[-2] - 1):.1f} % between N = 51 and 101",
    )


@claim(
    "App. C",
    "so does the mean time in which a reservoir at zero temperature brings a low level to the"
    " lowest (C3)",
    printed="exponent -2",
)
def decay_is_superradiant() -> Outcome:
    times = {n: float(CollectiveRefrigerator(n).decay_time()) for n in (31, 101)}
    slope = exponent(times, 31, 101)
    return Outcome(
        {"exponent -2": abs(slope + 2) < 0.05},
        {f"time from m = 7/2, N = {n}": time for n, time in times.items()},
        f"exponent {slope:.3f}",
    )


@claim(
    "App. A1",
    "a sector of smaller total spin j cools as j^2, so that some of it changes the cooling current"
    " little",
    printed="j^2, little",
)
def a_sector_of_smaller_spin_cools_less() -> Outcome:
    current = cooling_of(CollectiveRefrigerator(31))
    lower = cooling_of(CollectiveRefrigerator(31, spin=14.5))
    share = (1 + lower / current) / 2
    slope = np.log(current / lower) / np.log(15.5 / 14.5)
    return Outcome(
        {"as j^2": abs(slope - 2) < 0.1, "changes the current little": share > 0.8},
        {
            "I_c(N = 31, j = 31/2)": current,
            "I_c(N = 31, j = 29/2)": lower,
            "I_c, half of each, over that of j = 31/2": share,
        },
        f"as j^{slope:.1f}, since rates of the hot reservoir keep their 1 / N^2; half of each costs"
        f" {100 * (1 - share):.0f} %",
    )


@claim("App. A2", "for odd N both sectors of parity cool alike", printed="equal")
def both_parities_of_odd_sizes_cool_alike() -> Outcome:
    currents = {
        parity: cooling_of(CollectiveRefrigerator(11, parity=parity)) for parity in ("even", "odd")
    }
    return Outcome(
        {"equal": currents["even"] == currents["odd"]},
        {f"I_c(N = 11, {parity})": current for parity, current in currents.items()},
    )


@claim(
    "App. A2",
    "for even N, with filters at 1, 4, 3 Omega, the even sector cools; the odd one does not"
    " contribute, or heats if filters are broad",
    printed="cools, 0, heats",
)
def parities_of_even_sizes_differ() -> Outcome:
    even = CollectiveRefrigerator(6)
    odd = CollectiveRefrigerator(6, even.cold, even.hot, even.work, parity="odd")
    wide = {f"{name}.spectral_density.width": 0.3 for name in ("cold", "hot", "work")}
    cumulants = dict(zip(("I_c", "S_cc", "c_3", "c_4"), even.cumulants("cold", order=4)))
    current = cooling_of(odd)
    current_wide = cooling_of(replace(odd, wide))
    lost = -current / float(cumulants["I_c"])
    numbers = {f"{name}(N = 6, even)": value for name, value in cumulants.items()}
    return Outcome(
        {
            "the even sector cools": cumulants["I_c"] > 0,
            "the odd one does not contribute": lost < 0.01,
            "the odd one heats if filters are broad": current_wide < 0,
        },
        numbers | {"I_c(N = 6, odd)": current, "I_c(N = 6, odd, widths 0.3)": current_wide},
        f"already with the widths of Fig. 2 the odd sector takes {100 * lost:+.0f} % of the even"
        " one's cooling",
    )


@claim(
    "App. D",
    "between two broad reservoirs at low temperature heat flows as N^2, as two levels alone say"
    " (D2)",
    printed="N^2",
)
def heat_flows_as_two_levels_say() -> Outcome:
    machines = {n: between_two_reservoirs(n) for n in (5, 11, 31, 61)}
    full = {n: cooling_of(machine) for n, machine in machines.items()}
    levels = {n: float(machine.transmitted_current()) for n, machine in machines.items()}
    apart = max(abs(full[n] / levels[n] - 1) for n in machines)
    slope = exponent(full, 31, 61)
    numbers = {f"I_c(N = {n})": current for n, current in full.items()}
    return Outcome(
        {"as two levels say": apart < 0.02, "as N^2": abs(slope - 2) < 0.1},
        numbers | {f"D2(N = {n})": current for n, current in levels.items()},
        f"(D2) holds to {100 * apart:.1f} %; exponent between N = 31 and 61: {slope:.3f}",
    )


@claim(
    "App. D",
    "the current changes sign with the bias, with mild rectification where the couplings differ",
    printed="mild",
)
def rectification_is_mild() -> Outcome:
    equal = -float(between_two_reservoirs(31).rectification())
    unequal = -float(between_two_reservoirs(31, 0.1).rectification())
    return Outcome(
        {
            "none where couplings are equal": abs(equal - 1) < 1e-9,
            "mild where they differ": 0.01 < unequal - 1 < 0.5,
        },
        {
            "forward over backward, equal heights": equal,
            "forward over backward, height 0.1 of the work reservoir": unequal,
        },
        f"{100 * (unequal - 1):.0f} %",
    )


CLAIMS = claims_in(globals())
