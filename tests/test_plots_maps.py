import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from qtd.plots import lines, operating_map

UNITS = {"J_cold": "E^2", "J_hot": "E^2", "COP": "1", "sigma": "E"}


def sweep(hot, cold, **more):
    """A made-up refrigerator: it cools where the cold reservoir is warmer than half the hot one,
    best for the coldest hot reservoir."""
    axes = {"hot.temperature": hot, "cold.temperature": cold, **more}
    hot, cold, *_ = np.meshgrid(*axes.values(), indexing="ij")
    cooling = cold - hot / 2
    values = {"J_cold": cooling, "J_hot": -2 * cooling, "COP": cooling / hot, "sigma": cooling**2}
    return xr.Dataset(
        {name: (tuple(axes), value, {"units": UNITS[name]}) for name, value in values.items()}
        | {"status": (tuple(axes), np.zeros(hot.shape, np.int8))},
        coords={name: (name, value, {"units": "E"}) for name, value in axes.items()},
        attrs={"machine": "CollectiveRefrigerator"},
    )


@pytest.fixture
def grid():
    return sweep(np.linspace(1.0, 2.0, 11), np.linspace(0.4, 1.2, 9))


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(figure):
    """The first axes, after a rendering without complaint."""
    figure.savefig(io.BytesIO(), format="png", dpi=50)
    return figure.axes[0]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def mesh(ax):
    (found,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return found


def at_points(ax, grid):
    """Colours, as numbers, in the middle of the cell of every point, (y, x)."""
    shape = len(grid["cold.temperature"]), len(grid["hot.temperature"])
    rows, columns = (
        (np.arange(count) + 0.5) * size / count
        for size, count in zip(mesh(ax).get_array().shape, shape)
    )
    return mesh(ax).get_array()[np.ix_(rows.astype(int), columns.astype(int))]


def star(ax):
    found = [line for line in ax.lines if line.get_marker() == "*"]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in found]


def patch(ax, label):
    (found,) = [p for p in ax.findobj(PathPatch) if p.get_label() == label]
    return found


def test_a_map_is_labelled_with_symbols_and_units(grid):
    ax = drawn(operating_map(grid, "J_cold"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "hot.temperature  ($E$)",
        "cold.temperature  ($E$)",
    )
    assert mesh(ax).colorbar.ax.get_ylabel() == r"$J_{\mathrm{cold}}$  ($E^{2}$)"
    assert ax.get_title(loc="left") == "CollectiveRefrigerator"
    assert mesh(drawn(operating_map(grid, "COP"))).colorbar.ax.get_ylabel() == "COP"


def test_cells_are_coloured_where_the_machine_cools_and_grey_elsewhere(grid):
    ax = drawn(operating_map(grid, "J_cold"))
    values = grid.J_cold.transpose("cold.temperature", "hot.temperature").to_numpy()
    assert np.array_equal(~np.ma.getmaskarray(at_points(ax, grid)), values > 0)
    grey = patch(ax, r"$J_{\mathrm{cold}}$ ≤ 0").get_path()
    corners = np.stack(
        np.meshgrid(grid["hot.temperature"], grid["cold.temperature"]), axis=-1
    ).reshape(-1, 2)
    assert np.array_equal(grey.contains_points(corners), values.ravel() <= 0)
    assert r"$J_{\mathrm{cold}}$ = 0" in legend(ax)


def test_colours_and_border_lie_on_straight_lines_between_the_points(grid):
    """The made-up current is linear, so that these are exact between its points."""
    ax = drawn(operating_map(grid, "J_cold"))
    edges, shown = mesh(ax).get_coordinates(), mesh(ax).get_array()
    x, y = np.moveaxis((edges[1:, 1:] + edges[:-1, :-1]) / 2, -1, 0)
    inside = (x > 1) & (x < 2) & (y > 0.4) & (y < 1.2)
    assert np.array_equal(~np.ma.getmaskarray(shown)[inside], (y - x / 2 > 1e-12)[inside])
    assert np.allclose((shown - (y - x / 2))[inside], 0, atol=1e-12)


def test_cells_beside_a_gap_or_a_status_keep_the_colour_of_their_point(grid):
    grid["J_cold"][3, 6] = np.nan
    grid["status"][7, 7] = 6
    shown = mesh(drawn(operating_map(grid, "J_cold"))).get_array()
    parts = shown.shape[0] // 9, shown.shape[1] // 11
    for i, j in ((3, 7), (7, 7), (6, 6)):  # above the gap, the doubtful one, and one beside it
        cell = shown[j * parts[0] : (j + 1) * parts[0], i * parts[1] : (i + 1) * parts[1]]
        towards = cell[: parts[0] // 2] if (i, j) == (3, 7) else cell[parts[0] // 2 + 1 :]
        towards = towards[:, parts[1] // 2 + 1 :]
        assert np.ptp(towards) == 0 and towards[0, 0] == grid.J_cold[i, j], (i, j)
    assert np.ma.getmaskarray(shown)[6 * parts[0] : 7 * parts[0], 3 * parts[1] : 4 * parts[1]].all()


def test_validity_is_hatched_and_lined_where_the_theory_ends(grid):
    ratio = 10 ** (4 * (grid["hot.temperature"] - 1.5) + 0 * grid.J_cold - 0.5)
    ax = drawn(operating_map(grid.assign(validity=ratio), "J_cold"))
    assert {"validity > 0.1", "validity > 1"} <= set(legend(ax))
    light, dense = (patch(ax, f"validity > {limit:g}") for limit in (0.1, 1))
    assert len(light.get_hatch()) < len(dense.get_hatch())
    points = [(hot, 0.8) for hot in (1.2, 1.45, 1.8)]
    assert light.get_path().contains_points(points).tolist() == [False, True, False]
    assert dense.get_path().contains_points(points).tolist() == [False, False, True]
    assert {"0.1", "1"} <= {text.get_text() for text in ax.texts}
    safe = drawn(operating_map(grid.assign(validity=ratio / 1e3), "J_cold"))
    assert not any("validity" in text for text in legend(safe))


def test_edges_lie_between_the_points_on_the_scale_of_each_axis():
    hot = np.geomspace(0.1, 10, 5)
    ax = drawn(operating_map(sweep(hot, np.linspace(0.4, 1.2, 5)), "J_cold"))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    edges = mesh(ax).get_coordinates()
    parts = (len(edges) - 1) // 5  # of each cell
    assert parts % 2 == 1
    assert np.allclose(edges[0, ::parts, 0], 0.1 * np.sqrt(10) ** (np.arange(6) - 0.5))
    assert np.allclose(edges[::parts, 0, 1], 0.4 + 0.2 * (np.arange(6) - 0.5))
    assert np.allclose(ax.get_xlim(), edges[0, [0, -1], 0])


def test_the_star_is_the_largest_value_of_status_ok(grid):
    ax = drawn(operating_map(grid, "J_cold"))
    assert star(ax) == [(1.0, 1.2)]
    assert (
        r"largest $J_{\mathrm{cold}}$: 0.7 $E^{2}$"
        + "\nat hot.temperature = 1, cold.temperature = 1.2"
        in legend(ax)
    )
    grid["status"][{"hot.temperature": 0}] = 6
    assert star(drawn(operating_map(grid, "J_cold"))) == [(1.1, 1.2)]


def test_axes_can_be_swapped_and_unsorted_values_are_sorted(grid):
    shuffled = grid.isel({"hot.temperature": np.random.default_rng(0).permutation(11)})
    ax = drawn(operating_map(shuffled, "J_cold", x="cold.temperature"))
    assert ax.get_xlabel().startswith("cold.temperature") and star(ax) == [(1.2, 1.0)]
    assert np.all(np.diff(mesh(ax).get_coordinates()[:, 0, 1]) > 0)


def test_points_without_a_number_or_with_a_status_are_hatched_by_kind(grid):
    grid["J_cold"][0, 0] = np.nan
    grid["status"][0, 0] = 2
    grid["J_cold"][5, 4] = np.inf
    grid["status"][10, 8] = -1
    grid["status"][10, 7] = 99
    ax = drawn(operating_map(grid, "J_cold"))
    kinds = ["no unique steady state", "no number", "not computed yet", "status 99"]
    assert (
        set(kinds) <= set(legend(ax)) and len({patch(ax, kind).get_hatch() for kind in kinds}) == 4
    )
    assert np.allclose(
        patch(ax, "no number").get_path().get_extents().get_points(), [[1.45, 0.75], [1.55, 0.85]]
    )


def test_contours_carry_values_of_the_second_observable(grid):
    ax = drawn(operating_map(grid, "J_cold", contours="COP"))
    (lines_of_cop,) = [
        c for c in ax.collections if not isinstance(c, QuadMesh) and len(c.levels) > 1
    ]
    assert np.allclose(lines_of_cop.levels, [0.2, 0.4, 0.6])
    texts = {text.get_text() for text in ax.texts}
    assert (
        texts and texts <= {f"{level:g}" for level in lines_of_cop.levels} and "COP" in legend(ax)
    )
    # Only where it cools.
    assert (
        np.concatenate([path.vertices for path in lines_of_cop.get_paths()]) @ [-0.5, 1] > 0
    ).all()


def test_a_constant_second_observable_is_stated_instead_of_traced(grid):
    noise = 1e-12 * np.random.default_rng(0).normal(size=grid.COP.shape)
    assert "COP = 0.5 throughout" in legend(
        drawn(operating_map(grid.assign(COP=0 * grid.COP + 0.5 + noise), "J_cold", contours="COP"))
    )


def test_another_observable_can_tell_where_the_machine_works(grid):
    ratio = grid.assign(COP=abs(grid.COP) + 5 * (grid.J_cold < 0))
    ax = drawn(operating_map(ratio, "COP", where="J_cold"))
    assert star(ax) == [(1.0, 1.2)] and r"$J_{\mathrm{cold}}$ ≤ 0" in legend(ax)
    assert star(drawn(operating_map(ratio, "COP"))) != [(1.0, 1.2)]
    cooling = operating_map(grid.assign(COP=grid.COP.where(grid.J_cold > 0)), "COP", where="J_cold")
    assert "no number" not in legend(drawn(cooling))
    unknown = operating_map(grid.assign(J_cold=grid.J_cold * np.nan), "COP", where="J_cold")
    assert legend(drawn(unknown)) == ["no number"]


def test_signed_maps_colour_both_sides_of_zero_alike(grid):
    ax = drawn(operating_map(grid, "J_hot", signed=True))
    assert not np.ma.getmaskarray(mesh(ax).get_array()).any() and not star(ax)
    low, high = mesh(ax).get_clim()
    assert low == -high and legend(ax) == [r"$J_{\mathrm{hot}}$ = 0"]


def test_colours_are_logarithmic_for_values_decades_apart(grid):
    assert (
        mesh(
            drawn(operating_map(grid.assign(TUR_cold=10 ** (8 * grid.J_cold)), "TUR_cold"))
        ).norm.__class__.__name__
        == "LogNorm"
    )
    assert mesh(drawn(operating_map(grid, "J_cold"))).norm.__class__.__name__ == "Normalize"


def test_maps_without_a_good_point_say_so(grid):
    grid["J_cold"] = -abs(grid.J_cold) - 1
    ax = drawn(operating_map(grid, "J_cold", contours="COP"))
    assert "J_cold is nowhere positive" in ax.get_title(loc="left") and not star(ax)
    grid["J_cold"] = grid.J_cold * np.nan
    for signed in (False, True):
        ax = drawn(operating_map(grid, "J_cold", contours="COP", signed=signed))
        assert "no numbers" in ax.get_title(loc="left") and legend(ax) == ["no number"]
        assert [text.get_text() for text in ax.texts] == ["no numbers"]
    assert drawn(operating_map(0 * grid.assign(J_cold=grid.COP), "J_cold", signed=True))


def test_fixed_parameters_are_in_the_title():
    cube = sweep(
        np.linspace(1, 2, 5), np.linspace(0.4, 1.2, 4), **{"work.temperature": [10.0, 20.0]}
    )
    for chosen in (cube.sel({"work.temperature": 20.0}), cube.isel({"work.temperature": [1]})):
        assert (
            drawn(operating_map(chosen, "J_cold")).get_title(loc="left")
            == "CollectiveRefrigerator;  work.temperature = 20"
        )


def test_a_dimension_of_one_value_is_drawn_when_it_is_asked_for(grid):
    row = grid.isel({"hot.temperature": [0]})
    ax = drawn(
        operating_map(row, "J_cold", x="hot.temperature", y="cold.temperature", contours="COP")
    )
    assert np.allclose(mesh(ax).get_coordinates()[0, :, 0], [0.95, 1.05])


def test_a_large_map_is_a_few_objects_of_which_the_mesh_is_an_image():
    large = sweep(np.linspace(1, 2, 300), np.linspace(0.4, 1.2, 300))
    large["J_cold"] = large.J_cold.where(np.random.default_rng(0).random(large.J_cold.shape) > 0.2)
    ax = drawn(operating_map(large, "J_cold"))
    assert len(ax.get_children()) < 30
    assert [child for child in ax.get_children() if child.get_rasterized()] == [mesh(ax)]


def test_maps_refuse_what_they_cannot_draw(grid):
    with pytest.raises(ValueError, match="no observable 'J_cld'; close: 'J_cold'"):
        operating_map(grid, "J_cld")
    with pytest.raises(
        ValueError, match="no observable 'zzz'; it has 'J_cold', 'J_hot', 'COP', 'sigma', 'status'"
    ):
        operating_map(grid, "J_cold", contours="zzz")
    with pytest.raises(
        ValueError,
        match="No dimension of this sweep is called 'cold'; it has 'hot.temperature',"
        " 'cold.temperature'",
    ):
        operating_map(grid, "J_cold", x="cold")
    with pytest.raises(
        ValueError,
        match="'J_cold' varies along 'hot.temperature', but 2 different dimensions are needed",
    ):
        operating_map(grid.isel({"cold.temperature": 0}), "J_cold")
    with pytest.raises(ValueError, match="2 different dimensions are needed"):
        operating_map(grid, "J_cold", x="hot.temperature", y="hot.temperature")
    cube = sweep([1.0, 2.0], [0.4, 1.2], **{"work.temperature": [10.0, 20.0]})
    with pytest.raises(
        ValueError,
        match=r"along 'hot.temperature', 'cold.temperature', 'work.temperature', but 2"
        r" .*dataset.sel",
    ):
        operating_map(cube, "J_cold")
    named = grid.assign_coords({"hot.temperature": [f"run {k}" for k in range(11)]})
    with pytest.raises(ValueError, match="'hot.temperature' holds no numbers"):
        operating_map(named, "J_cold")


def curves(ax):
    return [
        line for line in ax.lines if len(line.get_xdata()) > 2 and line.get_linestyle() != "None"
    ]


def test_lines_are_one_for_each_value_of_the_second_dimension(grid):
    few = grid.isel({"cold.temperature": [0, 4, 8]})
    ax = drawn(lines(few, "J_cold"))
    assert [line.get_label() for line in curves(ax)] == ["0.4", "0.8", "1.2"] == legend(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "hot.temperature  ($E$)",
        r"$J_{\mathrm{cold}}$  ($E^{2}$)",
    )
    assert ax.get_legend().get_title().get_text() == "cold.temperature  ($E$)"
    assert np.allclose(curves(ax)[1].get_ydata(), few.J_cold[:, 1])
    # The zero line.
    assert [list(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 2] == [[0, 0]]
    assert len(curves(drawn(lines(few, "J_cold", x="cold.temperature")))) == 11


def test_of_many_lines_eight_are_named():
    ax = drawn(lines(sweep(np.geomspace(0.1, 10, 50), np.linspace(0.4, 1.2, 20)), "J_cold"))
    assert (
        len(curves(ax)) == 20
        and len(legend(ax)) == 8
        and legend(ax)[0] == "0.4"
        and legend(ax)[-1] == "1.2"
    )
    assert "8 of 20 curves" in ax.get_legend().get_title().get_text() and ax.get_xscale() == "log"


def test_lines_break_where_there_is_no_number_and_crosses_mark_doubt(grid):
    one = grid.isel({"cold.temperature": 4}).copy(deep=True)
    one["J_cold"][3] = np.inf
    one["status"][7] = 6
    ax = drawn(lines(one, "J_cold"))
    (line,) = curves(ax)
    assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [3]
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert cross.get_xdata().tolist() == [one["hot.temperature"][7]] and "truncated" in legend(ax)
    assert ax.get_title(loc="left") == "CollectiveRefrigerator;  cold.temperature = 0.8"


def test_observables_of_one_unit_share_a_panel(grid):
    figure = lines(grid.isel({"cold.temperature": [0, 8]}), ["J_cold", "COP", "J_hot"])
    top, bottom = drawn(figure), figure.axes[1]
    assert len(figure.axes) == 2 and len(curves(top)) == 4 and len(curves(bottom)) == 2
    assert (
        top.get_ylabel() == r"$J_{\mathrm{cold}}$, $J_{\mathrm{hot}}$  ($E^{2}$)"
        and bottom.get_ylabel() == "COP"
    )
    assert (
        legend(top) == ["0.4", "1.2", r"$J_{\mathrm{cold}}$", r"$J_{\mathrm{hot}}$"]
        and legend(bottom) == []
    )
    assert len({line.get_linestyle() for line in curves(top)}) == 2
    with pytest.raises(ValueError, match="`ax` has room for one unit, but there are 2"):
        lines(grid, ["J_cold", "COP"], ax=Figure().subplots())


def test_a_list_of_points_is_drawn_along_any_of_its_coordinates():
    cold = [0.8, 0.4, 1.2]
    points = xr.Dataset(
        {"J_cold": ("point", [2.0, 1.0, 3.0], {"units": "E^2"})},
        coords={
            "cold.temperature": ("point", cold, {"units": "E"}),
            "hot.temperature": ("point", [1.0, 2.0, 3.0]),
        },
    )
    ax = drawn(lines(points, "J_cold", x="cold.temperature"))
    assert ax.get_xlabel() == "cold.temperature  ($E$)" and curves(ax)[0].get_ydata().tolist() == [
        1,
        2,
        3,
    ]
    assert drawn(lines(points, "J_cold")).get_xlabel() == "point"
    with pytest.raises(ValueError, match="varies along 'point', but 2 different dimensions"):
        operating_map(points, "J_cold")
    with pytest.raises(ValueError, match="2 different dimensions are needed"):
        operating_map(points, "J_cold", x="cold.temperature", y="hot.temperature")


def test_lines_accept_names_as_values_and_no_numbers_at_all(grid):
    named = grid.isel({"cold.temperature": [0, 1]}).assign_coords(
        {"cold.temperature": ["local", "global"]}
    )
    assert legend(drawn(lines(named, "J_cold"))) == ["local", "global"]
    assert drawn(lines(named, "J_cold", x="cold.temperature")).get_xlabel() == "cold.temperature"
    empty = drawn(lines(grid * np.nan, "J_cold"))
    assert "no numbers" in empty.get_title(loc="left") and "no numbers" in empty.texts[0].get_text()


def test_lines_refuse_more_than_two_dimensions():
    cube = sweep([1.0, 2.0], [0.4, 1.2], **{"work.temperature": [10.0, 20.0]})
    with pytest.raises(ValueError, match="2 dimensions are drawn"):
        lines(cube, "J_cold")


def test_drawings_go_where_they_are_told(grid):
    page = Figure(figsize=(12, 5), layout="constrained")
    left, right = page.subplots(1, 2)
    assert operating_map(grid, "J_cold", ax=left) is page and lines(grid, "COP", ax=right) is page
    assert drawn(page) is left and curves(right)


def test_importing_the_drawings_leaves_xarray_alone():
    code = "import sys, qtd; qtd.plots; print('xarray' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )
