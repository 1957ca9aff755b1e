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
from qtd.thermodynamics import AbstractPoint, Observable

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


def readout(browser):
    return {
        name: None if value == "none" else float(value)
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
