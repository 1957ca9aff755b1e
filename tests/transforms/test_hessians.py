"""Second derivatives of the first number of machines that have them in every parameter."""

import jax
import numpy as np
import pytest
from machines import ROWS

pytestmark = [pytest.mark.deep, pytest.mark.quick]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.curved])
def test_hessians_are_finite_and_symmetric(name):
    row = ROWS[name]
    found = np.asarray(
        jax.jit(jax.hessian(lambda vector: row.numbers(row.build(vector))[0][0]))(row.points[0])
    )
    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(found, found.T, atol=1e-10 * np.abs(found).max())
