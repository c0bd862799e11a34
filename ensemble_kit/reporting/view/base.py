"""The values every part of the view is made of."""

from pydantic import BaseModel, ConfigDict, Field

Cell = str | int | float | bool | None


class Value(BaseModel):
    """A frozen part of the view; unknown names are refused, so is NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Number(Value):
    """One figure with its interval, as :class:`ensemble_kit.core.records.Estimate` has it.

    ``value`` None: not estimable, and ``note`` says why. ``unit``: what was resampled.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = Field(default=0.95, ge=0, le=1)
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
    """The tidy table of ``metrics.csv`` to five significant digits, its words listed once.

    places : (scope, slice). figures : (class, metric). methods : (level, method, unit, note).
    rows : place, figure and method as positions in these; then value, low, high, n_groups.
    """

    places: tuple[tuple[str, str], ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    methods: tuple[tuple[float, str, str, str], ...] = ()
    rows: tuple[tuple[int, int, int, float | None, float | None, float | None, int], ...] = ()
