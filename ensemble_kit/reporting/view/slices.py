"""Scores by sex, age band, site, diagnosis method and any other column."""

from pydantic import Field

from ensemble_kit.reporting.view.base import Number, Value


class SliceRow(Value):
    """One level of a column; ``gap``: its figure minus the rest's."""

    level: str
    images: int
    groups: int
    figures: dict[str, Number]
    gaps: dict[str, Number] = Field(default_factory=dict)


class SliceColumn(Value):
    column: str
    rows: tuple[SliceRow, ...]


class Slices(Value):
    columns: tuple[SliceColumn, ...] = ()
    metrics: tuple[str, ...] = ()
    note: str = ""
