"""Kinds of system: what each has in common with all others. A kind of one's own is told how it
comes to rest, and what is counted of it."""

from .base import AbstractState, AbstractSystem, at_rest

__all__ = ["AbstractState", "AbstractSystem", "at_rest"]
