"""What `python -m benchmarks` compares, and that it notices a loss; nothing here is timed."""

import functools
import itertools
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import against
import growth
import pinned
import rows

row_of = functools.cache(rows.row_of)


@pytest.mark.parametrize("name", rows.SCRIPTS)
def test_a_row_is_where_the_registry_says(name):
    row = row_of(name)
    assert row.points > 0 and row.title


@pytest.mark.parametrize("name", pinned.pinned())
def test_a_pinned_ratio_is_that_of_a_row_to_one_of_its_rivals(name):
    pin = pinned.pinned()[name]
    assert pin["rival"] in row_of(name).case(4).rivals
    assert pin["ratio"] > 0 and pin["points"] > 0


def sum_of_squares(known):
    """A row whose rival knows these numbers, and how often the rival has been asked."""
    asked = itertools.count()

    def rival():
        next(asked)
        return known**2

    def case(points):
        return rows.Case(jnp.arange(1.0, points + 1), {"NumPy": rival})

    return rows.Row("squares", lambda x: x**2, None, case, 4, 1e-12, 4, None), asked


def test_a_ratio_below_its_pin_is_measured_twice_and_then_lost(capsys):
    row, asked = sum_of_squares(np.arange(1.0, 5))
    pin = {"rival": "NumPy", "points": 4}
    assert pinned.check({"squares": {**pin, "ratio": 1e-12}}, lambda _: row, rounds=1) == []
    once = next(asked)
    assert pinned.check({"squares": {**pin, "ratio": 1e12}}, lambda _: row, rounds=1) == ["squares"]
    assert next(asked) > 2 * once
    assert "lost" in capsys.readouterr().out


def test_rivals_that_disagree_are_not_compared():
    row, _ = sum_of_squares(np.array([1.0, 2.0, 3.0, np.nan]))
    pin = {"rival": "NumPy", "points": 4, "ratio": 1.0}
    with pytest.raises(AssertionError, match="NumPy differs"):
        pinned.check({"squares": pin}, lambda _: row, rounds=1)


class Fake:
    """A version whose runs take so many seconds."""

    def __init__(self, seconds, **ready):
        self.seconds, self.ready = seconds, ready

    def ask(self, prepare=None, values=None, **_):
        if prepare is None:
            return {"seconds": self.seconds}
        np.savez(values, np.array([1.0, np.nan]))
        known = {"title": prepare, "points": 1, "compilation": {"value": 1.0}}
        return self.ready or known


def test_a_version_is_slower_where_it_takes_half_as_long_again(tmp_path):
    def compared(then, now):
        return against.compared({"then": then, "now": now}, "row", 1, 2, tmp_path)

    assert compared(Fake(1.0), Fake(1.4))[1] is False
    line, slower = compared(Fake(1.0), Fake(1.6))
    assert slower and "0.62" in line
    line, slower = compared(Fake(1.0, error="no such machine"), Fake(1.0))
    assert not slower and "then: no such machine" in line


def test_two_versions_differ_by_what_both_of_them_know(tmp_path):
    then, now = tmp_path / "then.npz", tmp_path / "now.npz"
    np.savez(then, np.array([1.0, 2.0, np.nan]))
    np.savez(now, np.array([1.0, 2.2, 7.0]))
    assert against.difference(then, now) == "1e-01, and not known at the same points"
    assert against.difference(then, then) == "0e+00"


def test_growth_is_the_power_of_the_upper_half_of_the_sizes():
    rows = [{"size": n, "time": max(n, 100) ** 2.0} for n in (1, 10, 100, 1000, 10_000)]
    assert growth.exponent(rows, "time") == 2.0
    assert growth.exponent(rows[:2], "time") == 0.0


@pytest.mark.parametrize("name", growth.GROWTHS)
def test_a_growth_starts_from_its_smallest_size(name):
    each = growth.GROWTHS[name]
    assert list(each.sizes) == sorted(each.sizes)
    case = each.case(each.sizes[0])
    assert callable(case.function) and case.size > 0


def test_qubits_are_counted_by_what_is_kept_of_them_also_where_their_generator_is_not_written():
    kept = [growth.GROWTHS["qubits"].case(number).size for number in (4, 5)]
    assert kept == [70, 252]
