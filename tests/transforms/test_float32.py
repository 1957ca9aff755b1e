"""Single precision stays single, and keeps the digits that each machine's row promises."""

import jax
import jax.numpy as jnp
import numpy as np
from helpers import as_float32
from machines import ROWS, every_machine, program


@every_machine
def test_float32_stays_and_keeps_its_digits(name):
    row = ROWS[name]
    observe = jax.jit(lambda device: row.numbers(device))  # not shared with rows that observe alike
    for k in range(min(row.single_devices, len(row.points))):
        numbers, _ = observe(as_float32(row.build(row.points[k])))
        assert numbers.dtype == jnp.float32
        judged = list(row.single_numbers or range(len(numbers)))
        found, wanted = np.asarray(numbers)[judged], program(name).outcome.values[k][judged]
        scale = np.abs(wanted).max() if row.by_largest else np.abs(wanted)
        assert np.max(np.abs(found - wanted) / scale) < row.single, (k, found, wanted)
    assert observe._cache_size() == 1
