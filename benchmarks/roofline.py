"""What a program asks of a processor, and what the processor can do.

Operations of real arithmetic are counted in the program that the compiler is given, of every step
as many as it has results, of a loop as often as it runs, of a product of matrices two for each
term. Bytes are the least that must move: arguments and results. Rates are measured: a chain of
multiplications and additions of numbers that stay in registers, and y = a x + z on arrays that fit
no cache.
"""

import functools
import math
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_CHAIN, _TURNS = 64, 200  # multiplications and additions in one body, and turns of it
_QUICK = {"add", "subtract", "multiply", "maximum", "minimum"}
_SLOW = {
    *("divide", "sqrt", "rsqrt", "exponential", "exponential_minus_one", "log", "log_plus_one"),
    *("logistic", "tanh", "sine", "cosine", "power", "atan2", "cbrt", "tan"),
}


class Work(NamedTuple):
    """How many `operations` a program does, how many of them are `slow` (roots, quotients and
    transcendental functions), and the `moved` bytes of arguments and results. `unknown`: loops of
    no known length, which were taken to run once."""

    operations: float
    slow: float
    moved: float
    unknown: int


def work(function: Callable[..., Any], *arguments: Any) -> Work:
    """What a function asks for at arguments of these shapes."""
    lowered = jax.jit(function).lower(*arguments)
    module = lowered.compiler_ir("stablehlo").operation
    functions = {
        str(each.attributes["sym_name"]).strip('"'): each.operation
        for each in _operations(module)
        if each.operation.name == "func.func"
    }

    @functools.cache
    def called(name):
        return _counted(functions[name], called)

    operations, slow, unknown = called("main")
    ends = jax.tree.leaves((arguments, jax.eval_shape(function, *arguments)))
    moved = sum(math.prod(np.shape(x)) * np.dtype(x.dtype).itemsize for x in ends)
    return Work(float(operations), float(slow), float(moved), int(unknown))


def _counted(operation, called):
    """Operations, slow ones among them, and loops of unknown length."""
    total = np.zeros(3)
    for each in _operations(operation):
        kind = each.operation.name.removeprefix("stablehlo.")
        if kind == "call" or kind == "func.call":
            total += called(str(each.attributes["callee"]).removeprefix("@"))
        elif kind == "while":
            condition, body = each.operation.regions
            turns = _turns(condition)
            total += (turns or 1) * _in_region(body, called) + np.array([0, 0, turns is None])
        elif kind in ("case", "if"):
            parts = [_in_region(region, called) for region in each.operation.regions]
            total += max(parts, key=lambda part: part[0])
        elif kind == "reduce":
            total += np.array([_size(each.operands[0]), 0, 0])
        elif kind == "dot_general":
            terms = _size(each.operands[0]) * _size(each.operands[1]) / _size(each.results[0])
            total += np.array([2 * _size(each.results[0]) * math.sqrt(terms), 0, 0])
        elif (kind in _QUICK or kind in _SLOW or kind.startswith("chlo.")) and _is_real(each):
            is_slow = kind not in _QUICK
            total += _size(each.results[0]) * np.array([1, is_slow, 0])
    return total


def _operations(operation):
    for region in operation.regions:
        for block in region.blocks:
            yield from block.operations


def _in_region(region, called):
    class Whole(NamedTuple):
        regions: list

    return _counted(Whole([region]), called)


def _turns(condition):
    """How often a loop runs that counts from 0 up to a number; None of any other."""
    steps = [each for block in condition.blocks for each in block.operations]
    kinds = [each.operation.name for each in steps]
    if kinds != ["stablehlo.constant", "stablehlo.compare", "stablehlo.return"]:
        return None
    found = re.search(r"dense<(\d+)>", str(steps[0]))
    return int(found[1]) if found else None


def _size(value):
    known = re.match(r"tensor<((?:\d+x)*)", str(value.type))
    return math.prod(int(x) for x in known[1].split("x") if x) if known else 1


def _is_real(operation):
    return bool(re.search(r"f\d+>$", str(operation.results[0].type)))


def arithmetic(dtype: Any = jnp.float64, size: int = 4096, rounds: int = 5) -> float:
    """Multiplications and additions per second."""

    def body(_, x):
        for _ in range(_CHAIN):
            x = x * 0.999999 + 1e-6
        return x

    x = jnp.ones(size, dtype)
    run = jax.jit(lambda x: jax.lax.fori_loop(0, _TURNS, body, x)).lower(x).compile()
    return 2 * _CHAIN * _TURNS * size / fastest(lambda: run(x), rounds)


def bandwidth(dtype: Any = jnp.float64, size: int = 2**24, rounds: int = 5) -> float:
    """Bytes per second, read or written."""
    x, z = jnp.ones(size, dtype), jnp.ones(size, dtype)
    run = jax.jit(lambda x, z: 3.0 * x + z).lower(x, z).compile()
    return 3 * x.nbytes / fastest(lambda: run(x, z), rounds)


def fastest(run: Callable[[], Any], rounds: int) -> float:
    """The least seconds of some runs, after a first one."""
    jax.block_until_ready(run())
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(run())
        spent.append(time.perf_counter() - start)
    return min(spent)
