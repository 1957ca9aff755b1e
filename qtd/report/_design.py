"""One page about a design: what the command says of it, and its picture."""

import base64
import io
from typing import Any

from matplotlib.figure import Figure

from ._page import template

__all__ = ["design_page"]


def design_page(optimum: Any, objective: str, title: str, report: str, picture: Figure) -> str:
    """An HTML page on an `optimum` of `qtd.design`, of an `objective` by its name, that needs no
    network: the `title`, its message, what its limits are worth, the `picture`, and all numbers as
    the text of a `report`."""
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=110)
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    return template("design.html").render(
        title=f"{title}: design",
        objective=objective,
        optimum=optimum,
        value=f"{float(optimum.value):.6g}",
        extreme="largest" if optimum.is_largest else "smallest",
        report=report,
        source=source,
    )
