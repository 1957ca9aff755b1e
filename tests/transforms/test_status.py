"""Every illegal number is told by the status of its own device, which has no numbers, and spoils no
neighbour."""

import numpy as np
import pytest
from machines import ROWS, program, to_digits

import qtd


@pytest.mark.parametrize("name", to_digits(name for name, row in ROWS.items() if row.illegal))
def test_an_illegal_device_is_told_and_spoils_no_neighbour(name):
    row, run = ROWS[name], program(name)
    others = np.arange(len(row.points)) != 1
    for illegal in row.illegal:
        points = np.array(row.points)
        points[1] = row.bad(illegal)
        found = run(points)
        assert qtd.Status(int(found.status[1])) in illegal.statuses, illegal
        told = [k for k in range(found.values.shape[1]) if k not in row.kept]
        assert np.all(np.isnan(found.values[1, told])), (illegal, found.values[1])
        for part, wanted in zip(found, run.outcome):
            np.testing.assert_allclose(part[others], wanted[others], rtol=row.alone, atol=0)
