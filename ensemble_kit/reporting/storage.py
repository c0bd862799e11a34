"""Reading and writing the view as ``report.json``, from which the page is rebuilt."""

from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.view.report import REPORT_VERSION, Report
from ensemble_kit.runs.records import read_model, read_object

PAGE_MARK = b'<meta name="generator" content="ensemble_kit">'
VERSION_KEY, REMEDY = "report_version", "make it again from its run with `report`"


def write_report(path: Path, report: Report) -> None:
    """Write the view as JSON, atomically; the same view gives the same bytes."""
    write_text(path, report.model_dump_json(exclude_defaults=True) + "\n")


def holds_numbers(path: Path) -> bool:
    """Whether a file is a report's numbers, so that new ones may replace it."""
    try:
        return VERSION_KEY in read_object(path)
    except RunError:
        return False


def is_page(path: Path) -> bool:
    """Whether a file is a page that this package wrote, so that a new one may replace it."""
    with path.open("rb") as file:
        return PAGE_MARK in file.read(4000)


def read_report(path: Path) -> Report:
    """Read a view back; a foreign or damaged file is a :class:`RunError`."""
    return read_model(path, Report, VERSION_KEY, REPORT_VERSION, REMEDY)
