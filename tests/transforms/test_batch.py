"""A batch of devices is as good as one device after the other, compiled or not."""

import numpy as np
from machines import ROWS, alone, every_machine_to_digits, program


def assert_alike(row, found, wanted, tolerance):
    scale = np.abs(wanted).max(axis=-1, keepdims=True) if row.by_largest else np.abs(wanted)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    assert np.nanmax(np.abs(found - wanted) / scale) < tolerance


@every_machine_to_digits
def test_a_batch_agrees_with_single_devices(name):
    singles = alone(name)
    assert_alike(
        ROWS[name], program(name).outcome.values[singles.places], singles.values, ROWS[name].batch
    )


@every_machine_to_digits
def test_compiled_agrees_with_eager(name):
    row = ROWS[name]
    eager = np.asarray(row.numbers(row.build(row.points[0]))[0])
    assert_alike(row, eager, alone(name).values[0], row.batch)
