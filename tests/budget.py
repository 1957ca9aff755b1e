"""What each test costs: CPU seconds, and the seconds and counts of tracing, lowering and compiling,
printed after the run.

A plugin of pytest, loaded by `conftest.py`. `--budget` prints the twenty dearest tests and the
totals by folder; `--budget-json FILE` keeps one record a test. CPU seconds count all threads of the
process and the processes that a test has waited for. Tracing of a function that calls compiled
functions counts those again, so its seconds are an upper bound.
"""

import collections
import json
import os
import pathlib
import time

import jax
import pytest

# The events of jax.monitoring, and the name of each in the report.
DURATIONS = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}
HIT = "/jax/compilation_cache/cache_hits"
COLUMNS = ["cpu", "wall", "trace", "lower", "compile", "compiles", "hits"]
DECIMALS = dict.fromkeys(COLUMNS, 1) | {"compiles": 0, "hits": 0}

_before = pytest.StashKey[collections.Counter]()
_spent = collections.Counter()


def _count_duration(event, seconds, **_):
    name = DURATIONS.get(event)
    if name is None:
        return
    _spent[name] += seconds
    if name == "compile":
        _spent["compiles"] += 1


def _count_event(event, **_):
    if event == HIT:
        _spent["hits"] += 1


jax.monitoring.register_event_duration_secs_listener(_count_duration)
jax.monitoring.register_event_listener(_count_event)


def _reading():
    """All that this process has spent so far."""
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    return collections.Counter(_spent) + collections.Counter(cpu=cpu, wall=time.monotonic())


def pytest_addoption(parser):
    group = parser.getgroup("budget")
    group.addoption(
        "--budget", action="store_true", help="print what tests cost in CPU seconds and compilation"
    )
    group.addoption("--budget-json", metavar="FILE", help="write the cost of every test to FILE")


def pytest_configure(config):
    if config.getoption("--budget") or config.getoption("--budget-json"):
        config.pluginmanager.register(Budget(config), "budget-of-tests")


class Budget:
    """Measures in every worker; collects and prints in the process that started them."""

    def __init__(self, config):
        self.config = config
        self.records = collections.defaultdict(collections.Counter)
        self.start = _reading()
        target = config.getoption("--budget-json")
        self.file = open(target, "w") if target and not hasattr(config, "workeroutput") else None  # noqa: SIM115

    def _keep(self, name, spent):
        self.records[name].update(spent)
        if self.file:
            print(json.dumps({"test": name, **spent}), file=self.file, flush=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        item.stash[_before] = _reading()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        now = _reading()
        spent = {name: now[name] - item.stash[_before][name] for name in COLUMNS}
        item.stash[_before] = now
        report.user_properties = [*report.user_properties, ("budget", spent)]
        return report

    def pytest_collection_finish(self, session):
        if hasattr(self.config, "workeroutput"):
            now = _reading()
            self.config.workeroutput["collection"] = {
                name: now[name] - self.start[name] for name in COLUMNS
            }

    def pytest_runtest_logreport(self, report):
        for name, value in report.user_properties:
            if name == "budget":
                self._keep(report.nodeid, value)

    @pytest.hookimpl(optionalhook=True)  # of pytest-xdist
    def pytest_testnodedown(self, node, error):
        collection = getattr(node, "workeroutput", {}).get("collection")
        if collection:
            self._keep(f"(collection)/{node.gateway.id}", collection)

    def pytest_terminal_summary(self, terminalreporter):
        if hasattr(self.config, "workeroutput"):
            return
        if self.config.getoption("--budget"):
            self._print(terminalreporter)

    def _print(self, terminal):
        folders = collections.defaultdict(collections.Counter)
        for test, spent in self.records.items():
            folders[str(pathlib.PurePath(test.split("::")[0]).parent)].update(spent)
            folders["all"].update(spent)
        for title, rows, count in (("folders", folders, None), ("dearest tests", self.records, 20)):
            terminal.section(f"budget: {title}")
            terminal.write_line(" ".join(f"{column:>8}" for column in COLUMNS))
            ordered = sorted(rows.items(), key=lambda row: -row[1]["cpu"])
            for name, spent in ordered[:count]:
                terminal.write_line(
                    " ".join(f"{spent[column]:8.{DECIMALS[column]}f}" for column in COLUMNS)
                    + f" {name}"
                )
