"""Devices of one structure share one compiled program, whatever their numbers are and however they
were made."""

from machines import alone, every_machine


@every_machine
def test_changing_values_compiles_nothing(name):
    assert alone(name).traces == 1
