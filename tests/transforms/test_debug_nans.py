"""`jax.debug_nans` finds no NaN on the way to a number: whoever looks for their own is not led to
ours.

An answer that is rightly NaN trips it, too. So devices are asked for what they have: an N-demon
that cools for its COP, a refrigerator next to no pole for its ratio of currents.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from machines import ROWS, every_machine

pytestmark = [pytest.mark.deep, pytest.mark.quick]

DEVICES = 3


def operated(device):
    """A device at work, by what it says of itself; a motor comes with its load."""
    machine, *load = device if isinstance(device, tuple) else (device,)
    return machine.operate(*load)


@every_machine
def test_operating_a_machine_makes_no_nan_on_the_way(name):
    row = ROWS[name]
    for vector in row.points[:DEVICES]:
        device = row.build(jnp.asarray(vector))
        with jax.debug_nans(True):
            jax.block_until_ready(jax.tree.leaves(operated(device)))


@every_machine
def test_gradients_make_no_nan_on_the_way(name):
    row = ROWS[name]
    for vector in row.points[:DEVICES]:
        with jax.debug_nans(True):
            slopes = jax.grad(lambda vector: row.numbers(row.build(vector))[0].sum())(
                jnp.asarray(vector)
            )
        assert np.all(np.isfinite(slopes))
