"""``external.json``: what `validate` found of a run on another data set."""

from typing import Any, ClassVar

from ensemble_kit.runs.paths import EXTERNAL
from ensemble_kit.runs.records import Record

Plain = dict[str, Any]


class ExternalRecord(Record):
    """The contents of ``external.json``; rows are plain values, one a line of the page's tables.

    internal : the run that was validated. recalibration : name, figures, minus_shipped of each
    calibration. prevalence : a row a class. coverage : a row for all images, then a class.
    drift : of images, None where it could not be judged; metadata : of each column.
    overlap : images, lesions and patients that were in training too.
    """

    FILE: ClassVar[str] = EXTERNAL
    REMEDY: ClassVar[str] = "give `validate` again"

    format_version: int = 1
    internal: str
    recalibration: tuple[Plain, ...]
    prevalence: tuple[Plain, ...]
    coverage_level: float
    coverage: tuple[Plain, ...]
    drift: Plain | None
    metadata: tuple[Plain, ...]
    overlap: Plain
    notes: tuple[str, ...] = ()
