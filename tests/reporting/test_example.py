"""The published example is what its stored numbers give, byte for byte."""

import re
from pathlib import Path

from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.reporting.storage import read_report


def test_the_example_is_rebuilt_from_its_numbers(project: Path) -> None:
    folder = project / "reports" / "example"
    page = (folder / "sample.html").read_bytes()
    assert render_page(read_report(folder / "report.json")).encode("utf-8") == page


def test_the_example_names_no_place_on_a_machine(project: Path) -> None:
    text = (project / "reports" / "example" / "report.json").read_text(encoding="utf-8")
    found = re.findall(r"(?<![\w<.])/(?:home|work|tmp|root|Users|var|opt)/\S*", text)
    assert not found
