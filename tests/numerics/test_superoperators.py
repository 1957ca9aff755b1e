"""States kept as real numbers, and superoperators on them, against matrices multiplied out."""

from itertools import combinations, product

import numpy as np
import pytest

from qtd._numerics.superoperators import Term, Variables, connected_to_populations

pytestmark = pytest.mark.digits

SIZE = 4
EVERY = list(combinations(range(SIZE), 2))
PAIRS = {"all": EVERY, "some": [(1, 3), (0, 2)], "none": []}
parametrize = pytest.mark.parametrize("pairs", PAIRS.values(), ids=PAIRS)


def random_matrix(seed, size=SIZE):
    parts = np.random.default_rng(seed).normal(size=(2, size, size))
    return parts[0] + 1j * parts[1]


def random_state(seed):
    """Hermitian, and of no more structure."""
    matrix = random_matrix(seed)
    return matrix + matrix.conj().T


def packed(rho, pairs):
    """Populations, then real and imaginary parts of each of the pairs."""
    parts = [[rho[a, b].real, rho[a, b].imag] for a, b in pairs]
    return np.concatenate([np.diag(rho).real, *parts])


def without(rho, pairs):
    """A state whose coherences are those of the pairs alone."""
    kept = np.eye(len(rho), dtype=bool)
    for a, b in pairs:
        kept[a, b] = kept[b, a] = True
    return np.where(kept, rho, 0)


def terms_of(left, right, place):
    """d rho / dt += value * left @ rho @ right, element by element."""
    size = len(left)
    for a, b, c, d in product(range(size), repeat=4):
        factor = left[a, c] * right[d, b]
        if factor != 0:
            yield Term((a, b), (c, d), factor, place)


def commutator(hamiltonian, place):
    """-i [H, rho]"""
    one = np.eye(len(hamiltonian))
    return [*terms_of(-1j * hamiltonian, one, place), *terms_of(one, 1j * hamiltonian, place)]


def dissipator(jump, place):
    """L rho L^+ - {L^+ L, rho} / 2"""
    one, lost = np.eye(len(jump)), jump.conj().T @ jump / 2
    gained = terms_of(jump, jump.conj().T, place)
    return [*gained, *terms_of(-lost, one, place), *terms_of(one, -lost, place)]


# Which numbers a state is kept as.


@parametrize
def test_a_state_is_as_many_numbers_as_it_has_populations_and_parts_of_coherences(pairs):
    variables = Variables(SIZE, pairs)
    assert len(variables) == SIZE + 2 * len(pairs)
    assert (variables.size, variables.pairs) == (SIZE, tuple(pairs))
    for a, b in product(range(SIZE), repeat=2):
        assert variables.keeps(a, b) == (a == b or (a, b) in pairs or (b, a) in pairs)


@parametrize
def test_parts_put_every_kept_element_together_on_both_sides_of_the_diagonal(pairs):
    variables, rho = Variables(SIZE, pairs), random_state(0)
    vector = packed(rho, pairs)
    for a, b in product(range(SIZE), repeat=2):
        if variables.keeps(a, b):
            parts = variables.parts(a, b)
            assert sum(factor * vector[place] for place, factor in parts) == rho[a, b]


def test_parts_of_what_is_not_kept_are_refused():
    with pytest.raises(KeyError):
        Variables(SIZE, PAIRS["some"]).parts(0, 1)


@parametrize
def test_reading_gives_elements_and_the_conjugates_of_those_below_the_diagonal(pairs):
    variables, rho = Variables(SIZE, pairs), random_state(1)
    elements = [(2, 2), *pairs, *((b, a) for a, b in pairs), (0, 0)]
    real, imaginary = (read.matrix @ packed(rho, pairs) for read in variables.reading(elements))
    assert np.array_equal(real + 1j * imaginary, [rho[element] for element in elements])


@parametrize
def test_writing_adds_contributions_up_and_leaves_those_below_the_diagonal_out(pairs):
    variables, rng = Variables(SIZE, pairs), np.random.default_rng(2)
    # Every element twice, in any order.
    kept = [element for element in product(range(SIZE), repeat=2) if variables.keeps(*element)]
    elements = [tuple(pair) for pair in rng.permutation(kept + kept)]
    values = rng.normal(size=(2, len(elements)))
    write_real, write_imaginary = variables.writing(elements)
    total = np.zeros((SIZE, SIZE), complex)
    for (a, b), x, y in zip(elements, *values):
        total[a, b] += x + 1j * y
    found = write_real.matrix @ values[0] + write_imaginary.matrix @ values[1]
    # The imaginary part of a population is nothing that a state could hold.
    np.testing.assert_allclose(found, packed(total, pairs), rtol=0, atol=1e-15)


@parametrize
def test_what_is_written_is_read_again(pairs):
    variables = Variables(SIZE, pairs)
    above = [(a, a) for a in range(SIZE)] + list(pairs)
    read, write = variables.reading(above), variables.writing(above)
    for own, there, other in zip(read, write, reversed(write)):
        is_kept = np.any(own.matrix, axis=1)  # imaginary parts of populations are not
        assert np.array_equal(own.matrix @ there.matrix, np.diag(is_kept.astype(float)))
        assert not np.any(own.matrix @ other.matrix)


# Generators.


@parametrize
def test_a_generator_does_to_the_numbers_what_a_master_equation_does_to_the_matrix(pairs):
    variables, rho = Variables(SIZE, pairs), without(random_state(3), pairs)
    hamiltonian = random_state(4)
    first = random_matrix(5)
    second = random_matrix(6)
    terms = commutator(hamiltonian, 2) + dissipator(first, 0) + dissipator(second, 1)
    values = np.array([0.3, 1.7, -0.9])
    generator = variables.generator(terms, 3).matrix @ values
    assert generator.shape == (len(variables), len(variables))

    def damped(jump):
        lost = jump.conj().T @ jump
        return jump @ rho @ jump.conj().T - (lost @ rho + rho @ lost) / 2

    unitary = -1j * (hamiltonian @ rho - rho @ hamiltonian)
    change = values[0] * damped(first) + values[1] * damped(second) + values[2] * unitary
    # Between coherences that are not kept and those that are nothing passes.
    wanted = packed(without(change, pairs), pairs)
    np.testing.assert_allclose(generator @ packed(rho, pairs), wanted, rtol=0, atol=1e-12)


def test_a_generator_conserves_probability_and_has_the_spectrum_of_the_superoperator():
    variables = Variables(SIZE, EVERY)
    hamiltonian, jump = random_state(7), random_matrix(8)
    terms = commutator(hamiltonian, 0) + dissipator(jump, 0)
    generator = variables.generator(terms, 1).matrix[..., 0]
    np.testing.assert_allclose(generator[:SIZE].sum(0), 0, rtol=0, atol=1e-13)
    # vec(A rho B) = kron(B^T, A) vec(rho), columns stacked.
    one, lost = np.eye(SIZE), jump.conj().T @ jump / 2
    dense = np.kron(one, -1j * hamiltonian - lost) + np.kron((1j * hamiltonian - lost).T, one)
    dense = dense + np.kron(jump.conj(), jump)
    found, wanted = (np.linalg.eigvals(matrix) for matrix in (generator, dense))
    # In no common order: each has its partner, of the other.
    distances = np.abs(found[:, None] - wanted[None])
    assert max(distances.min(0).max(), distances.min(1).max()) < 1e-11


def test_values_enter_linearly_each_at_its_own_place():
    variables = Variables(2, [(0, 1)])
    arriving = [Term((0, 0), (1, 1), 2.0, 1), Term((0, 0), (1, 1), 0.5, 0)]
    matrix = variables.generator([*arriving, Term((1, 1), (1, 1), -2.0, 1)], 3).matrix
    assert matrix.shape == (4, 4, 3)
    assert np.array_equal(matrix[0, 1], [0.5, 2.0, 0.0])
    assert np.array_equal(matrix[1, 1], [0.0, -2.0, 0.0])
    assert np.count_nonzero(matrix) == 3


def test_terms_for_elements_below_the_diagonal_say_nothing_new():
    variables, hamiltonian = Variables(SIZE, EVERY), random_state(9)
    terms = commutator(hamiltonian, 0)
    above = [term for term in terms if term.row[0] <= term.row[1]]
    assert len(above) < len(terms)
    assert variables.generator(above, 1) == variables.generator(terms, 1)


# Coherences that matter.


def mixed_pair():
    """Levels 0 and 1 that H mixes, and jumps around: 2 to 0, and from both of them to 2."""
    mixing = np.zeros((3, 3))
    mixing[0, 1] = mixing[1, 0] = 0.7
    fill, first, second = np.zeros((3, 3, 3))
    fill[0, 2] = first[2, 0] = second[2, 1] = 1.0
    return [
        *commutator(np.diag([0.0, 0.2, 1.0]), 0),
        *commutator(mixing, 1),
        *dissipator(fill, 2),
        *dissipator(first, 3),
        *dissipator(second, 4),
    ]


def test_coherences_that_never_meet_a_population_are_left_out():
    terms, pairs = mixed_pair(), [(1, 2), (0, 1), (0, 2)]
    # (0, 2) and (1, 2) feed each other and nothing else.
    assert connected_to_populations(3, terms, pairs) == ([(0, 1)], None)
    # Without them the state relaxes to what it does with them.
    states = []
    for kept in (pairs, [(0, 1)]):
        variables = Variables(3, kept)
        generator = variables.generator(terms, 5).matrix @ np.array([1.0, 1.0, 0.4, 0.8, 0.3])
        generator[0] = np.arange(len(variables)) < 3
        states.append(np.linalg.solve(generator, np.eye(len(variables))[0]))
    full, reduced = states
    place = 3 + 2 * pairs.index((0, 1))
    np.testing.assert_allclose(reduced, [*full[:3], *full[place : place + 2]], rtol=0, atol=1e-14)
    others = [i for i in range(3, 9) if i not in (place, place + 1)]
    np.testing.assert_allclose(full[others], 0, rtol=0, atol=1e-14)
    assert np.abs(reduced[3:]).max() > 0.01


def test_a_coherence_matters_that_meets_populations_through_others_or_in_one_part_alone():
    hop = np.zeros((3, 3))
    hop[0, 1] = hop[1, 0] = hop[1, 2] = hop[2, 1] = 1.0
    # A real H without energies moves populations through the imaginary parts of (0, 1) and (1, 2),
    # which meet the real part of (0, 2).
    found = connected_to_populations(3, commutator(hop, 0), [(0, 2), (1, 2), (0, 1)])
    assert found == ([(0, 2), (1, 2), (0, 1)], None)
    # Only those that are offered.
    assert connected_to_populations(3, commutator(hop, 0), [(1, 2), (0, 1)]) == (
        [(1, 2), (0, 1)],
        None,
    )


def test_populations_alone_need_no_coherence():
    step = np.zeros((3, 3))
    step[1, 0] = 1.0
    terms = dissipator(step, 0) + dissipator(np.roll(step, (1, 1), (0, 1)), 0)
    assert connected_to_populations(3, terms, [(0, 1), (0, 2), (1, 2)]) == ([], None)


def test_a_level_that_nothing_reaches_is_named():
    step = np.zeros((3, 3))
    step[1, 0] = 1.0
    assert connected_to_populations(3, dissipator(step, 0), [(0, 1), (0, 2), (1, 2)]) == ([], 2)
    # A term whose factor is zero connects nothing.
    idle = Term((2, 2), (0, 0), 0.0, 0)
    assert connected_to_populations(3, [*dissipator(step, 0), idle], []) == ([], 2)
    assert connected_to_populations(2, [], [(0, 1)]) == ([], 1)
    # Populations that only a coherence joins are joined where it is kept.
    swap = commutator(np.array([[0.0, 1.0], [1.0, 0.0]]), 0)
    assert connected_to_populations(2, swap, [(0, 1)]) == ([(0, 1)], None)
    assert connected_to_populations(2, swap, []) == ([], 1)
