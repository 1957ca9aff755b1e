"""A status is one object: its code, what it says, how bad it is, and whether its numbers stand."""

import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.findings import Severity
from qtd.status import Status, first, raise_if_known


def test_codes_are_what_stores_hold_and_never_change():
    assert [int(status) for status in Status] == list(range(22))
    assert Status(18) is Status.INACCURATE and int(Status.OK) == 0
    assert np.asarray([Status.FOLD], np.int8).dtype == np.int8


@pytest.mark.parametrize("status", Status)
def test_each_says_what_to_do_and_is_as_bad_as_its_numbers(status):
    assert status.message and not status.message.endswith(".")
    assert (status.severity == Severity.FINE) == (status == Status.OK)
    if not status.stands:
        assert status.severity == Severity.WRONG


def test_the_first_that_holds_is_the_status():
    yes, no = jnp.asarray(True), jnp.asarray(False)
    assert (
        int(first((no, Status.FOLD), (yes, Status.SINGULAR), (yes, Status.FOLD))) == Status.SINGULAR
    )
    assert int(first((no, Status.FOLD))) == Status.OK
    with pytest.raises(ValueError, match="^Two steady states merge here"):
        raise_if_known(jnp.asarray(int(Status.FOLD)), Status.FOLD)


def test_a_sweep_records_nothing_where_a_rate_is_infinite():
    bath = qtd.Reservoir(1.0, spectral_density=qtd.spectral.WideBand(1.0))
    network = qtd.RateNetwork(
        [0.0, 1.0], [("cold", 0, 1, 1.0), ("hot", 0, 1, 1.0)], {"cold": bath, "hot": bath}
    )
    table = qtd.sweep(
        network,
        {"energies[1]": [0.0, 1.0]},
        {"level": lambda network: network.energies[1], "J": "J_hot"},
    )
    assert table.status.values.tolist() == [Status.INFINITE_RATE, Status.OK]
    assert np.isnan(table.level[0]) and table.level[1] == 1.0
