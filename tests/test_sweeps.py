import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
import zarr

import qtd

MACHINE = qtd.machines.CollectiveRefrigerator(num_spins=3)
COLD, HOT = np.linspace(0.3, 1.0, 7), np.linspace(0.8, 2.0, 5)
OVER = {"cold.temperature": COLD, "hot.temperature": HOT}
VAST = {f"{name}.temperature": np.linspace(1.0, 2.0, 100_000) for name in ("cold", "hot", "work")}


def cooling(machine):
    return machine.operate().heat_currents["cold"]


OBSERVE = {"J_c": cooling, "cop": lambda m: m.operate().cop}
POINT = eqx.filter_jit(lambda values: cooling(qtd.replace(MACHINE, values)))


@pytest.fixture(scope="module")
def table():
    return qtd.sweep(MACHINE, OVER, OBSERVE)


def test_a_grid_has_every_point_at_its_labels(table):
    assert (
        table.J_c.dims
        == tuple(table.sizes)
        == tuple(table.coords)
        == ("cold.temperature", "hot.temperature")
    )
    np.testing.assert_array_equal(table["hot.temperature"], HOT)
    for i, j in ((0, 0), (3, 1), (6, 4)):
        there = float(table.J_c.sel({"cold.temperature": COLD[i], "hot.temperature": HOT[j]}))
        assert there == pytest.approx(
            float(POINT({"cold.temperature": COLD[i], "hot.temperature": HOT[j]})), rel=1e-12
        )
    assert np.all(table.status == 0)


def test_names_units_and_the_base_point_are_recorded(table):
    assert (
        table.J_c.attrs["units"] == "E^2"
        and table.cop.attrs["units"] == "1"
        and table["cold.temperature"].attrs["units"] == "E"
    )
    assert (
        table.attrs["machine"] == "CollectiveRefrigerator"
        and table.attrs["qtd"] == qtd.__version__
        and table.attrs["jax"] == jax.__version__
    )
    assert (
        json.loads(table.attrs["parameters"])["work.temperature"] == 1000
        and json.loads(table.attrs["options"])["num_spins"] == 3
    )
    assert (
        dict(zip(table.status.attrs["flag_meanings"].split(), table.status.attrs["flag_values"]))[
            "INVALID_PARAMETER"
        ]
        == 1
    )


def test_the_dataset_goes_through_zarr_and_netcdf(table, tmp_path):
    table.to_zarr(tmp_path / "copy.zarr")
    table.to_netcdf(tmp_path / "copy.nc")
    for copy in (xr.open_zarr(tmp_path / "copy.zarr"), xr.open_dataset(tmp_path / "copy.nc")):
        xr.testing.assert_equal(copy.load(), table)
        assert copy.attrs == table.attrs and copy.J_c.attrs["units"] == "E^2"


def test_points_outside_the_domain_get_their_status_and_spoil_no_neighbour(table):
    cold = COLD.copy()
    cold[[0, 3]] = [-0.1, 0.0]
    spoilt = qtd.sweep(MACHINE, {"cold.temperature": cold, "hot.temperature": HOT}, OBSERVE)
    bad = np.array([True, False, False, True, False, False, False])
    assert np.all(spoilt.status[bad] == qtd.Status.INVALID_PARAMETER) and np.all(
        np.isnan(spoilt.J_c[bad])
    )
    np.testing.assert_array_equal(spoilt.J_c[~bad], table.J_c[~bad])
    assert np.all(spoilt.status[~bad] == 0)


def test_demons_that_do_not_exist_are_told_from_those_that_do():
    found = qtd.sweep(
        qtd.machines.NDemon(),
        {"cold.temperature": np.array([1e-3, 0.5, 0.8])},
        ["J_cold", "margin"],
    )
    assert int(found.status[0]) == qtd.Status.NO_OCCUPATION and np.isnan(found.J_cold[0])
    assert (
        int(found.status[2]) == 0
        and np.isfinite(found.J_cold[2])
        and found.margin.attrs["units"] == "1"
    )


def test_green_functions_that_fail_say_so():
    strengths = {f"{name}.spectral_density.strength": 0.1 for name in ("hot", "sink", "cold")}
    machine = qtd.replace(qtd.machines.ResonatorRefrigerator(), strengths)

    def point(m):
        return m.operate("keldysh")

    observe = {"J": lambda m: point(m).heat_currents["cold"]}
    found = qtd.sweep(
        machine, {"shift": np.array([0.02, 5.0, 0.03])}, observe, status=lambda m: point(m).status
    )
    assert found.status.values.tolist() == [0, qtd.Status.UNRESOLVED, 0]
    assert np.isnan(found.J).values.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "over",
    [
        {"energies[0]": [21.0], "energies[00]": [21.0]},
        {"energies": [[21.0, 21.5]], "energies[1]": [21.0]},
        {"rates[1,01]": [1.0], "rates[1,1]": [1.0]},
    ],
)
def test_one_number_under_two_names_is_refused(over):
    with pytest.raises(
        ValueError, match="`over` gives a number twice, by .* and by .*; leave one of them out"
    ):
        qtd.sweep(qtd.machines.FiniteReservoirs(), over, ["J_0"])
    if "energies" not in over:
        with pytest.raises(ValueError, match="`over` gives a number twice"):
            qtd.design.maximize(
                lambda m: m.energies[0],
                qtd.machines.FiniteReservoirs(),
                dict.fromkeys(over, (1.0, 2.0)),
            )


def test_figures_are_observed_by_name():
    found = qtd.sweep(MACHINE, {"cold.temperature": COLD}, ["J_cold", "sigma"])
    np.testing.assert_allclose(
        found.J_cold, [POINT({"cold.temperature": x}) for x in COLD], rtol=1e-12
    )


def test_gradients_are_observables():
    paths = ["cold.temperature", "work.spectral_density.width"]
    found = qtd.sweep(
        MACHINE,
        {"cold.temperature": COLD},
        {"J": cooling, "dJ": qtd.sweeps.gradient(cooling, paths), "all": jax.grad(cooling)},
    )
    slope = jax.jit(jax.grad(lambda t: cooling(qtd.replace(MACHINE, {"cold.temperature": t}))))
    np.testing.assert_allclose(found["dJ.cold.temperature"], [slope(x) for x in COLD], rtol=1e-10)
    for path in paths:
        np.testing.assert_allclose(found[f"all.{path}"], found[f"dJ.{path}"], rtol=1e-12)


def test_arrays_are_observables_and_parameters():
    gases = qtd.gases.FermiGas(np.array([0.6, 1.0]), np.array([20.8, 16.0]), closure="sommerfeld")
    machine = qtd.machines.FiniteReservoirs(gases=gases)
    pairs = np.array([[0.5, 1.0], [0.6, 1.0], [0.7, 0.9]])
    found = qtd.sweep(machine, {"gases.temperature": pairs}, {"P": lambda m: m.operate().particles})
    assert found.P.shape == (3, 2) and found["gases.temperature"].shape == (3, 2)
    for pair, flow in zip(pairs, found.P.values):
        np.testing.assert_allclose(
            flow, qtd.replace(machine, {"gases.temperature": pair}).operate().particles, rtol=1e-12
        )


def test_designs_other_than_grids():
    lists = qtd.sweeps.zipped({"cold.temperature": COLD, "hot.temperature": COLD + 1})
    found = qtd.sweep(MACHINE, lists, OBSERVE)
    assert found.J_c.dims == ("point",) and set(found.coords) == {
        "point",
        "cold.temperature",
        "hot.temperature",
    }
    np.testing.assert_allclose(
        found.J_c[2],
        POINT({"cold.temperature": COLD[2], "hot.temperature": COLD[2] + 1}),
        rtol=1e-12,
    )
    box = {"cold.temperature": (0.3, 1.0), "work.spectral_density.width": (1e-3, 1e-1, "log")}
    for design in (qtd.sweeps.sobol, qtd.sweeps.random):
        both = qtd.sweep(MACHINE, [design(box, 6, seed=1), {"hot.temperature": HOT}], OBSERVE)
        assert both.J_c.shape == (6, 5)
        width = both["work.spectral_density.width"].values
        assert np.all((width > 1e-3) & (width < 1e-1)) and np.median(width) < 0.05
        there = {path: float(both[path][4]) for path in box} | {"hot.temperature": HOT[3]}
        np.testing.assert_allclose(both.J_c[4, 3], POINT(there), rtol=1e-12)


def test_a_sobol_design_is_even():
    points = qtd.sweeps.sobol({"a": (0.0, 1.0), "b": (0.0, 1.0)}, 64).values
    counts, _, _ = np.histogram2d(points["a"], points["b"], bins=8, range=[[0, 1], [0, 1]])
    assert np.all(counts == 1)


@pytest.mark.parametrize(
    "shape",
    [(1,), (7,), (100_003,), (3, 5), (1000, 1000), (10, 1, 999), (2, 3, 5, 7), (300_000_000,)],
)
def test_blocks_cover_every_point_once(shape):
    from qtd.sweeps._layout import laid_out

    layout = laid_out(shape, 256, 33)
    regions = [layout.region(i) for i in range(layout.blocks)]
    sizes = [int(np.prod([part.stop - part.start for part in region])) for region in regions]
    assert sum(sizes) == np.prod(shape) and max(sizes) <= layout.points <= 2**18
    assert len({tuple((part.start, part.stop) for part in region) for region in regions}) == len(
        regions
    )
    assert len(regions) >= min(16, np.prod(shape)) and layout.batch % 8 == 0 and layout.batch <= 256
    if np.prod(shape) < 1e6:
        seen = np.zeros(shape, int)
        for region in regions:
            seen[region] += 1
        assert np.all(seen == 1)


def test_blocks_of_large_records_stay_small():
    from qtd.sweeps._layout import laid_out

    assert (
        laid_out((1000, 1000), 256, 10_000).points * 10_000 <= 2**25
        and laid_out((10,), 256, 2**30).points == 1
    )


def test_arrays_that_observables_hold_tell_stores_apart(tmp_path):
    """Not only the text of a program, but its constants."""

    def weighted(weights):
        return {"x": lambda m: (jnp.asarray(weights) * m.operate().heat_currents["cold"]).sum()}

    qtd.sweep(MACHINE, OVER, weighted(np.arange(64.0)), store=tmp_path / "map.zarr")
    qtd.sweep(MACHINE, OVER, weighted(np.arange(64.0)), store=tmp_path / "map.zarr", resume=True)
    with pytest.raises(ValueError, match="its observables, or what"):
        qtd.sweep(
            MACHINE, OVER, weighted(np.arange(64.0)[::-1]), store=tmp_path / "map.zarr", resume=True
        )


def test_small_differences_of_parameters_are_kept():
    """The trap: constants that differ in the tenth digit were taken for one."""
    near = np.float64(1e-9)

    def at(m, factor):
        return cooling(qtd.replace(m, {"cold.temperature": m.cold.temperature * factor}))

    def slope(m):
        return (at(m, 1 + near) - at(m, 1 - near)) / (2 * near * m.cold.temperature)

    found = qtd.sweep(
        MACHINE,
        {"cold.temperature": COLD},
        {"slope": slope, "dJ": qtd.sweeps.gradient(cooling, ["cold.temperature"])},
    )
    np.testing.assert_allclose(found.slope, found["dJ.cold.temperature"], rtol=1e-4)


def test_records_of_any_kind():
    observe = {
        "none": lambda m: jnp.zeros((2, 0)),
        "count": lambda m: jnp.arange(3),
        "cools": lambda m: cooling(m) > 0,
    }
    found = qtd.sweep(MACHINE, {"cold.temperature": COLD}, observe)
    assert (
        found.none.shape == (7, 2, 0)
        and found["count"].values[4].tolist() == [0, 1, 2]
        and found.cools.dtype == bool
    )


def test_units_can_be_given(table):
    found = qtd.sweep(
        MACHINE,
        OVER,
        {"J": cooling, "one": lambda m: 1.0},
        units={"J": "fW", "cold.temperature": "mK"},
    )
    assert (
        found.J.attrs["units"] == "fW"
        and found["cold.temperature"].attrs["units"] == "mK"
        and np.all(found.one == 1)
    )


def test_everything_is_compiled_once(tmp_path):
    """A program for each block, or one for the last, smaller one, would be a trap: compilation
    takes seconds."""
    compilations = []

    def listen(event, duration, **_):
        return compilations.append(event) if event.endswith("backend_compile_duration") else None

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        qtd.sweep(
            MACHINE,
            {"cold.temperature": np.linspace(0.31, 1, 997)},
            OBSERVE,
            store=tmp_path / "s.zarr",
        )
        count = len(compilations)
        qtd.sweep(
            MACHINE,
            {"cold.temperature": np.linspace(0.31, 1, 997)},
            OBSERVE,
            store=tmp_path / "s.zarr",
            resume=True,
        )
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert count == 1 and len(compilations) == 1


def test_a_finished_store_opens_as_it_was_written(tmp_path):
    found = qtd.sweep(MACHINE, OVER, OBSERVE, store=tmp_path / "map.zarr")
    again = qtd.sweep(MACHINE, OVER, OBSERVE, store=tmp_path / "map.zarr", resume=True)
    xr.testing.assert_identical(found.load(), again.load())
    xr.testing.assert_identical(
        xr.open_zarr(tmp_path / "map.zarr", consolidated=False)[list(found)].load(), found
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.zarr"]


def test_resume_computes_what_is_not_finished_and_nothing_else(tmp_path, table, monkeypatch):
    qtd.sweep(MACHINE, OVER, OBSERVE, store=tmp_path / "map.zarr")
    group = zarr.open_group(str(tmp_path / "map.zarr"), mode="r+")
    lost = list(range(1, qtd.sweeps._store.Store(group).layout.blocks, 2))
    for number in lost:
        group["progress/finished"][number] = False
    computed, write = [], qtd.sweeps._store.Store.write
    monkeypatch.setattr(
        qtd.sweeps._store.Store,
        "write",
        lambda self, number, found: (computed.append(number), write(self, number, found)),
    )
    again = qtd.sweep(MACHINE, OVER, OBSERVE, store=tmp_path / "map.zarr", resume=True)
    assert sorted(computed) == lost and np.all(np.asarray(group["progress/finished"][:]))
    xr.testing.assert_identical(again.load(), table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"machine": qtd.replace(MACHINE, {"work.temperature": 900.0})},
            "work.temperature is 1000.0 there and 900.0 here",
        ),
        (
            {"machine": qtd.machines.CollectiveRefrigerator(num_spins=5)},
            "options: num_spins is 3 there and 5 here",
        ),
        (
            {"over": {"cold.temperature": COLD, "hot.temperature": HOT + 1}},
            "its values of hot.temperature",
        ),
        ({"over": {"hot.temperature": HOT, "cold.temperature": COLD}}, "dimensions is"),
        (
            {"over": qtd.sweeps.zipped({"cold.temperature": COLD, "hot.temperature": COLD})},
            "dimensions is",
        ),
        ({"observe": {"J_c": cooling}}, "observables is"),
        (
            {"observe": {"J_c": lambda m: 2 * cooling(m), "cop": lambda m: m.operate().cop}},
            "its observables, or what",
        ),
    ],
    ids=["parameters", "options", "values", "order", "kind", "names", "functions"],
)
def test_resume_refuses_the_store_of_another_sweep(tmp_path, change, words):
    store = tmp_path / "map.zarr"
    first = qtd.sweep(MACHINE, OVER, OBSERVE, store=store).load()
    with pytest.raises(ValueError, match=words):
        qtd.sweep(
            **({"machine": MACHINE, "over": OVER, "observe": OBSERVE} | change),
            store=store,
            resume=True,
        )
    xr.testing.assert_identical(
        qtd.sweep(MACHINE, OVER, OBSERVE, store=store, resume=True).load(), first
    )


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        machine = qtd.machines.CollectiveRefrigerator(num_spins=3)
        found = qtd.sweep(machine, {"cold.temperature": COLD}, OBSERVE)
        assert not jax.config.jax_enable_x64
    assert jax.config.jax_enable_x64  # a sweep leaves jax as it was
    assert found.J_c.dtype == np.float32 and found.attrs["precision"] == "float32"
    np.testing.assert_allclose(found.J_c, [POINT({"cold.temperature": x}) for x in COLD], rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"over": {"cold.temprature": COLD}}, "did you mean cold.temperature"),
        ({"over": {"cold.temperature": 0.5}}, "must be a list of values"),
        ({"over": {"cold.temperature": np.zeros((2, 2))}}, "must have the shape"),
        ({"over": {"cold.temperature": []}}, "must have the shape"),
        ({"over": {"cold.temperature": ["warm"]}}, "must be real numbers"),
        ({"over": {}}, "`over` must name a parameter"),
        (
            {"over": [qtd.sweeps.zipped({"cold.temperature": COLD}), {"cold.temperature": COLD}]},
            "'cold.temperature' twice",
        ),
        ({"over": 3}, "`over` must be a mapping"),
        ({"observe": ["J_kold"]}, "did you mean J_cold"),
        ({"observe": {}}, "`observe` must name"),
        ({"observe": {"status": cooling}}, "uses the name 'status'"),
        ({"observe": {"": cooling}}, "must not use the name ''"),
        ({"observe": {"x": 3}}, "must be a function of the machine"),
        (
            {"observe": {"a": lambda m: {"b": cooling(m)}, "a.b": cooling}},
            "uses the name 'a.b' twice",
        ),
        (
            {"over": [qtd.sweeps.zipped({"cold.temperature": COLD}, name="status")]},
            "must not use the name 'status' for a dimension",
        ),
        (
            {"over": [qtd.sweeps.zipped({"cold.temperature": COLD}, name="my points")]},
            "have a space or /",
        ),
        ({"observe": {"cold.temperature": cooling}}, "must not use the name 'cold.temperature'"),
        ({"observe": {"mode": lambda m: None}}, "returns no number"),
        ({"units": {"J": "W"}}, "`units` names nothing that is called 'J'"),
        ({"client": object()}, "`client` needs a `store`"),
        (
            {"over": VAST},
            r"`over` has 1e\+15 points, which would take .* GB of memory, .*; take fewer values, .*"
            r" or give a `store`",
        ),
        (
            {"over": VAST, "store": "vast.zarr"},
            "GB of memory, where .*; take fewer values, or sweep one part after the other",
        ),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        qtd.sweep(**({"machine": MACHINE, "over": OVER, "observe": OBSERVE} | arguments))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: qtd.sweeps.zipped({"a": [1, 2], "b": [1]}), "lists of one length"),
        (lambda: qtd.sweeps.sobol({"a": (1.0, 0.0)}, 4), r"must be \(low, high\)"),
        (lambda: qtd.sweeps.random({"a": (0.0, 1.0, "log")}, 4), "low > 0"),
        (lambda: qtd.sweeps.sobol({"a": (1.0,)}, 4), r"must be \(low, high\)"),
        (lambda: qtd.sweeps.sobol({"a": ("x", 1.0)}, 4), r"must be \(low, high\)"),
        (lambda: qtd.sweeps.random({"a": (0.0, 1.0)}, 0), "`points` must be a positive integer"),
        (lambda: qtd.sweeps.random({"a": (0.0, 1.0)}, 10**12), "GB of memory, .*; take fewer"),
        (
            lambda: qtd.sweeps.sobol({"a": (0.0, 1.0), "b": (0.0, 1.0)}, 10**30),
            "GB of memory, .*; take fewer",
        ),
    ],
)
def test_bad_designs_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_store_that_exists_is_not_overwritten(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="exists; finish it with resume=True"):
        qtd.sweep(MACHINE, OVER, OBSERVE, store=tmp_path / "full")
    with pytest.raises(ValueError, match="exists and holds no sweep"):
        qtd.sweep(MACHINE, OVER, OBSERVE, store=tmp_path / "full", resume=True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_any_network_can_be_swept():
    """Machines are not needed: anything with parameters will do."""
    filters = {
        name: qtd.spectral.Lorentzian(center, 0.1, 1.0)
        for name, center in (("cold", 1.0), ("work", 4.0), ("hot", 5.0))
    }
    reservoirs = {
        name: qtd.Reservoir(t, spectral_density=filters[name])
        for name, t in (("cold", 0.5), ("work", 100.0), ("hot", 1.0))
    }
    jumps = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]
    network = qtd.RateNetwork(
        energies=[0.0, 1.0, 5.0], particles=[0, 0, 0], jumps=jumps, reservoirs=reservoirs
    )
    observe = {
        "J_cold": lambda net: qtd.operate(net, cooled="cold", driven_by="work").heat_currents[
            "cold"
        ]
    }
    found = qtd.sweep(network, {"reservoirs.cold.temperature": np.array([0.4, -1.0, 0.5])}, observe)
    assert float(found.J_cold[2]) == pytest.approx(float(observe["J_cold"](network)), rel=1e-12)
    assert found.status.values.tolist() == [0, qtd.Status.INVALID_PARAMETER, 0]
    # What one observable cannot say is no reason to forget the others.
    observe["ratio"] = lambda net: 1 / (net.reservoirs["cold"].temperature - 0.5)
    both = qtd.sweep(network, {"reservoirs.cold.temperature": np.array([0.4, 0.5])}, observe)
    assert np.isfinite(both.J_cold).all() and not np.isfinite(both.ratio[1])
    named = qtd.sweep(
        network, {"reservoirs.cold.temperature": np.array([0.4, -1.0])}, ["J_cold", "sigma"]
    )
    assert float(named.J_cold[0]) == float(both.J_cold[0]) and named.J_cold.units == "E^2"
    assert named.status.values.tolist() == [0, qtd.Status.INVALID_PARAMETER] and np.isnan(
        named.sigma[1]
    )
    # What is not at rest can be swept all the same.
    qubit = qtd.Lindbladian(
        {"gap": (1.0, np.diag([0.0, 1.0]))},
        {"bath": np.zeros((2, 2))},
        {"bath": reservoirs["cold"]},
    )
    kept = qtd.sweep(
        qubit,
        {"bare.gap": [1.0, 2.0]},
        {"p": lambda system: qtd.evolution.relax(system, [0.0, 1.0], 1.0)[1, 1].real},
    )
    assert kept.status.values.tolist() == [0, 0] and np.allclose(kept.p, 1.0)
    with pytest.raises(ValueError, match="`system` must be a network"):
        qtd.sweep(network.reservoirs["cold"], {"temperature": np.array([0.4])}, ["J_cold"])


def test_progress_counts_points(capsys, tmp_path):
    qtd.sweep(MACHINE, OVER, OBSERVE, progress=True)
    shown = capsys.readouterr().err
    assert "35.0/35.0" in shown and "point/s" in shown
    qtd.sweep(MACHINE, OVER, OBSERVE)
    assert capsys.readouterr().err == ""


def test_reading_a_jax_array_as_values_is_the_same(table):
    np.testing.assert_array_equal(
        qtd.sweep(MACHINE, {k: jnp.asarray(v) for k, v in OVER.items()}, OBSERVE).J_c, table.J_c
    )
