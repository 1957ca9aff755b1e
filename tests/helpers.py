"""Small systems with closed forms, random devices, and independent arithmetic that several tests
share."""

import functools
import html
import pathlib
from typing import NamedTuple

import hypothesis
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import qtd
from qtd.spectral import Lorentzian, Peaked, WideBand

COLD, HOT, WORK = "cold", "hot", "work"


def examples(everyday):
    """How many examples hypothesis draws: `everyday`, where 60 are usual, and in the deep tier as
    many more as of all."""
    return hypothesis.settings(max_examples=everyday * hypothesis.settings().max_examples // 60)


def three_levels(cold=0.5, hot=1.0, work=10.0):
    """A three-level absorption refrigerator: each edge of the triangle is driven by one
    reservoir."""
    densities = {
        COLD: Lorentzian(1.0, 0.3, 0.7),
        WORK: Lorentzian(4.0, 0.2, 1.1),
        HOT: Lorentzian(5.0, 0.5, 0.9),
    }
    temperatures = {COLD: cold, WORK: work, HOT: hot}
    return qtd.RateNetwork(
        energies=[0.0, 1.0, 5.0],
        jumps=[(COLD, 0, 1, 1.0), (WORK, 1, 2, 0.8), (HOT, 0, 2, 1.3)],
        reservoirs={
            name: qtd.Reservoir(temperatures[name], spectral_density=densities[name])
            for name in densities
        },
    )


def random_network(seed, size=6, extra=6, reservoirs=("a", "b", "c")):
    """A connected network of bosonic reservoirs: a chain and some extra jumps. Returns the
    arguments of `RateNetwork`."""
    rng = np.random.default_rng(seed)
    pairs = [(k, k + 1) for k in range(size - 1)]
    pairs += [tuple(int(x) for x in rng.choice(size, 2, replace=False)) for _ in range(extra)]
    jumps = [
        (reservoirs[i % len(reservoirs)], a, b, float(rng.uniform(0.2, 2)))
        for i, (a, b) in enumerate(pairs)
    ]
    return {
        "energies": np.sort(rng.uniform(0, 5, size)),
        "jumps": jumps,
        "reservoirs": {
            name: qtd.Reservoir(
                rng.uniform(0.5, 4),
                spectral_density=Peaked(rng.uniform(0.5, 3), rng.uniform(0.3, 2)),
            )
            for name in reservoirs
        },
    }


def random_refrigerator(seed, num_spins=15, narrowest=1e-4):
    """A device near the three resonances, filters down to `narrowest`, work reservoir up to 10^4
    times hotter than the cold one."""
    rng = np.random.default_rng(seed)
    interaction = rng.uniform(0.5, 2.0)
    cold = interaction * rng.uniform(0.4, 2.0)
    hot = cold * rng.uniform(1.0, 2.5)
    work = cold * 10 ** rng.uniform(0.5, 4.0)
    reservoirs = {}
    for name, temperature, gap in ((COLD, cold, 2.0), (HOT, hot, 6.0), (WORK, work, 4.0)):
        width = interaction * 10 ** rng.uniform(np.log10(narrowest), -0.5)
        center = interaction * gap + width * rng.uniform(-1, 1)
        density = Peaked(center, width, 10 ** rng.uniform(-1, 1))
        reservoirs[name] = qtd.Reservoir(temperature, spectral_density=density)
    return qtd.machines.CollectiveRefrigerator(num_spins, **reservoirs, interaction=interaction)


def slow(network, factor):
    """The same network with all rates times a factor."""
    return qtd.replace(
        network,
        {f"strengths.{name}": strength * factor for name, strength in network.strengths.items()},
    )


def spurious_refrigerator():
    """A local master equation that cools by exchange alone, which no device can do."""

    def reservoir(t, center, width):
        return qtd.Reservoir(t, spectral_density=qtd.spectral.Resonator(center, width))

    reservoirs = reservoir(1.0, 2.4, 0.1), reservoir(1.0, 2.4, 0.2), reservoir(0.95, 2.0, 0.15)
    return qtd.machines.QubitRefrigerator("local", 2.4, 2.0, 0.0, 0.2, 0.05, *reservoirs)


def stack(machines):
    """Machines of one structure as one machine with a leading batch axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *machines)


def unstack(batch, index):
    return jax.tree.map(lambda leaf: leaf[index], batch)


def as_float32(tree):
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        tree,
    )


def _leads(left, right, rates):
    def lead(contact, rate):
        return qtd.Reservoir(contact[0], contact[1], "fermi", spectral_density=WideBand(rate))

    return {"left": lead(left, rates[0]), "right": lead(right, rates[1])}


def dot(energy=0.3, left=(1.0, 0.5), right=(0.7, -0.4), rates=(0.9, 1.6)):
    """A single level between two wide-band leads (temperature, chemical potential)."""
    return qtd.RateNetwork(
        energies=[0.0, energy],
        particles=[0, 1],
        jumps=[("left", 0, 1, 1.0), ("right", 0, 1, 1.0)],
        reservoirs=_leads(left, right, rates),
    )


def fermi(energy, contact):
    return 1 / (1 + np.exp((energy - contact[1]) / contact[0]))


def dot_generating_function(
    field, energy=0.3, left=(1.0, 0.5), right=(0.7, -0.4), rates=(0.9, 1.6)
):
    """Of electrons out of the left lead: the larger root of a quadratic."""
    (a, b) = rates
    f = fermi(energy, left)
    g = fermi(energy, right)
    drive = 4 * a * b * (f * (1 - g) * np.expm1(field) + g * (1 - f) * np.expm1(-field))
    return drive / (2 * (np.sqrt((a + b) ** 2 + drive) + a + b))


def dot_current_and_noise(energy=0.3, left=(1.0, 0.5), right=(0.7, -0.4), rates=(0.9, 1.6)):
    """Electrons out of the left lead per time, and their zero-frequency noise."""
    (a, b) = rates
    f = fermi(energy, left)
    g = fermi(energy, right)
    share = a * b / (a + b)
    return share * (f - g), share * (f + g - 2 * f * g - 2 * share * (f - g) ** 2 / (a + b))


def spinful_dot(energy=0.3, repulsion=1.7, left=(1.0, 0.5), right=(0.7, -0.4), rates=(0.9, 1.6)):
    """Empty, singly (two spins in one level) and doubly occupied dot."""
    pairs = np.array([0, 1]), np.array([1, 2])
    return qtd.RateNetwork(
        energies=[0.0, energy, 2 * energy + repulsion],
        particles=[0, 1, 2],
        degeneracies=[1, 2, 1],
        jumps=[("left", *pairs, 2.0), ("right", *pairs, 2.0)],
        reservoirs=_leads(left, right, rates),
    )


def spinful_dot_expanded(
    energy=0.3, repulsion=1.7, left=(1.0, 0.5), right=(0.7, -0.4), rates=(0.9, 1.6)
):
    """The same dot with its four states written out."""
    pairs = np.array([0, 0, 1, 2]), np.array([1, 2, 3, 3])
    return qtd.RateNetwork(
        energies=[0.0, energy, energy, 2 * energy + repulsion],
        particles=[0, 1, 1, 2],
        jumps=[("left", *pairs, 1.0), ("right", *pairs, 1.0)],
        reservoirs=_leads(left, right, rates),
    )


def central_difference(function, x, step):
    """Four-point difference: truncation error step^4, rounding error eps / step, both times the
    scale of the function."""
    ends = [function(x + k * step) for k in (-2, -1, 1, 2)]
    return (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)


def exact_populations(off_diagonal, digits=400):
    """Stationary populations of the rates b -> a at [a, b], as mpmath numbers, by a dense solve at
    very high precision."""
    with mp.workdps(digits):
        matrix = _generator(off_diagonal)
        size = matrix.rows
        for k in range(size):
            matrix[size - 1, k] = 1
        return list(mp.lu_solve(matrix, mp.matrix([0] * (size - 1) + [1])))


def exact_solve(matrix, right, digits=400):
    """Solution of a dense linear system of floats or mpmath numbers, as mpmath numbers."""
    with mp.workdps(digits):
        return list(mp.lu_solve(mp.matrix(matrix), mp.matrix(right)))


def exact_generator(off_diagonal, digits=400):
    """W with diagonals that make the columns sum to zero exactly."""
    with mp.workdps(digits):
        return _generator(off_diagonal)


def _generator(off_diagonal):
    size = len(off_diagonal)
    matrix = mp.matrix(size, size)
    for a in range(size):
        for b in range(size):
            if a != b:
                rate = off_diagonal[a][b]
                matrix[a, b] = rate if isinstance(rate, mp.mpf) else mp.mpf(float(rate))
                matrix[b, b] -= matrix[a, b]
    return matrix


def relative_error(values, exact):
    """Largest error of any entry relative to that entry; `exact` may be mpmath numbers."""
    values = np.asarray(values, float)
    return max(
        float(abs(mp.mpf(float(v)) - e) / abs(mp.mpf(e)))
        for v, e in zip(values.ravel(), np.ravel(exact))
    )


def printed(text, rounding=5e-13):
    """The number that a page prints as `text`: equal up to half a unit of its last digit (0.51:
    some were rounded twice), and up to `rounding`, relative.

    Rates up and down of a work reservoir at T = 1000 cancel to one part in n = 250 and more, which
    costs three of sixteen digits.
    """
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return pytest.approx(
        float(text),
        rel=0,
        abs=0.51 * 10.0 ** (int(exponent or 0) - decimals) + rounding * abs(float(text)),
    )


def along(columns, **rows):
    """{"name(column)": text} of a printed table; "-" is no number."""
    return {
        f"{name}({column})": text
        for name, row in rows.items()
        for column, text in zip(columns, row.split())
        if text != "-"
    }


class Expected(NamedTuple):
    """The claim to be expected: how its statement begins, its verdict, and its numbers.

    `numbers`: by name the text of the reference value, or a (low, high) where there is none.
    """

    begins: str
    verdict: str
    numbers: dict


def partly(*fails):
    """The verdict on a claim of which these parts fail and others hold."""
    return f"partly, without: {'; '.join(fails)}"


@functools.cache
def page_of_claims():
    """The text of the page that lists all claims."""
    page = pathlib.Path(__file__).parent.parent / "docs" / "papers.md"
    return html.unescape(page.read_text()).replace("\\", "")


def assert_claim(claim, expected):
    """The claim has the verdict expected of it, each of its numbers is the one printed, none left
    out, and its page says so."""
    row = f"| {claim.figure} | {claim.statement} | {claim.paper} | {claim.verdict} |"
    assert row in page_of_claims(), row
    assert claim.statement.startswith(expected.begins)
    verdict = partly(*claim.fails) if claim.verdict == "partly" else str(claim.verdict)
    assert verdict == expected.verdict
    assert set(claim.numbers) == set(expected.numbers)
    for name, text in expected.numbers.items():
        value = claim.numbers[name]
        if isinstance(text, str):
            assert value == printed(text), name
        else:
            assert text[0] <= value <= text[1], name


def curve(sheet, label, panel="a"):
    """x and y of a curve on the sheet of a figure."""
    rows = sheet.table.query("panel == @panel and curve == @label")
    assert len(rows), label
    return rows.x.to_numpy(), rows.y.to_numpy()


def dense(blocks, bands):
    """The matrix whose `bands` are given, of numbers in `blocks`; without what stands for missing
    numbers."""
    found = np.zeros((blocks.size + 1,) * 2)
    for k, rows in enumerate(blocks.index):
        for shift, part in ((0, bands.diagonal), (1, bands.above), (-1, bands.below)):
            if 0 <= k + shift < blocks.count:
                found[np.ix_(rows, blocks.index[k + shift])] += np.asarray(part[k])
    return found[:-1, :-1]
