"""A batch of devices is as good as one device after the other, compiled or not."""

import numpy as np
import pytest
from machines import ROWS, every_machine, observed_alone, program

pytestmark = pytest.mark.digits


def assert_alike(row, found, wanted, tolerance):
    scale = np.abs(wanted).max(axis=-1, keepdims=True) if row.by_largest else np.abs(wanted)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    assert np.nanmax(np.abs(found - wanted) / scale) < tolerance


@every_machine
def test_a_batch_agrees_with_single_devices(name):
    row, run = ROWS[name], observed_alone(name)
    few = range(0, len(row.points), max(1, len(row.points) // 8))
    alone = np.stack([np.asarray(run(row.build(row.points[k]))[0]) for k in few])
    assert_alike(row, program(name).outcome.values[few], alone, row.batch)


@every_machine
def test_compiled_agrees_with_eager(name):
    row = ROWS[name]
    device = row.build(row.points[0])
    eager, compiled = row.observe(device), observed_alone(name)(device)
    assert_alike(row, np.asarray(eager[0]), np.asarray(compiled[0]), row.batch)
    assert int(eager[1]) == int(compiled[1])
