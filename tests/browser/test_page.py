"""The page in a real browser, its network cut off."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.reporting.page.page import SECTIONS
from ensemble_kit.runs.folder import Run
from tests.browser.chromium import Chromium

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(browser: Chromium, plain_page: str) -> Iterator[Chromium]:
    """The plain page, freshly opened on a desk-sized window."""
    browser.size(1280, 900)
    browser.media()
    browser.open(plain_page)
    yield browser
    browser.media()


def test_it_opens_alone_without_complaint(desk: Chromium, plain_page: str) -> None:
    assert desk.complaints() == []
    assert desk.requests() == [plain_page]


def test_every_section_is_seen(desk: Chromium) -> None:
    found = desk.run("[...document.querySelectorAll('main > section')].map(s => s.id)")
    assert found == [name for name, _ in SECTIONS]
    heights = desk.run("[...document.querySelectorAll('main > section')].map(s => s.offsetHeight)")
    assert min(heights) > 80


def test_the_explorer_gives_python_s_numbers(desk: Chromium, plain_run: Run) -> None:
    p, labels = plain_run.predictions.probabilities, plain_run.table.labels
    bad = np.isin(plain_run.table.class_names, ("mel", "akiec"))
    scores, truth = p[:, bad].sum(axis=1), bad[labels]
    for threshold in np.linspace(0.02, 0.97, 20).round(3):
        called = scores >= threshold
        sens, spec = called[truth].mean(), (~called[~truth]).mean()
        pi, odds = 0.07, threshold / (1 - threshold)
        expected = {
            "sensitivity": sens,
            "specificity": spec,
            "tp": (called & truth).sum(),
            "fn": (~called & truth).sum(),
            "fp": (called & ~truth).sum(),
            "tn": (~called & ~truth).sum(),
            "net_benefit": sens * pi - (1 - spec) * (1 - pi) * odds,
        }
        if called.any():
            expected["ppv"] = sens * pi / (sens * pi + (1 - spec) * (1 - pi))
        if not called.all():
            expected["npv"] = spec * (1 - pi) / (spec * (1 - pi) + (1 - sens) * pi)
        found = desk.run(
            f"ensembleKit.explore.figures(0, ensembleKit.explore.nearest({threshold}), {pi})"
        )
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), abs=1e-12), (name, threshold)


def test_moving_the_threshold_changes_what_is_read(desk: Chromium) -> None:
    def read() -> dict[str, str]:
        return dict(
            desk.run(
                "Object.fromEntries([...document.querySelectorAll('[data-read]')]"
                ".map(e => [e.dataset.read, e.firstChild.textContent]))"
            )
        )

    before = read()
    desk.run(
        "(e => { e.value = 200; e.dispatchEvent(new Event('input')); })"
        "(document.getElementById('explorer-threshold'))"
    )
    after = read()
    assert float(after["sensitivity"]) > float(before["sensitivity"])
    assert float(after["specificity"]) < float(before["specificity"])


def test_the_address_keeps_the_state(desk: Chromium, plain_page: str) -> None:
    wanted = plain_page + "#explorer?target=nv&threshold=0.25&prevalence=0.1"
    desk.open("about:blank")
    desk.open(wanted)
    chosen = "document.getElementById('explorer-target').selectedOptions[0].textContent"
    assert desk.run(chosen) == "nv"
    assert desk.run("document.getElementById('explorer-number').value") == "0.25"
    assert desk.run("document.getElementById('explorer-prevalence').value") == "10"
    desk.run(
        "(e => { e.value = '0.4'; e.dispatchEvent(new Event('change')); })"
        "(document.getElementById('explorer-number'))"
    )
    assert "threshold=0.4" in desk.run("location.hash")
    assert "target=nv" in desk.run("location.hash")


def test_marked_points_show_intervals(desk: Chromium) -> None:
    desk.run("document.querySelector('#explorer-marks button').click()")
    shown = desk.run("document.querySelector('[data-read=ppv] small').textContent")
    low, high = (float(x) for x in shown.split(" to "))
    value = float(desk.run("document.querySelector('[data-read=ppv]').firstChild.textContent"))
    assert low <= value <= high


def test_tables_sort_both_ways_by_number(desk: Chromium) -> None:
    column = (
        "[...document.querySelectorAll('#class-table tbody tr')].map(r => +r.cells[1].dataset.v)"
    )
    before = desk.run(column)
    click = "document.querySelectorAll('#class-table thead button')[1].click()"
    desk.run(click)
    assert desk.run(column) == sorted(before, reverse=True)
    desk.run(click)
    assert desk.run(column) == sorted(before)
    state = "document.querySelectorAll('#class-table thead th')[1].getAttribute('aria-sort')"
    assert desk.run(state) == "ascending"


def test_filters_leave_what_was_asked_for(desk: Chromium) -> None:
    desk.run(
        "(e => { e.value = 'error'; e.dispatchEvent(new Event('change')); })"
        "(document.getElementById('filter-kind'))"
    )
    desk.run(
        "(e => { e.value = 'nv'; e.dispatchEvent(new Event('change')); })"
        "(document.getElementById('filter-truth'))"
    )
    shown = desk.run(
        "[...document.querySelectorAll('#gallery li')].filter(l => l.offsetHeight)"
        ".map(l => [l.dataset.kinds, l.dataset.truth])"
    )
    every = desk.run("document.querySelectorAll('#gallery li').length")
    assert 0 < len(shown) < every
    assert all("error" in kinds and truth == '["nv"]' for kinds, truth in shown)
    assert desk.run("document.getElementById('gallery-count').textContent").startswith(
        str(len(shown))
    )


def test_confusion_changes_by_keyboard_without_script(desk: Chromium) -> None:
    seen = "[...document.querySelectorAll('.pane')].map(p => p.offsetHeight > 0)"
    assert desk.run(seen) == [True, False, False]
    desk.run("document.getElementById('confusion-count').focus()")
    for kind in ("keyDown", "keyUp"):
        desk.send(
            "Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight",
            windowsVirtualKeyCode=39,
        )  # fmt: skip
    assert desk.run(seen) == [False, True, False]


def test_a_definition_is_one_click_away_and_escape_closes_it(desk: Chromium) -> None:
    desk.run("document.querySelector('a.term[href=\"#def-balanced_accuracy\"]').click()")
    assert "every class counts the same" in desk.run("document.getElementById('tip').textContent")
    for kind in ("keyDown", "keyUp"):
        desk.send("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape")
    assert desk.run("document.getElementById('tip').hidden")


def test_every_term_has_its_definition(desk: Chromium) -> None:
    lost = desk.run(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash.slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    assert lost == []


def test_dark_follows_the_system_and_the_button(desk: Chromium) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = desk.run(colour)
    desk.media(scheme="dark")
    dark = desk.run(colour)
    assert light != dark
    desk.media()
    for _ in range(3):
        desk.run("document.getElementById('theme').click()")
        if desk.run("document.documentElement.dataset.theme") == "dark":
            assert desk.run(colour) == dark
            break
    else:
        pytest.fail("the button never reached dark")
    desk.run("localStorage.clear()")


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_no_sideways_scroll(browser: Chromium, hostile_page: str, width: int) -> None:
    browser.size(width, 844, phone=width < 500)
    browser.open(hostile_page)
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "fits"), [(1185, True), (1265, True), (390, False)])
def test_the_table_by_class_fits_or_scrolls_in_its_own_container(
    browser: Chromium, project: Path, width: int, fits: bool
) -> None:
    """1200 and 1280 pixels less a scrollbar, and a phone."""
    browser.size(width, 900, phone=width < 500)
    browser.open((project / "reports" / "example" / "sample.html").as_uri())
    box = "document.querySelector('#class-table').closest('.scroll')"
    assert browser.run(f"{box}.scrollWidth <= {box}.clientWidth") == fits
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run(f"{box}.focus()")
    assert browser.run(f"document.activeElement === {box}")


@pytest.mark.parametrize("table", ["found-table", "class-table", "calibration-class-table"])
def test_long_names_of_classes_push_no_column_out(
    browser: Chromium, long_page: str, table: str
) -> None:
    browser.size(1280, 900)
    browser.open(long_page)
    box = f"document.querySelector('#{table}').closest('.scroll')"
    assert browser.run(f"{box}.scrollWidth <= {box}.clientWidth")


def test_whatever_may_scroll_is_reached_by_keyboard_and_has_a_label(desk: Chromium) -> None:
    bare = (
        "[...document.querySelectorAll('.scroll')].filter(e => e.tabIndex !== 0"
        " || e.getAttribute('role') !== 'region' || !e.getAttribute('aria-label')).length"
    )
    assert desk.run("document.querySelectorAll('.scroll').length") > 10
    assert desk.run(bare) == 0


def test_print_shows_all_panes_and_no_controls(desk: Chromium) -> None:
    desk.media("print")
    assert desk.run("[...document.querySelectorAll('.pane')].every(p => p.offsetHeight > 0)")
    gone = (
        "[...document.querySelectorAll('nav.toc, .explorer, .quiet')].every(e => !e.offsetHeight)"
    )
    assert desk.run(gone)
    assert desk.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    desk.size(794, 1123)
    assert desk.run("document.documentElement.scrollWidth") <= 794
    desk.run(
        "window.shown = 0; addEventListener('beforeprint', () => {"
        " shown = document.querySelectorAll('details[data-print]:not([open])').length })"
    )
    made = desk.send("Page.printToPDF", printBackground=True)["data"]
    assert len(made) > 50_000
    assert desk.run("shown") == 0, "what cannot be opened on paper stands open"
    assert desk.run("document.querySelectorAll('details[data-print]:not([open])').length") > 0


def test_it_is_legible_without_script(browser: Chromium, plain_page: str) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(plain_page)
        root = browser.send("DOM.getDocument", depth=0)["root"]["nodeId"]
        seen = browser.send("DOM.querySelectorAll", nodeId=root, selector="#points-table tr")
        assert len(seen["nodeIds"]) > 5
        table = browser.send("DOM.querySelector", nodeId=root, selector="#class-table")["nodeId"]
        assert browser.send("DOM.getBoxModel", nodeId=table)["model"]["height"] > 100
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


def test_downloads_hold_the_numbers(desk: Chromium, plain_run: Run) -> None:
    desk.run(
        "window.saved = []; URL.createObjectURL = (blob) => { saved.push(blob); return '#'; };"
        "HTMLAnchorElement.prototype.click = function () {};"
    )
    desk.run("document.querySelector('[data-save=csv]').click()")
    text = desk.run("saved[0].text()")
    rows = (plain_run.folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert text.splitlines()[0] == rows[0]
    assert len(text.splitlines()) == len(rows)
    assert text.splitlines()[5].split(",")[:4] == rows[5].split(",")[:4]
    desk.run("document.querySelector('[data-save=json]').click()")
    assert json.loads(desk.run("saved[1].text()"))["name"] == "plain"
    desk.run("document.querySelector('#class-table caption button').click()")
    lines = desk.run("saved[2].text()").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == list(plain_run.table.class_names)
    desk.run("document.querySelector('#roc-0 button').click()")
    svg = desk.run("saved[3].text()")
    assert svg.startswith("<svg")
    assert "var(--" not in svg


def test_hostile_names_stay_text(browser: Chromium, hostile_page: str) -> None:
    browser.size(1280, 900)
    browser.open(hostile_page)
    assert browser.run("typeof window.pwned") == "undefined"
    for button in ("#explorer-marks button", "a.term", "#gallery-count"):
        browser.run(f"document.querySelector({button!r}).click()")
    browser.run(
        "for (const s of document.querySelectorAll('select')) for (const o of s.options)"
        " { s.value = o.value; s.dispatchEvent(new Event('change')); }"
    )
    assert browser.run("typeof window.pwned") == "undefined"
    assert (
        browser.run("document.querySelectorAll('main script, main b[onclick], main i').length") == 0
    )
    assert browser.run("[...document.images].every(i => i.src.startsWith('data:'))")
    assert browser.complaints() == []
    names = browser.run(
        "[...document.querySelectorAll('#class-table .nm')].map(n => n.textContent)"
    )
    assert names[0] == "<script>window.pwned=1</script>"
    assert len(names[3]) == 60


def _axe() -> str:
    """axe-core: npm's if it is there, else the copy in PyPI's axe-core-python."""
    local = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
    if local.is_file():
        return local.read_text(encoding="utf-8")
    found = find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("no axe-core here: pip install axe-core-python, or npm install axe-core")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(
    browser: Chromium, plain_page: str, scheme: str, width: int
) -> None:
    browser.size(width, 900, phone=width < 500)
    browser.media(scheme=scheme)
    browser.open(plain_page)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.run(_axe())
    found = browser.run(
        "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v =>"
        " [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200),"
        "  v.nodes[0].failureSummary]))"
    )
    browser.media()
    assert [v for v in found if v[0] in ("serious", "critical")] == []
