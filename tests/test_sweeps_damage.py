"""Stores in which bits flip, files are cut or vanish: whatever happened, no wrong number comes out
of a resumed sweep."""

import json
import shutil

import jax
import numpy as np
import pytest
import xarray as xr
import zarr

import qtd

MACHINE = qtd.machines.NDemon()
OVER = [
    qtd.sweeps.zipped(
        {"cold.temperature": np.linspace(0.7, 0.9, 5), "width": np.linspace(0.9, 1.1, 5)}
    ),
    {"hot.temperature": [1.0, 1.1]},
]
OBSERVE = {
    "J": lambda m: m.operate().heat_currents["cold"],
    "cools": lambda m: m.operate().heat_currents["cold"] > 0,
}


def table(**options):
    return qtd.sweep(MACHINE, OVER, OBSERVE, **options)


@pytest.fixture(scope="module")
def expected():
    return table()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    store = tmp_path_factory.mktemp("written") / "map.zarr"
    table(store=store)
    return store


@pytest.fixture
def store(written, tmp_path):
    return shutil.copytree(written, tmp_path / "map.zarr")


def files(store):
    return sorted(path for path in store.rglob("*") if path.is_file())


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def damage(store, rng):
    """One of the things that happen to files, to any of them."""
    path = rng.choice(files(store))
    size, kind = path.stat().st_size, rng.choice(["flip", "flip", "cut", "empty", "delete"])
    if kind == "flip":
        flip(path, int(rng.integers(8 * size)))
    elif kind == "delete":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: int(rng.integers(size)) if kind == "cut" else 0])
    return f"{kind} {path.relative_to(store)}"


def assert_same(found, expected, what):
    assert set(found.variables) == set(expected.variables) and found.attrs == expected.attrs, what
    for name in expected.variables:
        assert found[name].values.tobytes() == expected[name].values.tobytes(), (what, name)
        assert found[name].attrs == expected[name].attrs, (what, name)


def is_mended(store, expected, what):
    """Whether a resumed sweep has the bits of an undamaged one; if not, one line says where and
    what to do."""
    try:
        found = table(store=store, resume=True).load()
    except ValueError as error:
        assert str(store) in str(error) and "\n" not in str(error), what
        assert str(error).endswith("delete it and compute again.") and "damaged" in str(error), (
            what,
            error,
        )
        return False
    assert_same(found, expected, what)
    assert_same(xr.open_zarr(store, consolidated=False)[list(expected)].load(), expected, what)
    assert qtd.sweeps.verify(store) == (10, (), ()), what
    return True


@pytest.mark.filterwarnings("ignore:`store` .* damaged of 10 blocks")
@pytest.mark.parametrize(
    "seeds", [range(8), pytest.param(range(8, 108), marks=pytest.mark.deep)], ids=["8", "100"]
)
def test_whatever_happens_to_a_file_no_wrong_number_comes_out(written, expected, tmp_path, seeds):
    mended = []
    for seed in seeds:
        store = shutil.copytree(written, tmp_path / f"{seed}.zarr")
        mended.append(is_mended(store, expected, damage(store, np.random.default_rng(seed))))
    assert 0 < sum(mended) < len(mended)  # numbers are mended, what describes them is not


# what can happen to the last block, which is at the edge of the grid, and to what is said of it
BLOCK = {
    "a bit of its numbers": lambda store: flip(store / "J/c/4/1", 200),
    "a bit of its statuses": lambda store: flip(store / "status/c/4/1", 130),
    "numbers deleted": lambda store: (store / "J/c/4/1").unlink(),
    "numbers of another block": lambda store: shutil.copy(store / "J/c/3/1", store / "J/c/4/1"),
    "numbers cut": lambda store: (store / "J/c/4/1").write_bytes(
        (store / "J/c/4/1").read_bytes()[:20]
    ),
    "numbers emptied": lambda store: (store / "cools/c/4/1").write_bytes(b""),
    "other numbers, well written": lambda store: zarr.open_array(
        str(store / "J"), mode="r+"
    ).__setitem__((4, 1), 7.0),
    "a bit of its flag": lambda store: flip(store / "progress/finished/c/9", 130),
    "flag emptied": lambda store: (store / "progress/finished/c/9").write_bytes(b""),
    "a bit of its checksum": lambda store: flip(store / "progress/checksum/c/9", 150),
    "checksum deleted": lambda store: (store / "progress/checksum/c/9").unlink(),
    "another block's checksum": lambda store: shutil.copy(
        store / "progress/checksum/c/8", store / "progress/checksum/c/9"
    ),
}


@pytest.mark.parametrize("what", BLOCK)
def test_a_damaged_block_is_named_and_computed_again(store, expected, monkeypatch, what):
    BLOCK[what](store)
    assert qtd.sweeps.verify(store) == (10, (), (9,))
    computed = []
    write = qtd.sweeps._store.Store.write
    monkeypatch.setattr(
        qtd.sweeps._store.Store,
        "write",
        lambda self, number, found: (computed.append(number), write(self, number, found)),
    )
    with pytest.warns(
        UserWarning,
        match=r"`store` '.*map.zarr' has 1 damaged of 10 blocks, which are computed again: 9\.",
    ):
        assert is_mended(store, expected, what)
    assert computed == [9]


def test_a_flag_without_a_block_is_seen(store, expected):
    """As if a block that was never computed were called finished, and one that is finished were
    not."""
    for name in ("J", "cools", "status"):
        (store / name / "c/2/0").unlink()
    (store / "progress/checksum/c/4").unlink()
    (store / "progress/finished/c/7").unlink()
    assert qtd.sweeps.verify(store) == (10, (7,), (4,))
    with pytest.warns(UserWarning, match="computed again: 4"):
        assert is_mended(store, expected, "flags")


DOCUMENTS = [
    "zarr.json",
    "J/zarr.json",
    "hot.temperature/zarr.json",
    "progress/zarr.json",
    "progress/finished/zarr.json",
]


@pytest.mark.parametrize(
    "name",
    [*DOCUMENTS, "progress/checksum/zarr.json", "point/c/0", "hot.temperature/c/0", "width/c/1"],
)
@pytest.mark.parametrize("how", ["deleted", "emptied", "changed"])
def test_what_describes_a_store_cannot_be_mended_and_is_named(store, name, how):
    path = store / name
    if how == "deleted":
        path.unlink()
    elif how == "emptied":
        path.write_bytes(b"")
    elif path.suffix == ".json":
        known = json.loads(path.read_bytes())
        known["attributes"] = known["attributes"] | {
            key: str(value).replace("0", "1") for key, value in known["attributes"].items()
        }
        known["shape"] = [10, 2]
        path.write_text(json.dumps(known))
    else:
        flip(path, 8 * (path.stat().st_size - 6))
    with pytest.raises(
        ValueError, match=r"`store` '.*map.zarr' is damaged: .*; delete it and compute again\.$"
    ):
        qtd.sweeps.verify(store)


def test_numbers_that_changed_are_not_read_by_others_either(store):
    flip(store / "J/c/4/1", 200)
    with pytest.raises(ValueError, match="checksum"):
        xr.open_zarr(store, consolidated=False).J.load()


def test_every_moment_of_a_write_may_be_the_last(store, expected, monkeypatch):
    """Killed between any two files of a block, which then is unfinished, and never half of one and
    half of another."""
    for last in range(5):  # three arrays, the checksum, the flag
        count, put = [0], zarr.Array.__setitem__

        def dying(array, where, value, count=count, put=put, last=last):
            if count[0] == last:
                raise KeyboardInterrupt
            count[0] += 1
            put(array, where, value)

        shutil.rmtree(store)
        with monkeypatch.context() as patch:
            patch.setattr("qtd.sweeps._run._threads", lambda: 1)
            patch.setattr(zarr.Array, "__setitem__", dying)
            with pytest.raises(KeyboardInterrupt) as stop:
                table(store=store)
        assert "resume=True goes on from there" in stop.value.__notes__[0]
        assert qtd.sweeps.verify(store) == (10, tuple(range(10)), ())
        assert is_mended(store, expected, last)


def test_a_store_without_checksums_is_refused(store):
    shutil.rmtree(store / "progress/checksum")
    for look in (qtd.sweeps.verify, lambda path: table(store=path, resume=True)):
        with pytest.raises(
            ValueError, match=r"map.zarr' has no checksums, .*; delete it and compute again\.$"
        ):
            look(store)


def test_consolidated_metadata_are_no_damage(store, expected):
    zarr.consolidate_metadata(str(store))
    assert is_mended(store, expected, "consolidated")


def test_nothing_but_nan_is_no_damage(tmp_path):
    """Chunks of nothing but NaN are not written, and read as another NaN than the one that was
    computed."""
    observe = {
        "nothing": lambda m: -(m.width * np.nan),
        "complex": lambda m: jax.lax.complex(m.width, -m.width * np.nan),
    }
    for resume in (False, True):
        found = qtd.sweep(
            MACHINE, {"width": [0.9, 1.0]}, observe, store=tmp_path / "nan.zarr", resume=resume
        )
        assert np.isnan(found.nothing).all() and qtd.sweeps.verify(tmp_path / "nan.zarr") == (
            2,
            (),
            (),
        )


def test_verify_names_what_is_no_store(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        qtd.sweeps.verify(tmp_path / "none.zarr")
    (tmp_path / "progress").mkdir()
    with pytest.raises(ValueError, match="holds no sweep; choose another path"):
        qtd.sweeps.verify(tmp_path)
