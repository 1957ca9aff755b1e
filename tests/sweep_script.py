"""A sweep as a program of its own, for tests that interrupt it: python sweep_script.py STORE
[seconds that each block takes]."""

import signal
import sys
import time

import jax
import numpy as np

import qtd
from qtd.sweeps._store import Store

MACHINE = qtd.machines.CollectiveRefrigerator
OVER = {"cold.temperature": np.linspace(0.3, 1.0, 61), "hot.temperature": np.linspace(0.8, 2.0, 53)}


def cooling(machine):
    return machine.operate().heat_currents["cold"]


def main(store, seconds=0.0):
    jax.config.update("jax_enable_x64", True)
    write = Store.write

    def slowly(*arguments):
        time.sleep(seconds)
        write(*arguments)
        print("block\n", end="", flush=True)  # in one piece: several threads write

    Store.write = slowly
    qtd.sweep(
        MACHINE(num_spins=3),
        OVER,
        {"J_c": cooling, "cop": lambda m: m.operate().cop},
        store=store,
        resume=True,
    )


if __name__ == "__main__":
    # Which a program that was started in the background does not have.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(sys.argv[1], *map(float, sys.argv[2:]))
    except (OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
