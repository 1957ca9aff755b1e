"""Derivatives of every machine's numbers in every parameter: forward mode against differences,
reverse mode against forward mode."""

import numpy as np
from machines import ROWS, every_machine_to_digits, program

import qtd


@every_machine_to_digits
def test_the_legal_devices_have_numbers_and_no_warning_that_takes_them(name):
    outcome = program(name).outcome
    assert set(outcome.status.tolist()) <= {0} | ROWS[name].warned
    # Covariances of a Redfield equation that is not valid may be none. Not every motor has a load
    # at which it starts to cool; one has.
    finite = np.isfinite(outcome.values)
    assert np.all(finite.any(axis=0))
    known = finite | (outcome.status == qtd.Status.INACCURATE)[:, None]
    assert np.all(known) or (name == "quantum motor" and np.all(known[:, :9]))


@every_machine_to_digits
def test_forward_mode_agrees_with_differences(name):
    row, run = ROWS[name], program(name)
    exist = np.isfinite(run.outcome.values)
    assert np.all(np.isfinite(run.jacobian[exist]))
    found = [run.difference(way) for way in range(len(row.paths))]
    scale = row.scale(
        row.points, run.outcome.values, np.stack([slopes for slopes, _ in found], axis=-1)
    )
    for way, (slopes, at) in enumerate(found):
        error = np.abs(run.jacobian[..., way] - slopes) / scale[..., way]
        if row.poles:
            error[row.poles(at)] = 0
        assert error[exist].max() < row.differences, (row.paths[way], error.max(axis=0))


@every_machine_to_digits
def test_reverse_mode_agrees_with_forward_mode(name):
    row, run = ROWS[name], program(name)
    reverse = run.reverse_jacobian
    numbers = reverse.shape[1]
    forward, values = run.jacobian[:, :numbers], run.outcome.values[:, :numbers]
    error = np.abs(reverse - forward) / row.scale(row.points, values, forward)
    assert np.all(np.isfinite(reverse)) and error.max() < row.modes, error.max(axis=(0, 2))


@every_machine_to_digits
def test_values_and_derivatives_call_no_lapack(name):
    # Trap: batched LAPACK under vmap of a gradient hangs for ever on CPUs with jaxlib 0.10; see
    # test_hangs.py.
    assert not program(name).calls_lapack
