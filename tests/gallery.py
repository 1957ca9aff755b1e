"""The papers' figures and claims, each computed once in a process however many tests look at it."""

import functools

from qtd import papers


@functools.cache
def drawn(machine, number):
    """The sheet of a figure of the paper on a machine; nothing may be drawn on it."""
    return papers.paper(machine).FIGURES[number]()


@functools.cache
def claimed(machine):
    """What the paper on a machine claims about its figures, and what comes out."""
    return tuple(papers.claims(machine))
