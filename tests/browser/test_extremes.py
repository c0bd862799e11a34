"""Numbers that no run gives, on the page."""

import json
import re
from pathlib import Path

import pytest

from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.reporting.view.report import Report
from ensemble_kit.runs.folder import Run
from tests.browser.chromium import Chromium

pytestmark = pytest.mark.browser


def _huge(value: object) -> object:
    if isinstance(value, dict):
        return {key: one if key == "level" else _huge(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_huge(one) for one in value]
    return 1e300 if isinstance(value, float) else value


@pytest.mark.parametrize("width", [390, 1280])
def test_huge_numbers_stay_in_the_layout(
    browser: Chromium, plain_run: Run, tmp_path: Path, width: int
) -> None:
    """Every fraction of the performance is 1e300, as in a file of numbers that somebody edited."""
    view = json.loads(build_report(plain_run.folder).model_dump_json())
    view |= {name: _huge(view[name]) for name in ("headline", "performance", "calibration")}
    page = tmp_path / "huge.html"
    page.write_text(render_page(Report.model_validate(view)), encoding="utf-8")
    browser.size(width, 900)
    browser.open(page.as_uri())
    assert browser.complaints() == []
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    shown = str(browser.run("document.body.innerText"))
    assert "1.00e+300" in shown
    assert not re.search(r"\d{20}", page.read_text(encoding="utf-8"))
