"""The papers' figures and claims, each computed once in a process however many tests look at it."""

import functools

import pytest

from qtd import papers


@functools.cache
def drawn(machine, number):
    """The sheet of a figure of the paper on a machine; nothing may be drawn on it."""
    return papers.paper(machine).FIGURES[number]()


@functools.cache
def judged(machine, name):
    """The claim of the paper on a machine that a function of this name makes, and its verdict."""
    (printed,) = [printed for printed in papers.paper(machine).CLAIMS if printed.name == name]
    return printed.judged()


def claimed(machine):
    """All claims of the paper on a machine, with their verdicts."""
    return [judged(machine, name) for name in names_of_claims(machine)]


def names_of_claims(machine):
    """The functions that make the claims of the paper on a machine, in its order."""
    return [printed.name for printed in papers.paper(machine).CLAIMS]


def each_claim(machine):
    """Parametrise a test over the claims of the paper on a machine, by their `name`."""
    names = names_of_claims(machine)
    ids = [f"{machine}-{name}" for name in names]
    return pytest.mark.parametrize("name", names, ids=ids)
