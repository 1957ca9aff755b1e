"""How tests run: in double precision, without silent promotion, compiled quickly and never twice;
`tests/README.md` says why."""

import ctypes
import gc
import importlib.metadata
import os
import pathlib
import platform
import sys
import time

import hypothesis
import jax
import pytest

from qtd.cli._cache import keep_in, kind_of_computer, remove_oldest, set_for_all

pytest_plugins = ["budget"]

# Compilation has no place in a deadline, and the same devices are drawn every time: ten times as
# many in the deep tier.
hypothesis.settings.register_profile("everyday", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.register_profile(
    "deep", hypothesis.settings.get_profile("everyday"), max_examples=600
)

# Tracing makes millions of small objects, of which next to none are garbage.
gc.set_threshold(100_000, 50, 1000)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# XLA's older emitters of loops, no optimisation, and each program in one part: a quarter of the
# seconds of compilation, the same numbers to the last digits.
QUICK_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
# XLA ends a process that names a flag it does not know; these releases of jaxlib know the flags
# above.
KNOWN_TO = (0, 9), (0, 10)
CACHE_BYTES = 2 << 30
SECONDS_A_DAY = 24 * 60 * 60
TABLES = "laws", "transforms"  # folders that run over tables of machines
# Linux allows a process 65 530 memory maps, and every compiled program holds some of them.
MEMORY_MAPS = 40_000


def pytest_addoption(parser):
    parser.addoption(
        "--as-users",
        action="store_true",
        help="compile as users do, with all of XLA's optimisations",
    )
    parser.addoption(
        "--until",
        type=int,
        metavar="SECONDS",
        help="start no test after so many seconds since 1970; which come first changes every day",
    )


def pytest_configure(config):
    """Where and how this process compiles, and, through the environment, those that it starts:
    workers, commands, notebooks."""
    hypothesis.settings.load_profile("deep" if config.getoption("--as-users") else "everyday")
    if not config.getoption("--as-users"):
        jaxlib = tuple(int(part) for part in importlib.metadata.version("jaxlib").split(".")[:2])
        if jaxlib in KNOWN_TO:
            os.environ["XLA_FLAGS"] = f"{QUICK_FLAGS} {os.environ.get('XLA_FLAGS', '')}"
        set_for_all("jax_disable_most_optimizations", True)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and hasattr(config, "cache"):
        folder = config.cache.mkdir("compiled")
        if not hasattr(config, "workerinput"):
            remove_oldest(folder, CACHE_BYTES)
        keep_in(folder / kind_of_computer())


def pytest_collection_modifyitems(config, items):
    """Notebooks cannot mark themselves. What runs over a table comes first, row by row, so that one
    worker has the program of a row; late tests, which idle workers take from one another, are best
    short. Where time may not suffice for all, every day begins elsewhere."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("deep")
            item.add_marker("quick")
    items.sort(key=_place)
    if until := config.getoption("--until"):
        # Multiples of the golden section spread days evenly, and all workers know the same day.
        first = int(until // SECONDS_A_DAY * 0.618 % 1 * len(items))
        items[:] = items[first:] + items[:first]


def _place(item):
    folder = item.path.parent.name
    parameters = getattr(item, "callspec", None) and item.callspec.params
    over_table = folder in TABLES and parameters and "name" in parameters
    return folder not in TABLES, folder, parameters["name"] if over_table else item.path.name


def pytest_runtest_setup(item):
    """Before any fixture: whether there is time, and whether what this test compiles is to run
    fast."""
    if (until := item.config.getoption("--until")) and time.time() > until:
        pytest.skip("there was no time left for it")
    marked = {name: item.get_closest_marker(name) for name in ("optimised", "quick")}
    as_users = item.config.getoption("--as-users") and not marked["quick"]
    set_for_all("jax_disable_most_optimizations", not (marked["optimised"] or as_users))


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs_in_time():
    """A run of all tests would end in a segmentation fault where no memory map is left, or fill the
    memory."""
    yield
    if _share_of_memory() > 0.2:
        _return_what_is_free()
    if _memory_maps() > MEMORY_MAPS or _share_of_memory() > 0.2:
        jax.clear_caches()
        gc.collect()
        _return_what_is_free()


def _return_what_is_free():
    """XLA's compiler leaves the heap full of holes; only this gives them back to Linux."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _memory_maps():
    maps = pathlib.Path("/proc/self/maps")
    return maps.read_bytes().count(b"\n") if maps.exists() else 0


def _share_of_memory():
    """How much of the computer's memory this process holds."""
    pages = pathlib.Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) / os.sysconf("SC_PHYS_PAGES") if pages.exists() else 0


@pytest.fixture
def users_configuration():
    """Strict promotion is ours; a user has JAX's defaults."""
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    jax.config.update("jax_numpy_rank_promotion", "allow")
    yield
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.config.update("jax_numpy_rank_promotion", "raise")
