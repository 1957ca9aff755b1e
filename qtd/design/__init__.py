"""Gradient design: the parameters, within bounds, that make a figure of merit of a machine as large
or as small as constraints and tolerances allow; fronts between several; reference designs."""

from ..observables import observables
from ._certificate import Certificate
from ._front import Front, pareto_front
from ._history import History
from ._problem import Problem, problem
from ._references import ReferenceDesign, reference, references
from ._results import Optimum
from ._search import keep_search, maximize, minimize
from ._workshop import Robustness

__all__ = [
    "Certificate",
    "Front",
    "History",
    "Optimum",
    "Problem",
    "ReferenceDesign",
    "Robustness",
    "keep_search",
    "maximize",
    "minimize",
    "observables",
    "pareto_front",
    "problem",
    "reference",
    "references",
]
