"""The values every part of the view is made of."""

from pydantic import BaseModel, ConfigDict

Cell = str | int | float | bool | None


class Value(BaseModel):
    """A frozen part of the view; unknown names are refused, so is NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Number(Value):
    """One figure with its interval, as :class:`ensemble_kit.records.Estimate` has it.

    ``value`` None: not estimable, and ``note`` says why. ``unit``: what was resampled.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    unit: str = "group"
    n_groups: int = 0
    note: str = ""


class Table(Value):
    """A table of plain cells, one tuple a row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()


class Alert(Value):
    """A sentence the reader must see first. ``severity``: "danger", "warning" or "note"."""

    severity: str
    title: str
    text: str
    section: str = ""


class MetricsTable(Value):
    """The tidy table of ``metrics.csv``, its words listed once.

    columns : names; the first ``text_columns`` of each row are places in ``words``, the rest are
    numbers to six significant digits.
    """

    columns: tuple[str, ...] = ()
    text_columns: int = 0
    words: tuple[str, ...] = ()
    rows: tuple[tuple[int | float | None, ...], ...] = ()
