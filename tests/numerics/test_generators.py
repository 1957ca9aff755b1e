import jax.numpy as jnp
import numpy as np

from qtd._numerics.generators import (
    Coordinates,
    Generator,
    commutator,
    dissipator,
    is_own_reverse,
    lowered,
    sandwich,
)

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(4, 3, 3)) + 1j * RNG.normal(size=(4, 3, 3))
HERMITIAN, OTHER = (x + x.conj().T for x in RAW[:2])
JUMP = RAW[2]
SPACE = Coordinates(3)
LADDER = np.diag([1.0, 2.0], 1)


def test_coordinates_are_those_of_the_matrix_and_back():
    numbers = SPACE.of(HERMITIAN)
    assert numbers[0] == np.trace(HERMITIAN).real and numbers.shape == (9,)
    real, imaginary = (
        np.asarray(read(jnp.asarray(numbers))).reshape(3, 3) for read in SPACE.elements
    )
    np.testing.assert_allclose(real + 1j * imaginary, HERMITIAN, atol=1e-14)
    flat = HERMITIAN.reshape(-1)
    write_real, write_imaginary = SPACE.numbers
    np.testing.assert_allclose(
        write_real(jnp.asarray(flat.real)) + write_imaginary(jnp.asarray(flat.imag)),
        numbers,
        atol=1e-14,
    )


def test_superoperators_act_as_their_functions_and_generators_keep_the_trace():
    numbers = SPACE.of(HERMITIAN)
    for function in (commutator(OTHER), sandwich(JUMP), dissipator(JUMP)):
        np.testing.assert_allclose(
            SPACE.superoperator(function) @ numbers, SPACE.of(function(HERMITIAN)), atol=1e-13
        )
    assert not np.any(SPACE.generator(dissipator(JUMP))[0])
    np.testing.assert_allclose(
        SPACE.functional(OTHER) @ numbers, np.trace(OTHER @ HERMITIAN).real, atol=1e-13
    )


def test_amounts_that_an_operator_takes():
    energy = np.diag([0.0, 1.5, 3.0]).astype(complex)
    assert lowered(energy, LADDER) == 1.5 and lowered(energy, LADDER.T) == -1.5
    assert lowered(np.diag([0.0, 1.0, 3.0]), LADDER) is None
    assert lowered(energy, np.diag([1.0, 2.0, 3.0])) == 0.0
    assert is_own_reverse(1j * HERMITIAN) and not is_own_reverse(LADDER)


def test_equal_operators_make_equal_structures():
    def of(jump, bare=1):
        return Generator({"a": HERMITIAN, "b": OTHER}, bare, np.zeros(3), {"x": [jump]})

    assert of(JUMP) == of(JUMP.copy()) and hash(of(JUMP)) == hash(of(JUMP.copy()))
    assert of(JUMP) != of(2 * JUMP) and of(JUMP) != of(JUMP, 2)


def test_what_cannot_exchange_energy_at_rest_is_known():
    def of(**channels):
        return Generator({"H": HERMITIAN}, 1, np.zeros(3), channels).idle

    assert (
        of(x=[JUMP]) == ("x",)
        and of(x=[JUMP, JUMP.conj().T]) == ("x",)
        and of(x=[JUMP], y=[2j * JUMP]) == ("x", "y")
    )
    assert of(x=[JUMP], y=[JUMP.conj().T]) == () and of(x=[JUMP], y=[np.eye(3, dtype=complex)]) == (
        "x",
    )
    assert of(x=[JUMP, np.eye(3, dtype=complex)], y=[JUMP]) == ("x", "y")
