"""What a first answer costs: CPU seconds in fresh processes, with nothing compiled before, and with
compiled programs kept.

    python benchmarks/first_answer.py

Of each machine: the first and the second `operate()`, the gradient of its first observable in all
parameters (by `qtd.sweeps.gradient`, by `jax.grad` as it is, and under `jax.jit`), the covariance
of its currents and an audit, each in a process of its own, imports apart; then imports and
commands, whole. CPU seconds count all threads, so that other load changes them little. "Again": a
second process, which reads what the first one has compiled.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

MACHINES = (
    "CollectiveRefrigerator",
    "QubitRefrigerator",
    "ResonatorRefrigerator",
    "NDemon",
    "QuantumMotor",
    "FiniteReservoirs",
)
QUESTIONS = (
    "operate()",
    "second operate()",
    "gradient",
    "jax.grad",
    "jit of jax.grad",
    "covariance",
    "audit",
)
WHOLE = {
    "import jax": [sys.executable, "-c", "import jax"],
    "import jax, and a machine of qtd": [
        sys.executable,
        "-c",
        "import jax, qtd; qtd.machines.CollectiveRefrigerator",
    ],
    "qtd list": ["qtd", "list"],
    "qtd show collective-refrigerator": ["qtd", "show", "collective-refrigerator"],
    "qtd show quantum-motor": ["qtd", "show", "quantum-motor"],
    "qtd audit collective-refrigerator": ["qtd", "audit", "collective-refrigerator"],
    "qtd design collective-refrigerator": [
        "qtd",
        "design",
        "collective-refrigerator",
        "--out",
        ".",
    ],
    "qtd report collective-refrigerator": [
        "qtd",
        "report",
        "collective-refrigerator",
        "--out",
        "page.html",
    ],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--ask", nargs=2, metavar=("MACHINE", "QUESTION"), help="what one process does"
    )
    asked = parser.parse_args().ask
    if asked:
        print(seconds(*asked))
        return
    print(
        f"\n{'CPU seconds, first and again':<36}"
        + "".join(f"{question:>18}" for question in QUESTIONS),
        flush=True,
    )
    for machine in MACHINES:
        print(
            f"{machine:<36}" + "".join(f"{twice(machine, question):>18}" for question in QUESTIONS),
            flush=True,
        )
    print()
    for name, command in WHOLE.items():
        print(f"{name:<36}{of_process(command)}", flush=True)


def seconds(machine, question):
    """CPU seconds of one question to a machine, everything before it apart."""
    import equinox as eqx
    import jax

    import qtd

    jax.config.update("jax_enable_x64", True)
    machine = getattr(qtd.machines, machine)()
    _, observe = next(iter(qtd.design.observables(machine).items()))
    ask = {
        "gradient": lambda: qtd.sweeps.gradient(observe, list(qtd.parameters(machine)))(machine),
        "jax.grad": lambda: eqx.filter_grad(observe)(machine),
        "jit of jax.grad": lambda: eqx.filter_jit(eqx.filter_grad(observe))(machine),
        "covariance": lambda: machine.covariance(),
        "audit": lambda: qtd.audit(machine),
    }.get(question, lambda: machine.operate())
    if question == "covariance" and not hasattr(machine, "covariance"):
        return float("nan")
    if question.startswith("second"):
        jax.block_until_ready(ask())
    start = time.process_time()
    answer = ask()
    jax.block_until_ready([x for x in jax.tree.leaves(answer) if eqx.is_array(x)])
    return time.process_time() - start


def twice(machine, question):
    """The seconds with an empty folder for compiled programs, and with what that has left."""
    with tempfile.TemporaryDirectory() as folder:
        keep = {
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        command = [sys.executable, __file__, "--ask", machine, question]
        found = [
            subprocess.run(
                command, env={**os.environ, **keep}, capture_output=True, text=True, check=True
            )
            for _ in range(2)
        ]
    first, again = (float(run.stdout.split()[-1]) for run in found)
    return (
        "-"
        if first != first
        else f"{first:.2f}, {again:.2f}"
        if first < 1
        else f"{first:.1f}, {again:.1f}"
    )


def of_process(command):
    """The same of a whole process, with a user's folder of its own."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        home = {
            "XDG_CACHE_HOME": folder,
            "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        }
        for _ in range(2):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            # An audit that finds fault ends with 1.
            subprocess.run(command, env={**os.environ, **home}, cwd=folder, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return f"{spent[0]:.1f}, {spent[1]:.1f}"


if __name__ == "__main__":
    main()
