"""What all drawings share: colours, symbols, axes and titles."""

from matplotlib.figure import Figure

# The colours of Okabe and Ito, which people with any kind of colour vision tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PALE, GREY = "#9EC9E2", "#555555"


def axes_or_new(ax, size=(6.4, 4.8)):
    return Figure(figsize=size, layout="constrained").subplots() if ax is None else ax


def figure_of(ax) -> Figure:
    return ax.get_figure(root=True)


def set_title(ax, text, pad=8):
    ax.set_title(text, loc="left", pad=pad)


def symbol(name):
    head, _, tail = name.partition("_")
    if name in ("sigma", "TUR", "COP"):
        return r"$\sigma$" if name == "sigma" else name
    return rf"${head}_{{\mathrm{{{tail}}}}}$" if tail and len(head) == 1 else name.replace("_", " ")


def axis_label(name):
    unit = {"J": r"  ($E^2$)", "S": r"  ($E^3$)", "sigma": r"  ($E$)", "power": r"  ($E^2$)"}
    return symbol(name) + unit.get(name.partition("_")[0], "")


def room_for_marks(machine):
    """Room between the frame and the title, in points, for the rows of ticks that `filters` draws there."""
    return 8 + 8 * len(machine.network().topology.names)
