"""Sweeps as processes that are killed, that run out of space, that meet one another, and that share
their work."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import distributed
import numpy as np
import pytest
import sweep_script
import xarray as xr
import zarr

import qtd

pytestmark = pytest.mark.deep

SCRIPT = Path(sweep_script.__file__)
OBSERVE = {"J_c": sweep_script.cooling, "cop": lambda m: m.operate().cop}


def start(store, *arguments, before="", **options):
    command = [sys.executable, str(SCRIPT), str(store), *map(str, arguments)]
    if before:
        command = ["bash", "-c", f"{before}; exec {shlex.join(command)}"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def finished(store):
    return np.asarray(zarr.open_array(str(store / "progress" / "finished"), mode="r")[:])


def table(**options):
    return qtd.sweep(sweep_script.MACHINE(num_spins=3), sweep_script.OVER, OBSERVE, **options)


@pytest.fixture(scope="module")
def expected():
    return table()


def assert_same_bits(store, expected):
    found = xr.open_zarr(store, consolidated=False)
    for name in expected:
        assert found[name].values.tobytes() == expected[name].values.tobytes(), name


def test_a_killed_sweep_goes_on_where_it_was(tmp_path, expected):
    store = tmp_path / "map.zarr"
    run = start(store, 0.3)
    for _ in range(3):
        assert run.stdout.readline() == "block\n", run.stderr.read()
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = finished(store)
    assert 3 <= done.sum() < len(done)
    partial = xr.open_zarr(store, consolidated=False)
    computed = partial.status.values != -1
    for name in expected:  # whatever there is, is right
        np.testing.assert_array_equal(
            partial[name].values[computed], expected[name].values[computed]
        )
    again = start(store)
    output, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    assert output.count("block") == (~done).sum()
    assert_same_bits(store, expected)


def test_a_sweep_killed_at_any_moment_has_the_bits_of_one_that_was_not(tmp_path, expected):
    """Twenty moments between the first block and the last, most of them while files are written."""
    rng = np.random.default_rng(0)
    blocks = qtd.sweeps._store.Store(
        zarr.open_group(str(made(tmp_path / "whole.zarr")))
    ).layout.blocks
    halves = 0
    for moment in range(20):
        store = tmp_path / f"{moment}.zarr"
        run = start(store, 0.01)
        for _ in range(int(rng.integers(1, blocks - 4))):
            assert run.stdout.readline() == "block\n", run.stderr.read()
        time.sleep(rng.uniform(0.0, 0.02))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        found = qtd.sweeps.verify(store)
        assert found.unfinished and not found.damaged
        halves += any(
            (store / "J_c" / "c" / str(i) / str(j)).exists()
            for i, j in places(store, found.unfinished)
        )
        table(store=store, resume=True)
        assert_same_bits(store, expected)
        assert qtd.sweeps.verify(store) == (blocks, (), ())
    assert halves  # some were killed between the numbers of a block and its flag


def made(store):
    table(store=store)
    return store


def places(store, numbers):
    """Where the chunks of these blocks are."""
    layout = qtd.sweeps._store.opened(store).layout
    return [np.unravel_index(number, layout.counts) for number in numbers]


def test_an_interrupt_from_the_keyboard_leaves_what_is_finished(tmp_path, expected):
    store = tmp_path / "map.zarr"
    run = start(store, 0.3)
    assert run.stdout.readline() == "block\n", run.stderr.read()
    run.send_signal(signal.SIGINT)
    run.wait(60)
    done = finished(store)
    assert run.returncode != 0 and 1 <= done.sum() < len(done)
    table(store=store, resume=True)
    assert_same_bits(store, expected)


def test_a_kill_while_the_store_is_made_leaves_none(tmp_path, monkeypatch, expected):
    monkeypatch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        table(store=tmp_path / "map.zarr")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    table(store=tmp_path / "map.zarr", resume=True)
    assert_same_bits(tmp_path / "map.zarr", expected)


def test_a_second_sweep_on_a_store_is_refused(tmp_path):
    store = tmp_path / "map.zarr"
    run = start(store, 0.5)
    assert run.stdout.readline() == "block\n", run.stderr.read()
    with pytest.raises(ValueError, match="is being written by another sweep"):
        table(store=store, resume=True)
    run.kill()
    run.wait()
    table(store=store, resume=True)  # the lock died with its owner


def test_a_full_disk_gives_one_line_and_loses_nothing(tmp_path, expected):
    store = tmp_path / "map.zarr"
    run = start(store, 0.3)
    for _ in range(2):
        assert run.stdout.readline() == "block\n", run.stderr.read()
    run.kill()
    run.wait()
    done = finished(store)
    limited = start(store, before="ulimit -f 1")  # no file above 1 kB
    _, errors = limited.communicate(timeout=300)
    lines = [line for line in errors.splitlines() if line]
    assert limited.returncode == 1 and len(lines) == 1, errors
    assert (
        lines[0].startswith("OSError: Cannot write to `store`")
        and "free some space" in lines[0]
        and "resume=True" in lines[0]
    )
    assert np.all(finished(store)[done])
    table(store=store, resume=True)
    assert_same_bits(store, expected)


def test_a_store_that_cannot_be_made_gives_one_line(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(
        OSError, match=r"Cannot create `store` .*choose a path that can be written to"
    ):
        table(store=tmp_path / "file" / "map.zarr")


@contextlib.contextmanager
def nobody():
    """Without the rights of root, for whom everything can be written to."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_store_gives_one_line_and_loses_nothing(expected):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        store = Path(folder) / "map.zarr"
        run = start(store, 0.3)
        assert run.stdout.readline() == "block\n", run.stderr.read()
        run.kill()
        run.wait()
        for path in [store, *store.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        with nobody(), pytest.raises(OSError, match="Cannot write to `store` .*resume=True"):
            table(store=store, resume=True)
        for path in [store, *store.rglob("*")]:
            path.chmod(0o755)
        table(store=store, resume=True)
        assert_same_bits(store, expected)


def test_two_devices_compute_the_same_bits(tmp_path, expected):
    store = tmp_path / "map.zarr"
    run = start(store, env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"})
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert_same_bits(store, expected)


SLOPES = """
import sys, jax, numpy as np
jax.config.update("jax_enable_x64", True)
import qtd, sweep_script
paths = ["cold.temperature", "work.spectral_density.width"]
slopes = {"d": qtd.sweeps.gradient(sweep_script.cooling, paths)}
for points in (5, 200, 600):
    over = {"cold.temperature": np.linspace(0.3, 1.0, points)}
    found = qtd.sweep(sweep_script.MACHINE(num_spins=3), over, slopes)
    print([found[name].values.tobytes().hex() for name in found])
"""


def test_devices_do_not_change_the_bits_of_small_sweeps():
    """The trap: a loop of one batch is taken apart by the compiler, and rounded in another way."""
    printed = []
    for devices in (1, 2, 4):
        flags = {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), *sys.path]),
        }
        run = subprocess.run(
            [sys.executable, "-c", SLOPES],
            env={**os.environ, **flags},
            capture_output=True,
            text=True,
            timeout=300,
        )
        printed.append(run.stdout)
    assert printed[0] and printed[0] == printed[1] == printed[2]


def test_the_store_is_unlocked_only_when_nobody_writes(tmp_path, monkeypatch):
    """An interrupt between two blocks waits for those that are being written."""
    store = tmp_path / "map.zarr"
    monkeypatch.setattr("tqdm.tqdm.update", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        table(store=store)
    except KeyboardInterrupt as error:
        kept = error  # with its traceback, as a notebook does
    done = finished(store).sum()
    time.sleep(1.0)
    assert isinstance(kept, KeyboardInterrupt) and finished(store).sum() == done


def test_two_sweeps_that_start_at_once_do_not_harm_each_other(tmp_path, expected):
    store = tmp_path / "map.zarr"
    runs = [start(store, 0.2) for _ in range(2)]
    errors = [run.communicate(timeout=300)[1] for run in runs]
    codes = sorted(run.returncode for run in runs)
    assert codes[0] == 0 and (
        codes[1] == 0 or any("is being written by another sweep" in text for text in errors)
    ), errors
    assert_same_bits(store, expected)


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_computes_the_same_bits(tmp_path, client, expected):
    found = table(store=tmp_path / "map.zarr", client=client)
    assert_same_bits(tmp_path / "map.zarr", expected)
    assert found.attrs == expected.attrs
    # Doubles all the same: in the threads that compute, not in the configuration of the workers.
    assert found.J_c.dtype == np.float64 and not any(
        client.run(lambda: __import__("jax").config.jax_enable_x64).values()
    )


def test_workers_do_not_mistake_a_new_store_for_an_old_one(tmp_path, client):
    for points in (33, 34):
        over = {"cold.temperature": np.linspace(0.3, 1.0, points)}
        found = qtd.sweep(
            sweep_script.MACHINE(num_spins=3),
            over,
            OBSERVE,
            store=tmp_path / "line.zarr",
            client=client,
        ).load()
        assert (
            found.J_c.shape == (points,)
            and np.all(found.status == 0)
            and np.isfinite(found.J_c).all()
        )
        shutil.rmtree(tmp_path / "line.zarr")


def test_the_blocks_of_a_killed_worker_are_done_by_another(tmp_path, client, expected):
    store = tmp_path / "map.zarr"

    def slowly():
        from qtd.sweeps._store import Store

        write = Store.write
        Store.write = lambda *arguments: (time.sleep(0.3), write(*arguments))

    client.run(slowly)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(lambda: table(store=store, client=client))
        while not store.exists() or finished(store).sum() < 2:
            time.sleep(0.05)
            assert not run.done(), run.result()
        before = finished(store).sum()
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)
        run.result(timeout=300)
    assert before < len(finished(store)) and finished(store).all()
    assert_same_bits(store, expected)


def test_what_fails_on_a_worker_is_told_here(tmp_path, client):
    store = tmp_path / "map.zarr"

    def fail(machine):
        raise ValueError("no such current")

    with pytest.raises(ValueError, match="no such current"):
        qtd.sweep(
            sweep_script.MACHINE(num_spins=3),
            sweep_script.OVER,
            {"x": fail},
            store=store,
            client=client,
        )
    assert not store.exists()
