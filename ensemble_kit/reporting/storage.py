"""Reading and writing the view as ``report.json``, from which the page is rebuilt."""

import json
from pathlib import Path

from pydantic import ValidationError

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.view.report import REPORT_VERSION, Report

FILE_NAME = "report.json"


def write_report(path: Path, report: Report) -> None:
    """Write the view as JSON, atomically; the same view gives the same bytes."""
    write_text(path, report.model_dump_json(exclude_defaults=True) + "\n")


def check_replaceable(path: Path) -> None:
    """Raise RunError where something that is no report's numbers would be written over."""
    if not path.exists():
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        values = None
    if not isinstance(values, dict) or "report_version" not in values:
        raise RunError(
            f"{path} is there and holds no report's numbers, so it is left alone; give --out "
            "another name"
        )


def read_report(path: Path) -> Report:
    """Read a view back; a foreign or damaged file is a :class:`RunError`."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); make it again with `report`") from None
    version = values.get("report_version") if isinstance(values, dict) else None
    if version != REPORT_VERSION:
        raise RunError(
            f"{path}: report version {version!r}, but this program reads {REPORT_VERSION}; "
            "make it again from its run with `report`"
        )
    try:
        return Report.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{path}: {place}: {first['msg']}; make it again with `report`") from None
