"""What describes a device prints with its numbers."""

import jax
import jax.numpy as jnp
import pytest

import qtd
from qtd.cli._found import load, machines

BATH = qtd.Reservoir(0.5, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))


def test_a_reservoir_prints_its_numbers():
    density = "Ohmic(coupling=0.1,cutoff=10)"
    wanted = "Reservoir(temperature=0.5,chemical_potential=0,statistics='bose',"
    wanted += f"spectral_density={density})"
    assert "".join(repr(BATH).split()) == wanted


@pytest.mark.parametrize("name", machines())
def test_machines_and_their_systems_print_numbers_and_no_addresses(name):
    machine = load(machines()[name])()
    for thing in (machine, *machine.systems().values()):
        text = repr(thing)
        assert text.startswith(type(thing).__name__) and "f64[" not in text and " at 0x" not in text


def test_traced_numbers_print_as_what_they_are():
    texts = []
    jax.jit(lambda t: texts.append(repr(qtd.replace(BATH, {"temperature": t}))))(0.3)
    assert "temperature=f64[]" in texts[0] and "cutoff=10" in texts[0]


def test_arrays_print_in_short():
    assert "..." in repr(
        qtd.RateNetwork(jnp.arange(50.0), [("bath", range(49), range(1, 50), 1.0)], {"bath": BATH})
    )


def test_what_is_refused_is_named_on_one_line():
    electrons = qtd.Reservoir(0.5, 0.0, "fermi", spectral_density=qtd.spectral.WideBand(1.0))
    with pytest.raises(ValueError) as refusal:
        qtd.machines.CollectiveRefrigerator(3, cold=electrons)
    assert "\n" not in str(refusal.value) and "temperature=0.5" in str(refusal.value)
