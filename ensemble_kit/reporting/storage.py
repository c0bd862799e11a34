"""Reading and writing the view as ``report.json``, from which the page is rebuilt."""

from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.view.report import REPORT_VERSION, Report
from ensemble_kit.runs.records import read_model, read_object

VERSION_KEY, REMEDY = "report_version", "make it again from its run with `report`"


def write_report(path: Path, report: Report) -> None:
    """Write the view as JSON, atomically; the same view gives the same bytes."""
    write_text(path, report.model_dump_json(exclude_defaults=True) + "\n")


def check_replaceable(path: Path) -> None:
    """Raise RunError where something that is no report's numbers would be written over."""
    if not path.exists():
        return
    try:
        values = read_object(path)
    except RunError:
        values = {}
    if VERSION_KEY not in values:
        raise RunError(
            f"{path} is there and holds no report's numbers, so it is left alone; give --out "
            "another name"
        )


def read_report(path: Path) -> Report:
    """Read a view back; a foreign or damaged file is a :class:`RunError`."""
    return read_model(path, Report, VERSION_KEY, REPORT_VERSION, REMEDY)
