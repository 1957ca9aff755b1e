"""Figures of R. A. Bustos-Marun and H. L. Calvo, "Thermodynamics and steady state of quantum motors
and pumps far from equilibrium".

The paper counts charge and heat that enter the leads, the library what leaves them: Figs. 3, 5 and
6 have the paper's signs.
"""

import numpy as np

from .._blocks import root
from .._sheet import PAGE, PALETTE, Sheet, in_double_precision
from .devices import (
    BISTABLE,
    DIFFERENCE,
    RADII,
    Flywheel,
    bistable_load,
    bistable_torque,
    exact_velocities,
    motor,
    per_turn,
    performance,
    series,
    series_at,
    steady_velocities,
    steady_velocity,
    works,
)

__all__ = ["FIGURES", "PAPER", "figure_2", "figure_3", "figure_4", "figure_5", "figure_6"]

PAPER = "Bustos-Marun and Calvo, quantum motors and pumps"
COMMON = """T = 1 (mean temperature of the leads; k_B = hbar = 1), U = 20, t_c = 10,
Gamma_L = Gamma_R = 0.25, centre of the orbit epsilon_L = epsilon_R = -6 + delta_eps / sqrt(2)."""
BLUE, RED, GREEN, PURPLE, ORANGE, _, BLACK = PALETTE
BY_RADIUS = dict(zip(RADII, (RED, BLUE, GREEN, ORANGE)))
BY_ORDER = (BLACK, RED, BLUE, GREEN)
LOAD = r"$C_{ext}\,/\,C_F^{(0)}$"
# Moments of inertia, which the paper does not give: of Figs. 2(a) and (b), and of (c).
HEAVY = 1e8
LIGHTER = 2e7


@in_double_precision
def figure_2() -> Sheet:
    """Rotors that spin up to a steady velocity, or are trapped at rest."""
    drive = series_at(100.0, 2.0).torque
    velocities = {
        u: steady_velocities(bistable_torque(u), bistable_load(u), 3) for u in (20.0, 40.0)
    }
    cubic = {u: _listed(values) for u, (values, _) in velocities.items()}
    exact = {u: _told(*exact_velocities(u)) for u in (20.0, 40.0)}
    sheet = Sheet(
        "2",
        f"""Velocity of the rotor, averaged over a cycle, against the number of cycles, from several
        initial velocities, with the torque to third order. (a) delta_eps = 100, V = 2, C_ext = 0.5
        C_F^(0), a motor. (b) C_ext = 1.5 C_F^(0), a pump. (c) delta_eps = 10, V = 15.42, C_ext =
        C_F^(0) + 0.05. delta_T = 0. {COMMON} Dashed: stable, dotted: unstable velocity of an
        infinitely heavy rotor, Eq. (60) to third order. The moment of inertia, which the paper does
        not give, is {HEAVY:g} in (a) and (b), where the velocity still varies by 7 % within a cycle
        and its mean 2.5 % off the dashed line, and {LIGHTER:g} in (c). (c) is drawn for U = 40,
        which gives the velocities that the paper quotes, {cubic[40.0]}; its U = 20 gives
        {cubic[20.0]}. Grey: a rotor that starts below the unstable velocity stops, and stays. The
        series is asymptotic: exactly in the velocity, the steady velocities between -0.12 and 0.06
        are {exact[40.0]} at U = 40 and {exact[20.0]} at U = 20; the quoted stable ones are
        artefacts of the truncation.""",
        "abc",
        (PAGE, 2.4),
    )
    for panel, share, starts in (("a", 0.5, (1e-3, 3e-3, 4e-3)), ("b", 1.5, (-1e-3, -3e-3, -4e-3))):
        load = share * drive[0]
        rotor = Flywheel(motor(100.0, 2.0), load, HEAVY, starts[0] / 2, 1.5 * starts[-1])
        for start in starts:
            _spin_up(sheet, panel, rotor, start, BLUE, 2500)
        _levels(sheet, panel, *steady_velocities(drive, load, 3))
    device = motor(*BISTABLE, repulsion=40.0)
    ahead = Flywheel(device, bistable_load(40.0), LIGHTER, 3e-4, 1.5e-2)
    back = Flywheel(device, bistable_load(40.0), LIGHTER, -3e-4, -1.5e-2)
    for start, colour in ((1.2e-2, BLUE), (2.5e-3, BLUE), (1.5e-3, "0.5")):
        _spin_up(sheet, "c", ahead, start, colour, 12000)
    for start in (-1.5e-3, -1.2e-2):
        _spin_up(sheet, "c", back, start, RED, 12000)
    _levels(sheet, "c", *velocities[40.0])
    for panel, cycles in (("a", 2500), ("b", 2500), ("c", 12000)):
        sheet.label(panel, "cycles", "", xlim=(0, cycles))
        sheet.panels[panel].axhline(0, color="0.8", lw=0.6, zorder=0)
    sheet.panels["a"].set_ylabel(r"$\dot\theta\ /\ 10^{-3}k_BT$")
    notes = {
        "a": [(1300, 1.0, "motor")],
        "b": [(1300, -1.0, "pump")],
        "c": [(7400, 3.4, "motor"), (7400, -6.0, "pump"), (1900, 0.3, "trapped")],
    }
    for panel, texts in notes.items():
        for x, y, text in texts:
            colour = "0.5" if text == "trapped" else "k"
            sheet.panels[panel].text(x, y, text, fontsize=7, color=colour)
    return sheet


@in_double_precision
def figure_3() -> Sheet:
    """Work on the rotor in a cycle by order in the velocity, against the bias."""
    sheet = Sheet(
        "3",
        f"""Contributions C_F^(k) Omega_x^k to the work on the rotor in a cycle, in units of k_B T,
        against the bias, at the reference velocity Omega_x = T Gamma / (2 delta_eps), Gamma = 0.5 =
        Gamma_L + Gamma_R: (a) delta_eps = 10, Omega_x = 0.025, (b) 20, 0.0125, (c) 50, 0.005, (d)
        100, 0.0025. Lines: orders k = 0 to 3. Circles: the same from charge and heat, -(C_J^(k+1) +
        C_I^(k+1) V) Omega_x^k by Eq. (71); the paper's caption has C_I twice, no minus sign and
        another k. delta_T = 0. {COMMON}""",
        [["a", "b"], ["c", "d"]],
        (PAGE, 4.4),
        sharex=True,
    )
    bias = np.concatenate(
        [np.arange(-20, -9, 0.5), np.arange(-9, 9.5, 1.0), np.arange(9.5, 20.5, 0.5)]
    )
    circles = bias % 2 == 0
    for panel, radius in zip("abcd", RADII):
        ax = sheet.panels[panel]
        known = series(radius, bias)
        lines = works(known.torque, radius)
        carried = known.hot + known.cold + known.charge * bias[:, None]  # out of the leads
        dots = works(carried[:, 1:], radius)
        for k, colour in enumerate(BY_ORDER):
            sheet.curve(panel, f"$k={k}$", bias, lines[:, k], color=colour)
            label = f"_k={k}, charge and heat"
            x = bias[circles]
            sheet.curve(panel, label, x, dots[circles, k], "o", color=colour, mfc="none")
        x = r"$V/k_BT$" if panel in "cd" else ""
        y = r"$C_F^{(k)}\Omega_x^k\ /\ k_BT$" if panel in "ac" else ""
        sheet.label(panel, x, y)
        ax.text(0.97, 0.05, rf"$\delta_\epsilon={radius:g}$", transform=ax.transAxes, ha="right")
    sheet.panels["a"].legend(loc="upper left", ncols=2, columnspacing=1.0)
    return sheet


@in_double_precision
def figure_4() -> Sheet:
    """Efficiencies against the load, driven by a bias and by a temperature difference."""
    sheet = Sheet(
        "4",
        f"""Efficiency over its Carnot bound against the load: (a) motor (C_ext < C_F^(0)) and
        charge pump (beyond), driven by V = 2 at delta_T = 0, by Eqs. (62), (73), (74); (b) heat
        engine and refrigerator at delta_T = 0.5 and V = 0, by Eqs. (62), (76), (77). Lines: lowest
        order, delta_eps = 10, 20, 50, 100; that of the heat engine of radius 10 is too small to be
        seen, and orbits of radius 10 and 20 never refrigerate. No line: the load turns the rotor,
        but nothing is pumped. Dotted, and inset: next order for delta_eps = 10, by Eq. (63).
        Exactly in the velocity the pump starts at 2.79 and works up to the largest torque there is,
        at 3.96; beyond, and at the loads of the inset, no velocity is steady: the end at 5.07 and
        the inset are artefacts of the truncation. {COMMON}""",
        "ab",
        (PAGE, 2.7),
    )
    panels = (
        ("a", {"bias": 2.0}, 7.0, r"$\eta$"),
        ("b", {"difference": DIFFERENCE}, 4.5, r"$\eta/\eta_{Carnot}$, $COP/COP_{Carnot}$"),
    )
    for panel, setting, last, name in panels:
        x = _loads(0.0, last)
        for radius, colour in BY_RADIUS.items():
            known = series_at(radius, setting.get("bias", 0.0), setting.get("difference", 0.0))
            share = performance(known, x, 1, **setting).share
            sheet.curve(panel, rf"$\delta_\epsilon={radius:g}$", x, share, color=colour)
        sheet.label(panel, LOAD, name, ylim=(0, 1))
    small = series_at(10.0, 2.0)
    inset = sheet.panels["a"].inset_axes((0.62, 0.36, 0.34, 0.22))
    inset.set_xlabel(LOAD, fontsize=6, labelpad=1)
    inset.set_ylabel(r"$\eta$", fontsize=6, labelpad=1)
    for x, ax in ((_loads(0.0, 7.0), None), (_loads(-12.0, -6.0), inset)):
        share = performance(small, x, 2, bias=2.0).share
        label = r"$\delta_\epsilon=10$, next order"
        sheet.curve("a", label, x, share, ":", color=BY_RADIUS[10.0], ax=ax, lw=1.6)
    inset.tick_params(labelsize=6)
    inset.set_xlim(-12, -6)
    sheet.panels["b"].legend(*sheet.panels["a"].get_legend_handles_labels(), loc="upper right")
    return sheet


@in_double_precision
def figure_5() -> Sheet:
    """Contributions of the orders in the velocity to the pumped charge and heat."""
    known = series_at(10.0, 2.0)
    sheet = Sheet(
        "5",
        f"""Contributions by order to (a), (b) the charge Q_I^(k) = (Q_IL^(k) - Q_IR^(k)) / 2 and
        (c) the heat Q_J^(k) = Q_JL^(k) + Q_JR^(k) that enter the leads in a cycle (the paper's
        sign), the latter over its total, against the load: delta_eps = 10, V = 2, delta_T = 0,
        velocity by Eq. (63). Black: the total of k = 0 to 3; the charge pump works where it is
        positive. Grey: the load at which the motor turns, 1, and those at which the pump starts and
        stops. {COMMON}""",
        [["a", "b"], ["c", "c"]],
        (PAGE, 4.4),
    )

    def charge(x):
        return -per_turn(known.charge, steady_velocity(known.torque, x, 2), 2)

    def total(x):
        return charge(x).sum(0)

    edges = [1.0, root(total, 2.0, 4.0), root(total, 4.0, 6.0), root(total, -12.0, -6.0)]
    for panel, low, high in (("a", 0.0, 7.0), ("b", -12.0, -5.0)):
        x = _loads(low, high)
        _orders(sheet, panel, x, charge(x))
        sheet.curve(panel, "total", x, _apart(x, total(x)), color=BLACK)
    x = _loads(0.0, 7.0)
    heat = -per_turn(known.hot + known.cold, steady_velocity(known.torque, x, 2), 2)
    _orders(sheet, "c", x, heat / heat.sum(0))
    for panel in "abc":
        for edge in edges:
            sheet.panels[panel].axvline(edge, color="0.6", lw=0.8)
    sheet.label("a", LOAD, r"$Q_I^{(k)}$", ylim=(-2.0, 0.8), xlim=(0, 7))
    sheet.label("b", LOAD, "", ylim=(-0.8, 1.4), xlim=(-12, -5))
    name = r"$Q_J^{(k)}\,/\,Q_J^{(total)}$"
    sheet.label("c", LOAD, name, ylim=(-0.1, 1.1), xlim=(0, 7))
    handles = sheet.panels["a"].get_legend_handles_labels()
    sheet.figure.legend(*handles, loc="outside upper center", ncols=5)
    return sheet


@in_double_precision
def figure_6() -> Sheet:
    """Why an orbit of radius 20 cannot refrigerate."""
    sheet = Sheet(
        "6",
        f"""Contributions by order to the heat that enters the cold lead in a cycle (the paper's
        sign; cooling would be negative), in units of k_B T, against the load: delta_eps = 20,
        delta_T = 0.5 (leads at 1.25 and 0.75), V = 0, velocity by Eq. (62). Black: their total,
        which never is negative. Grey: the load at which the motor turns, 1. {COMMON}""",
    )
    known = series_at(20.0, 0.0, DIFFERENCE)
    x = _loads(1.0, 6.0)
    heat = -per_turn(known.cold, steady_velocity(known.torque, x, 1), 1)
    _orders(sheet, "a", x, heat)
    sheet.curve("a", "total", x, heat.sum(0), color=BLACK)
    name = r"$Q_{J_{cold}}^{(k)}\,/\,k_BT$"
    sheet.label("a", LOAD, name, ylim=(-0.75, 2.0), xlim=(0.8, 6))
    sheet.panels["a"].axvline(1.0, color="0.6", lw=0.8)
    sheet.panels["a"].legend(loc="upper right", ncols=2)
    return sheet


FIGURES = {"2": figure_2, "3": figure_3, "4": figure_4, "5": figure_5, "6": figure_6}


def _spin_up(sheet, panel, rotor, start, colour, cycles):
    """Draw mean velocities, in 1e-3, against the number of the cycle, 500 of them and the last."""
    means = rotor.turns(start, cycles).means
    every = np.arange(0, len(means), max(1, cycles // 500))
    kept = np.unique(np.append(every, len(means) - 1))
    sheet.curve(panel, f"from {start:g}", kept + 1, 1e3 * means[kept], color=colour)


def _levels(sheet, panel, velocities, stable):
    """Draw steady velocities of an infinitely heavy rotor, without those to which the series does
    not reach."""
    for velocity, still in zip(velocities, stable):
        if abs(velocity) < 0.02:
            style = "--" if still else ":"
            sheet.panels[panel].axhline(1e3 * velocity, color="k", lw=0.8, ls=style, zorder=0)


def _orders(sheet, panel, x, orders):
    """Draw contributions by order against the load."""
    styles = zip((RED, BLUE, GREEN, PURPLE), ("-", "--", "-.", ":"))
    for k, (values, (colour, style)) in enumerate(zip(orders, styles)):
        sheet.curve(panel, f"$k={k}$", x, _apart(x, values), style, color=colour)
    sheet.panels[panel].axhline(0, color="0.8", lw=0.6, zorder=0)


def _loads(first, last):
    """A hundred loads a unit, more around 1, where efficiencies fall steeply; not 0 and 1, where
    the rotor does no work or does not turn."""
    near = np.geomspace(1e-4, 0.1, 60)
    x = np.concatenate([np.arange(first + 0.005, last, 0.01), 1 - near, 1 + near])
    return np.sort(x[(x > first) & (x < last)])


def _apart(x, values):
    """A curve with a gap at the load 1, where the sense of rotation changes."""
    return np.where(np.abs(x - 1) < 2e-4, np.nan, values)


def _listed(velocities):
    """Velocities in words."""
    return ", ".join(f"{v:.3e}" for v in velocities)


def _told(velocities, stable):
    """Velocities in words, and whether they are stable."""
    words = {True: "stable", False: "unstable"}
    return ", ".join(f"{v:.3g} ({words[bool(still)]})" for v, still in zip(velocities, stable))
