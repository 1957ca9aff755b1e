"""Figure 2(b) of S. E. Deghi and R. A. Bustos-Marun, "Entropy current and efficiency of quantum
machines driven by nonequilibrium incoherent reservoirs".

The paper counts currents into a reservoir: its heating power of the hot lead is -I_E,h = J_c here.
"""

import numpy as np

from .._sheet import Sheet, in_double_precision
from .devices import RESONANCES, carnot, demon

__all__ = ["FIGURES", "PAPER", "figure_2"]

PAPER = "Deghi and Bustos-Marun, machines driven by nonequilibrium incoherent reservoirs"


@in_double_precision
def figure_2() -> Sheet:
    """COP of the demon against the temperature of the cold lead, and (inset) the heating power."""
    sheet = Sheet(
        "2b",
        """COP of the N-demon, and (inset) the power that heats the hot lead in units of Gamma / h,
        against the temperature of the cold lead, for several resonances e_4; dotted: Carnot's
        T_c / (T_h - T_c); dashed: the limit e_4 -> e_3 = 1.5, T_c / (3 T_h - T_c), without power.
        Curves end where no occupation between 0 and 1 exists. T_h = mu = e_1 = 1, e_2 = 2, narrow
        resonances of weight Gamma; entropy is paid for at T_0 = T_h. The paper gives neither its
        axes nor its values of e_4; ours are chosen. Its Eq. (23) has its logarithms inverted, its
        Eq. (18) a sign: COP is computed from the definition (22).""",
        size=(3.4, 3.4),
    )
    temperature = np.linspace(0.005, 0.999, 401)
    ax = sheet.label("a", r"$T_c/T_h$", "COP", xlim=(0, 1), ylim=(0, 1))
    inset = ax.inset_axes((0.66, 0.64, 0.33, 0.34))
    power = r"$\dot\varepsilon_h\ (\Gamma/h)$"
    inset.set(xlabel=r"$T_c/T_h$", ylabel=power, xlim=(0, 1), ylim=(0, 0.12))
    inset.tick_params(labelsize=6)
    for energy in RESONANCES[1:]:
        found = demon(temperature, energy)
        exists = found.margin > 0
        label = rf"$\varepsilon_4={energy:g}$"
        sheet.curve("a", label, temperature, np.where(exists, found.cop, np.nan))
        sheet.curve("a", label, temperature, np.where(exists, found.power, np.nan), ax=inset)
    limit = demon(temperature, 1.5).cop
    sheet.curve("a", r"$\varepsilon_4\to\varepsilon_3$ (24)", temperature, limit, "k--")
    sheet.curve("a", "Carnot", temperature, carnot(temperature), "k:")
    ax.legend(loc="upper left", fontsize=6)
    return sheet


FIGURES = {"2b": figure_2}
