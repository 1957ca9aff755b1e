"""Pages, opened in a browser: whatever they claim to show is there, and nothing comes from a
network."""

import json
import os
import re
import shlex
import shutil
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from selenium import webdriver

import qtd
from qtd.cli._machines import build
from qtd.findings import Finding, Severity
from qtd.machines import (
    CollectiveRefrigerator,
    FiniteReservoirs,
    NDemon,
    QubitRefrigerator,
    ResonatorRefrigerator,
)
from qtd.report._recipe import command
from qtd.report._verdict import verdict
from qtd.scattering import Conductor
from qtd.spectral import WideBand
from qtd.thermodynamics import AbstractPoint, Observable
from qtd.transmissions import BreitWigner

FRIDGE = qtd.replace(CollectiveRefrigerator(num_spins=5), {"cold.temperature": 1 / 3 + 0.2})
AUDIT = SimpleNamespace(
    findings=[
        Finding(Severity.FINE, "first law", "It holds; the number is -1e-16."),
        Finding(Severity.DOUBTFUL, "filters", "Wider than <levels> & more. Make them narrower."),
    ]
)


def missing(reason):
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a network."""
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    driver = shutil.which("chromedriver")
    if not (program and driver):
        missing("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--force-prefers-reduced-motion",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield chrome
    chrome.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a page from a file, at a width; after the test, nothing may have gone
    wrong or have been fetched."""

    def open_page(html, width=1200):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        (tmp_path / "page.html").write_text(html)
        browser.get((tmp_path / "page.html").as_uri())
        return browser

    browser.get_log("browser"), browser.get_log("performance")
    yield open_page
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)


@pytest.fixture(scope="module")
def table():
    return qtd.report.survey(FRIDGE)


@pytest.fixture(scope="module")
def fridge_page(table):
    return qtd.report.page(FRIDGE, title="A <cold> fridge", audit=AUDIT, table=table)


def texts(browser, selector):
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((x) => x.textContent)", selector
    )


def test_a_page_shows_the_machine_without_a_network(opened, fridge_page):
    browser = opened(fridge_page)
    assert texts(browser, "h1") == ["A <cold> fridge"] and browser.title == "A <cold> fridge"
    assert texts(browser, "h2") == [
        "Operating point",
        "Audit",
        "Pictures",
        "Elasticities of J_cold",
        "Parameters",
        "Again",
    ]
    assert texts(browser, "#audit tbody td, #audit tbody th") == [
        "▲ doubtful",
        "filters",
        "Wider than <levels> & more. Make them narrower.",
        "✓ fine",
        "first law",
        "It holds; the number is \N{MINUS SIGN}1·10⁻¹⁶.",
    ]
    linked = "return [...document.querySelectorAll('nav a')].map((a) => a.hash.slice(1))"
    links = browser.execute_script(linked)
    assert len(links) >= 9 and all(browser.find_elements("id", link) for link in links)
    pictures = (
        "return [...document.images].map((x) => [x.parentElement.id, x.complete &&"
        " x.naturalWidth, x.alt, x.src.slice(0, 19)])"
    )
    found = browser.execute_script(pictures)
    assert [name for name, *_ in found] == ["currents", "levels", "map", "sensitivities"]
    assert all(
        width > 100 and len(alt) > 40 and source == "data:image/svg+xml;"
        for _, width, alt, source in found
    )
    rows = dict(
        zip(
            texts(browser, "#point table:first-of-type tbody th"),
            texts(browser, "#point tbody td:nth-child(2)"),
        )
    )
    assert float(rows["J_cold"]) == pytest.approx(
        float(FRIDGE.operate().heat_currents["cold"]), rel=1e-9
    )
    written = dict(
        zip(texts(browser, "#parameters tbody th"), texts(browser, "#parameters tbody td.number"))
    )
    assert {path: float(written[path]) for path in qtd.parameters(FRIDGE)} == pytest.approx(
        {path: float(value) for path, value in qtd.parameters(FRIDGE).items()}, rel=1e-5
    )
    assert (
        written["num_spins"] == "5"
        and set(texts(browser, "#point td.good")) == {"yes"}
        and not texts(browser, "td.bad")
    )


@pytest.mark.parametrize("width", [390, 1200])
def test_pages_fit_the_screen_and_their_tables_have_headings(opened, fridge_page, table, width):
    for html in (fridge_page, qtd.report.explorer(table)):
        browser = opened(html, width)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        headed = (
            "return [...document.querySelectorAll('table')].every((t) => t.caption &&"
            " [...t.querySelectorAll('th')].every((h) => h.scope))"
        )
        assert (
            browser.execute_script(headed)
            and browser.execute_script("return document.documentElement.lang") == "en"
        )


@pytest.mark.parametrize(
    "machine",
    [
        FRIDGE,
        QubitRefrigerator("local", exchange=0.02),
        ResonatorRefrigerator((3, 4)),
        qtd.replace(FiniteReservoirs(), {"gases.temperature": [0.1, 1 / 3]}),
        NDemon(reference=0.7),
    ],
    ids=lambda machine: type(machine).__name__,
)
def test_the_command_makes_the_same_machine_again(machine):
    program, what, name, *settings = shlex.split(command(machine))
    assert (program, what) == ("qtd", "show")
    again = build(name, tuple(text for text in settings if text != "--set"), False)
    assert str(again) == str(machine)
    assert all(
        np.array_equal(value, qtd.parameters(again)[path])
        for path, value in qtd.parameters(machine).items()
    )


def test_no_command_is_given_where_none_makes_the_machine():
    ohmic = qtd.Reservoir(0.5, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))
    assert command(CollectiveRefrigerator(num_spins=5, cold=ohmic)) is None


def test_the_verdict_stands_above_the_operating_point(opened, fridge_page):
    browser = opened(fridge_page)
    (verdict,) = texts(browser, ".verdict strong")
    assert verdict == "These numbers are in doubt: wider than <levels> & more."
    before = (
        "return document.querySelector('.verdict').compareDocumentPosition("
        "document.getElementById('point')) & Node.DOCUMENT_POSITION_FOLLOWING"
    )
    assert browser.execute_script(before)
    # Shapes are for the eye; a screen reader has the word.
    hidden = "return [...document.querySelectorAll('.symbol')].every((x) => x.ariaHidden)"
    assert browser.execute_script(hidden)


WIDE = Finding(Severity.WRONG, "weak coupling", "Rates are large.", kind="validity")
NOTE = Finding(Severity.NOTE, "modes", "They lag.")
UNSURE = Finding(Severity.UNCHECKED, "systems", "Not looked at.")
SLOPE = Finding(Severity.WRONG, "gradients", "The derivative is off by 3e-05. Do not use it.")


@pytest.mark.parametrize(
    ("findings", "trusted", "sentence"),
    [
        ([NOTE, WIDE], False, "These numbers are wrong: {validity}."),
        ([SLOPE, WIDE], False, "These numbers are wrong: {validity}; as grave: gradients."),
        ([SLOPE], False, "These numbers are wrong: the derivative is off by 3e-05."),
        ([NOTE], True, "Nothing speaks against these numbers; mind the notes on modes."),
        ([NOTE, UNSURE], True, "Nothing speaks against these numbers that was checked; not"
         " checked: systems."),
        ([UNSURE], False, "Too little could be checked to trust these numbers."),
        ([NOTE._replace(severity=Severity.FINE)], True, "Nothing speaks against these numbers."),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence_on_the_gravest_finding(findings, trusted, sentence):
    point = FRIDGE.operate()
    rates = f"rates of 'work' are {float(point.validity):.2g} times the width of its filter"
    found = verdict(SimpleNamespace(findings=findings, trusted=trusted), point)
    assert found.sentence == sentence.format(validity=rates)
    assert found.severity == max(finding.severity for finding in findings)


def test_a_page_has_error_bars_where_it_is_told_how_well_parameters_are_known(opened, table):
    sigmas = {"cold.temperature": 0.01, "work.spectral_density.width": (1e-5, "absolute")}
    browser = opened(qtd.report.page(FRIDGE, table=table, sigmas=sigmas))
    names = texts(browser, "#point .stacked tbody th")
    values = browser.execute_script(
        "return [...document.querySelectorAll('#point .bar data')].map((x) => Number(x.value))"
    )
    bars = qtd.sensitivities.uncertainty(FRIDGE, names, sigmas)
    assert dict(zip(names, values)) == pytest.approx(
        {n: b.sigma for n, b in bars.items()}, rel=0.06
    )
    caption = texts(browser, "#point caption")[0]
    assert "cold.temperature 1 %, work.spectral_density.width 1·10⁻⁵" in caption
    assert not browser.find_elements("css selector", "#audit, .verdict")


def test_nothing_of_a_page_is_cut_in_print(opened, fridge_page):
    browser = opened(fridge_page, 680)  # A4 less its margins, in pixels
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        wider = "return [...document.querySelectorAll('.wide, figure, pre')].filter((x) =>"
        assert browser.execute_script(wider + " x.scrollWidth > x.clientWidth + 1).length") == 0
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 680
        plain = "return getComputedStyle(document.body).backgroundColor"
        assert browser.execute_script(plain) == "rgb(255, 255, 255)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_survey_holds_the_machine_itself_and_names_entries_of_arrays(table):
    point = FRIDGE.operate()
    here = table.sel(
        {"cold.temperature": float(FRIDGE.cold.temperature), "hot.temperature": 1.0},
        method="nearest",
    )
    assert (
        float(here.J_cold) == pytest.approx(float(point.heat_currents["cold"]), rel=1e-9)
        and table.attrs["observable"] == "J_cold"
    )
    assert float(here.validity) == pytest.approx(float(point.validity), rel=1e-9)
    gases = qtd.report.survey(FiniteReservoirs())
    assert gases.J_0.dims == ("gases.temperature[0]", "gases.chemical_potential[0]")
    assert (
        float(gases["gases.temperature[0]"][12]) == pytest.approx(0.6)
        and gases["gases.temperature[0]"].attrs["units"] == "E"
    )


def test_a_page_of_a_machine_beyond_its_validity_says_so():
    demon = qtd.replace(NDemon(), {"cold.temperature": 0.3, "energy_4": 1.95})
    html = qtd.report.page(demon)
    assert (
        "no occupation between 0 and 1 does this" in html
        and ">nan<" not in html
        and 'id="levels"' not in html
    )
    # No law is broken by what does not exist.
    assert "<td>undefined</td>" in html and 'class="bad"' not in html


class Rate(AbstractPoint):
    value: jax.Array
    status: jax.Array

    def observables(self):
        return {"J": Observable(self.value, "E^2", "a rate")}


class Boltzmann(qtd.machines.AbstractMachine):
    """gap exp(-gap / temperature) / scale: a machine of a user who offers observables and nothing
    else."""

    gap: jax.Array
    temperature: jax.Array
    scale: jax.Array

    def operate(self):
        value = self.gap * jnp.exp(-self.gap / self.temperature) / self.scale
        return Rate(value, jnp.asarray(0))


def test_a_machine_of_ones_own_that_offers_observables_alone_has_a_page(opened):
    machine = Boltzmann(jnp.array(1.0), jnp.array(0.5), jnp.array(2.0))
    browser = opened(qtd.report.page(machine, audit=qtd.audit(machine)))
    assert texts(browser, "h1") == ["Boltzmann"] and texts(browser, "header p")[0].startswith(
        "gap exp(-gap / temperature) / scale: "
    )
    assert texts(browser, "#point caption") == [
        "Currents are positive out of a reservoir; ħ = kB = 1, energies in one unit E."
    ]
    assert texts(browser, "#point tbody th") == ["J"] and not texts(browser, ".caution")
    rows = zip(texts(browser, "#slopes tbody th"), texts(browser, "#slopes tbody td:last-child"))
    minus = "\N{MINUS SIGN}1"
    assert dict(rows) == {"temperature": "+2", "gap": minus, "scale": minus}  # by hand
    opened(qtd.report.explorer(qtd.report.survey(machine)))


def test_a_class_without_a_docstring_is_not_described_by_its_signature():
    silent = type("Silent", (Boltzmann,), {"__annotations__": {}})
    html = qtd.report.page(silent(jnp.array(1.0), jnp.array(0.5), jnp.array(0.0)))
    assert "Silent(" not in html and "<p></p>" not in html
    assert "undefined" in html and ">nan<" not in html and ">-0<" not in html  # divided by 0


def test_what_is_no_machine_has_no_page():
    with pytest.raises(
        ValueError,
        match=r"`machine` must be an AbstractMachine, such as those of qtd\.machines, or a bare"
        r" system",
    ):
        qtd.report.page(FRIDGE.cold)


def test_a_bare_network_has_a_page_and_an_explorer(opened):
    network = FRIDGE.network()
    survey = qtd.report.survey(network)
    browser = opened(qtd.report.page(network, table=survey))
    assert texts(browser, "h1") == ["RateNetwork"] and "J_cold" in texts(browser, "#point tbody th")
    found = [image.get_attribute("alt") for image in browser.find_elements("tag name", "img")]
    assert len(found) == 4 and found[1].startswith("Energy levels")
    opened(qtd.report.explorer(survey))


def made_up():
    """Of (a, b, c), with a gap, a status, and a list of values that belongs to b."""
    a = np.linspace(0.0, 1.0, 6)
    b = np.geomspace(0.1, 100.0, 7)
    c = np.array(["soft", "hard"])
    values = a[:, None, None] + 10 * np.log10(b)[None, :, None] + 0.37 * (c == "hard")[None, None]
    status = np.zeros(values.shape, np.int8)
    values[2, 3, 1], status[2, 3, 1], status[4, 3, 1] = np.nan, 2, 6
    names = ("a", "b", "c")
    return xr.Dataset(
        {
            "J": (names, values, {"units": "E^2"}),
            "COP": (names, values**2, {"units": "1"}),
            "status": (names, status),
        },
        coords={"a": ("a", a, {"units": "E"}), "b": b, "c": c, "width": ("b", 2 * b)},
        attrs={"machine": "Toy </script>"},
    )


MINUS = "\N{MINUS SIGN}"
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def number(text):
    """What is written as 0.5, 1.2·10⁻⁵ or 10⁶, perhaps after ≈ and before a unit."""
    if text == "none":
        return None
    found = re.fullmatch(
        rf"(?:≈ )?({MINUS}?)(?:([0-9.]+)(·)?)?(?:10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?(?: E[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*)?", text
    )
    assert found, text
    sign, mantissa, _, power = found.groups()
    size = float(mantissa or 1) * 10.0 ** int((power or "0").translate(RAISED))
    return -size if sign else size


def readout(browser):
    return {
        name: number(value)
        for name, value in zip(texts(browser, "#readout th"), texts(browser, "#readout td.number"))
    }


def outputs(browser):
    return texts(browser, "output")


def mark(browser):
    return browser.execute_script(
        "const m = document.getElementById('mark'); return m && [m.dataset.x,"
        " m.dataset.y].map(Number)"
    )


def test_sliders_move_the_curve_the_mark_and_the_numbers(opened):
    from selenium.webdriver.common.keys import Keys

    table = made_up()
    browser = opened(qtd.report.explorer(table))
    assert outputs(browser) == ["0.6 E", "3.16228, width = 6.32456", "hard"] and texts(
        browser, "h1"
    ) == ["Toy </script>: explorer"]
    sliders = browser.find_elements("css selector", "input[type=range]")
    before = browser.execute_script("return document.getElementById('line').getAttribute('d')")
    sliders[1].send_keys(Keys.ARROW_RIGHT)
    sliders[2].send_keys(Keys.ARROW_LEFT)
    here = table.isel(a=3, b=4, c=0)
    assert readout(browser) == pytest.approx({"J": float(here.J), "COP": float(here.COP)}, rel=1e-5)
    assert mark(browser) == pytest.approx([float(here.a), float(here.J)], rel=1e-7)
    assert (
        browser.execute_script("return document.getElementById('line').getAttribute('d')") != before
    )
    sliders[0].send_keys(Keys.HOME)
    assert outputs(browser)[0] == "0 E" and mark(browser)[0] == 0.0
    assert browser.execute_script("return document.activeElement.id") == "slider-0"
    assert sliders[0].get_attribute("aria-valuetext") == "0 E"


def test_a_point_without_a_number_leaves_a_gap_and_its_status(opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened(qtd.report.explorer(made_up()))
    line = browser.execute_script("return document.getElementById('line').getAttribute('d')")
    assert line.count("M") == 2 and line.count("L") == 3
    assert browser.execute_script("return document.querySelectorAll('#curve .odd').length") == 1
    slider = browser.find_element("css selector", "#slider-0")
    slider.send_keys(Keys.ARROW_LEFT)
    assert readout(browser) == {"J": None, "COP": None} and mark(browser) is None
    assert (
        texts(browser, "#status")[0].startswith("no unique steady state:")
        and browser.find_element("id", "status").is_displayed()
    )
    slider.send_keys(Keys.ARROW_RIGHT)
    assert not browser.find_element("id", "status").is_displayed()


def test_observable_and_axis_are_chosen_by_name(opened):
    from selenium.webdriver.support.ui import Select

    table = made_up()
    browser = opened(qtd.report.explorer(table), 390)
    Select(browser.find_element("id", "observable")).select_by_visible_text("COP")
    Select(browser.find_element("id", "axis")).select_by_visible_text("b")
    here = table.isel(a=3, b=3, c=1)
    assert mark(browser) == pytest.approx([float(here.b), float(here.COP)], rel=1e-7)
    labels = texts(browser, "#curve text")
    assert {"0.1", "1", "10", "100", "b"} <= set(labels)  # a logarithmic axis
    label = browser.find_element("id", "curve").get_attribute("aria-label")
    assert label.startswith("COP along b, from ")


def test_the_explorer_of_a_survey_begins_at_the_machine(opened, table):
    browser = opened(qtd.report.explorer(table))
    point = FRIDGE.operate()
    known = readout(browser)
    assert known["J_cold"] == pytest.approx(float(point.heat_currents["cold"]), rel=1e-5)
    assert known["COP"] == pytest.approx(float(point.cop), rel=1e-5)


def test_sweeps_that_are_too_large_are_refused_with_the_remedy():
    large = xr.Dataset({"J": (("a", "b"), np.zeros((1000, 500)))}, attrs={"machine": "Toy"})
    with pytest.raises(
        ValueError,
        match=re.escape("holds 1000000 numbers, more than the 400000 of a page; thin it out"),
    ) as error:
        qtd.report.explorer(large)
    assert "slice(None, None, 3)" in str(error.value)
    deep = xr.Dataset({"J": (tuple("abcde"), np.zeros((2,) * 5))})
    with pytest.raises(ValueError, match="1 to 4 dimensions, got 5"):
        qtd.report.explorer(deep)
    with pytest.raises(ValueError, match="no observable"):
        qtd.report.explorer(xr.Dataset({"status": ("a", np.zeros(3, int))}))


def test_a_table_of_one_value_and_of_no_numbers_can_be_explored(opened):
    for values in (np.array([2.5]), np.full(4, np.nan)):
        browser = opened(qtd.report.explorer(xr.Dataset({"J": ("a", values)})))
        expected = None if np.isnan(values).all() else 2.5
        assert readout(browser) == {"J": expected}
        assert ("no numbers here" in texts(browser, "#curve text")) == (expected is None)


def test_arrays_stay_out_of_the_explorer():
    table = qtd.sweep(
        FRIDGE,
        {"cold.temperature": jnp.linspace(0.4, 0.6, 3)},
        {"J": lambda m: m.operate().heat_currents},
    )
    mixed = table.assign(many=(("cold.temperature", "order"), np.zeros((3, 2))))
    html = qtd.report.explorer(mixed)
    assert '"J.cold"' in html and '"many"' not in html


# Of rates so small that the theory holds at one end of the third axis, and not at the other.
WEAK = qtd.replace(
    FRIDGE, {f"{name}.spectral_density.height": 1e-7 for name in ("cold", "hot", "work")}
)
HEIGHT = "work.spectral_density.height"


@pytest.fixture(scope="module")
def bench():
    """A grid with its derivatives, large enough for three modes and for all that validity says."""
    over = {
        "cold.temperature": np.linspace(0.2, 1.2, 9),
        "hot.temperature": np.linspace(0.4, 2.0, 11),
        HEIGHT: np.geomspace(1e-8, 1e-4, 9),
    }
    wanted = ["J_cold", "COP", "COP_Carnot", "validity"]
    return qtd.report.survey(WEAK, over, wanted, derivatives=True)


def choose(browser, which, words):
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("id", which)).select_by_visible_text(words)


def click(browser, drawing, x, y):
    """Press the pointer where numbers of the parameters lie on the map, by its own axes."""
    from selenium.webdriver.common.action_chains import ActionChains

    element = browser.find_element("id", drawing)
    place = browser.execute_script(
        "const map = arguments[0], box = map.getBoundingClientRect(), p = new"
        " DOMPoint(shown.grid.x.place(arguments[1]),"
        " shown.grid.y.place(arguments[2])).matrixTransform(map.getScreenCTM()); return [p.x -"
        " box.x - box.width / 2, p.y - box.y - box.height / 2].map(Math.round)",
        element,
        x,
        y,
    )
    ActionChains(browser).move_to_element_with_offset(element, *place).click().perform()


def marked(browser):
    return browser.execute_script(
        "const m = document.getElementById('map-mark'); return [m.dataset.x,"
        " m.dataset.y].map(Number)"
    )


def slopes(browser, name):
    row = texts(browser, "#readout th").index(name)
    return [number(text) for text in texts(browser, f"#readout tr:nth-child({row + 1}) .slope")]


def segments(browser, selector):
    """How many strokes a path has, 0 where there is none."""
    return browser.execute_script(
        "const p = document.querySelector(arguments[0]); return p ? p.getAttribute('d').split("
        "'M').length - 1 : 0",
        selector,
    )


def test_a_click_on_the_map_tells_the_machine_s_own_numbers_and_derivatives(opened, bench):
    from selenium.webdriver.common.keys import Keys

    browser = opened(qtd.report.explorer(bench))
    choose(browser, "across", HEIGHT)
    cold, hot, height = 0.7, float(bench["hot.temperature"][7]), float(bench[HEIGHT][2])
    click(browser, "map", height * 1.1, hot + 0.01)
    assert marked(browser) == pytest.approx([height, hot])
    assert outputs(browser) == ["0.7 E", "1.52 E", "10⁻⁷ E"]

    def cooling(values):
        return qtd.replace(WEAK, values).operate().heat_currents["cold"]

    here = {"cold.temperature": cold, "hot.temperature": hot, HEIGHT: height}
    machine = qtd.replace(WEAK, here)
    point, slope = machine.operate(), jax.grad(cooling)(jax.tree.map(jnp.asarray, here))
    told = readout(browser)  # six digits
    assert told["J_cold"] == pytest.approx(float(point.heat_currents["cold"]), rel=5.1e-6)
    assert told["COP"] == pytest.approx(float(point.cop), rel=5.1e-6)
    assert told["validity"] == pytest.approx(float(machine.validity()), rel=5.1e-6)
    expected = [float(slope[path]) for path in (HEIGHT, "hot.temperature")]
    assert slopes(browser, "J_cold") == pytest.approx(expected, rel=5.1e-6)
    assert texts(browser, "#derivatives") == ["Derivatives: exact, by automatic differentiation."]
    assert texts(browser, "#mode strong") == [point.mode] and point.mode == "refrigerator"
    assert texts(browser, "#unit-3") == ["holds"] and float(machine.validity()) < 0.1
    browser.find_element("id", "map").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert marked(browser) == pytest.approx([1e-6, float(bench["hot.temperature"][8])])
    assert texts(browser, "#unit-3") == ["doubtful"]
    browser.find_element("id", "slider-2").send_keys(Keys.END)
    assert texts(browser, "#unit-3") == ["does not hold"] and marked(browser)[0] == 1e-4
    label = browser.find_element("id", "map").get_attribute("aria-label")
    assert label.startswith("Map of J_cold; arrow keys move the point. Here ")
    assert label.endswith(texts(browser, "#mode strong")[0])


def test_the_map_shows_modes_validity_and_where_nothing_is_cooled(opened, bench):
    browser = opened(qtd.report.explorer(bench))
    choose(browser, "across", HEIGHT)
    table = bench.isel({"cold.temperature": 4})
    validity = table.validity.to_numpy()
    cells = {
        kind: int(browser.find_element("id", f"map-{kind}").get_attribute("data-cells"))
        for kind in ("doubtful", "broken")
    }
    assert cells == {
        "doubtful": int(((validity > 0.1) & (validity <= 1)).sum()),
        "broken": int((validity > 1).sum()),
    }
    mode = table["mode"].to_numpy()
    borders = (mode[1:] != mode[:-1]).sum() + (mode[:, 1:] != mode[:, :-1]).sum()
    assert segments(browser, "#map-border") == borders > 0
    named = set(texts(browser, "#map .region"))
    assert named and named <= {str(qtd.thermodynamics.Mode(code)) for code in np.unique(mode)}
    for line, values in (
        ("zero", table.J_cold),
        ("limit-doubtful", table.validity - 0.1),
        ("limit-broken", table.validity - 1),
    ):
        above = values.to_numpy() > 0
        corners = np.stack([above[:-1, :-1], above[1:, :-1], above[1:, 1:], above[:-1, 1:]])
        crossed = corners.any(0) & ~corners.all(0)
        assert segments(browser, f"#map-{line}") == crossed.sum() > 0, line
    assert {"J_cold = 0", "border between modes", "validity = 0.1", "validity = 1"} <= set(
        texts(browser, "#legend li")
    )


def test_the_bound_is_drawn_over_a_cop(opened, bench):
    browser = opened(qtd.report.explorer(bench))
    assert not browser.find_elements("id", "bound")
    choose(browser, "observable", "COP")
    choose(browser, "scale", "linear")
    drawn = {
        name: np.array(
            re.findall(
                r"[ML]([\d.-]+) ([\d.-]+)", browser.find_element("id", name).get_attribute("d")
            ),
            float,
        )
        for name in ("line", "bound")
    }
    curve = bench.isel({"hot.temperature": 5, HEIGHT: 4})
    cop, bound = (x[np.isfinite(x)] for x in (curve.COP.to_numpy(), curve.COP_Carnot.to_numpy()))
    scale = np.polyfit(cop, drawn["line"][:, 1], 1)
    heights = np.maximum(np.polyval(scale, bound), -9999)  # without end at equal temperatures
    np.testing.assert_allclose(heights, drawn["bound"][:, 1], atol=0.05)
    assert "COP_Carnot: the bound by the second law" in texts(browser, "#curve-legend li")


def test_numbers_are_written_as_a_person_writes_them(opened, bench):
    browser = opened(qtd.report.explorer(bench))
    cases = {
        0.5: "0.5",
        -0.0: "0",
        1.2e-5: "1.2·10⁻⁵",
        -1e-7: MINUS + "10⁻⁷",
        -3.25: MINUS + "3.25",
        1234567.0: "1.23457·10⁶",
        123456.0: "123456",
    }
    found = browser.execute_script("return arguments[0].map((x) => written(x))", list(cases))
    assert found == list(cases.values())
    overlapping = (
        "const rough = (box) => ({x: box.x, y: box.y, right: box.right, bottom: box.bottom});"
        " return ['.x.tick', '.y.tick', '.bar.tick', '.title'].flatMap((kind) => ['#map ',"
        " '#curve '].flatMap((drawing) => { const all = [...document.querySelectorAll(drawing +"
        " kind)].map((t) => rough(t.getBoundingClientRect())), out ="
        " rough(document.querySelector(drawing).getBoundingClientRect()); return all.filter((a, i)"
        " => a.x < out.x - 1 || a.right > out.right + 1 || all.some((b, j) => j > i && a.x <"
        " b.right && b.x < a.right && a.y < b.bottom && b.y < a.bottom)); }))"
    )
    for observable in ("J_cold (E²)", "COP", "validity"):
        choose(browser, "observable", observable)
        for scale in ("linear", "logarithmic"):
            choose(browser, "scale", scale)
            for axis in ("cold.temperature", HEIGHT):
                choose(browser, "axis", axis)
                choose(browser, "across", axis)
                assert browser.execute_script(overlapping) == [], (observable, scale, axis)
                shown = texts(browser, ".tick, #readout td, output")
                assert len(texts(browser, ".bar.tick")) > 1 and len(texts(browser, ".y.tick")) > 3
                assert not any(
                    re.search(rf"-|\de|^{MINUS}0$|^{MINUS}?0\.0*$", text) for text in shown
                ), shown


def test_the_explorer_is_dark_where_the_system_is(opened, bench):
    html = qtd.report.explorer(bench)

    def brightness(browser, name):
        colour = browser.execute_script(
            "return getComputedStyle(document.body)[arguments[0]]", name
        )
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765

    browser = opened(html)
    assert brightness(browser, "backgroundColor") > 0.9 > 0.3 > brightness(browser, "color")
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        assert brightness(browser, "backgroundColor") < 0.2 < 0.8 < brightness(browser, "color")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def conductor():
    leads = {
        name: qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(1.0))
        for name, temperature, potential in (("hot", 1.0, 0.0), ("cold", 0.5, 0.1))
    }
    return Conductor(leads, [("hot", "cold", BreitWigner(1.2, 0.1, 0.3))])


@pytest.mark.parametrize(
    ("system", "over", "observe"),
    [
        (
            WEAK.network(),
            {
                "reservoirs.hot.temperature": [0.9, 1.0, 1.1],
                "reservoirs.cold.temperature": [0.5, 0.6],
            },
            ["J_cold", "sigma"],
        ),
        (
            conductor(),
            {
                "reservoirs.hot.temperature": np.array([0.8, 1.0, 1.3]),
                "transmissions[0].center": np.array([1.0, 1.2]),
            },
            ["J_cold", "power"],
        ),
    ],
    ids=["network", "conductor"],
)
def test_bare_systems_have_explorers_of_any_parameters(opened, system, over, observe):
    browser = opened(qtd.report.explorer(system, over=over, observe=observe))
    here = {path: jnp.asarray(values[1]) for path, values in over.items()}

    def value(values):
        return qtd.operate(qtd.replace(system, values)).observables()[observe[0]].value

    expected, slope = jax.value_and_grad(value)(here)
    assert readout(browser)[observe[0]] == pytest.approx(float(expected), rel=5.1e-6)
    assert slopes(browser, observe[0]) == pytest.approx(
        [float(slope[path]) for path in over], rel=5.1e-6
    )


def test_derivatives_are_exact_where_a_dataset_has_them_and_differences_elsewhere(opened):
    machine = Boltzmann(jnp.array(1.0), jnp.array(0.5), jnp.array(2.0))

    def rate(machine):
        return machine.operate().value

    table = qtd.sweep(
        machine,
        {"temperature": np.array([0.4, 0.5, 0.7]), "gap": np.array([0.5, 1.0, 1.5])},
        {"J": rate, "J.d": qtd.sweeps.gradient(rate, ["temperature"])},
    )
    browser = opened(qtd.report.explorer(table))
    assert texts(browser, "#readout th") == ["J"]
    exact, value = 2 * np.exp(-2), np.exp(-2) / 2  # J / T^2
    before, after = (gap * np.exp(-gap / 0.5) / 2 for gap in (0.5, 1.5))
    assert slopes(browser, "J") == pytest.approx([exact, after - before], rel=5.1e-6)
    assert readout(browser)["J"] == pytest.approx(value, rel=5.1e-6)
    assert texts(browser, ".slope")[-1].startswith("≈ ")
    assert "exact, by automatic differentiation; after ≈ from" in texts(browser, "#derivatives")[0]
    # What has been converted has another derivative than the one that was recorded.
    table["J"].attrs["units"] = "fW"
    browser = opened(qtd.report.explorer(table))
    assert all(text.startswith("≈ ") for text in texts(browser, "#readout .slope"))


def test_what_cannot_be_explored_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="`thing` must be a machine.*got Reservoir"):
        qtd.report.explorer(FRIDGE.cold)
    with pytest.raises(ValueError, match="`over` and `observe` are for a machine or a system"):
        qtd.report.explorer(made_up(), observe=["J"])
    with pytest.raises(ValueError, match="more than the 400000 of a page; take fewer values"):
        qtd.report.explorer(
            FRIDGE, over={f"{name}.temperature": np.ones(100) for name in ("cold", "hot", "work")}
        )
    with pytest.raises(ValueError, match="`over` must have 1 to 4 dimensions, got 0"):
        qtd.report.explorer(FRIDGE, over={})
    with pytest.raises(ValueError, match="did you mean .*cold.temperature"):
        qtd.report.explorer(FRIDGE, over={"cold.temperatur": np.array([0.5])})
    with pytest.raises(ValueError, match="names nothing that is called 'J_c'"):
        qtd.report.explorer(FRIDGE, over={"cold.temperature": np.array([0.5])}, observe=["J_c"])
