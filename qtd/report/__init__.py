"""Pages about machines: what one does, in a file that a browser opens without a network, and an
explorer of a sweep."""

from ._design import design_page
from ._explorer import explorer
from ._page import page
from ._survey import survey

__all__ = ["design_page", "explorer", "page", "survey"]
