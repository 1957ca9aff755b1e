"""Devices of one structure share one compiled program, whatever their numbers are and however they were made."""

import jax.numpy as jnp
import numpy as np
from machines import ROWS, every_machine, observed_alone

import qtd


@every_machine
def test_changing_values_compiles_nothing(name):
    row, run = ROWS[name], observed_alone(name)
    for point in row.points[:2]:
        run(row.build(point))
        run(row.build(jnp.asarray(point)))
    device = row.build(row.points[0])
    if isinstance(device, qtd.machines.AbstractMachine):
        path, value = next(iter(qtd.parameters(device).items()))
        run(qtd.replace(device, {path: np.asarray(value)}))
        run(qtd.replace(device, {path: np.asarray(value).tolist()}))
