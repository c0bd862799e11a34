"""``metrics.csv``: one number a row."""

import csv
import io
from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError, reason, some
from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.evaluation import Evaluation, Row
from ensemble_kit.runs.paths import METRICS

COLUMNS = (
    "scope", "slice", "class", "metric", "value", "low", "high",
    "level", "method", "unit", "n_groups", "note",
)  # fmt: skip


def write_metrics(folder: Path, evaluation: Evaluation) -> str:
    """Write ``metrics.csv``; its name."""
    write_text(folder / METRICS, metrics_csv(evaluation))
    return METRICS


def metrics_csv(evaluation: Evaluation) -> str:
    """The rows as CSV text; numbers in the shortest form that reads back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in evaluation.rows:
        e = row.estimate
        writer.writerow(
            [
                row.scope,
                row.slice,
                row.class_name,
                row.metric,
                _text(e.value),
                _text(e.low),
                _text(e.high),
                repr(e.level),
                e.method,
                e.unit,
                e.n_groups,
                e.note,
            ]
        )
    return text.getvalue()


def read_metrics(folder: Path) -> tuple[Row, ...]:
    """Read ``metrics.csv``. Raises RunError where it is missing or damaged."""
    path = folder / METRICS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise RunError(f"{path}: lacks column {some(missing)}; evaluate the run again")
            return tuple(_row(values) for values in reader)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise RunError(
            f"{path}: cannot be read ({reason(error)}); evaluate the run again"
        ) from None


def _row(values: dict[str, str]) -> Row:
    estimate = Estimate(
        _number(values["value"]), _number(values["low"]), _number(values["high"]),
        float(values["level"]), values["method"], values["unit"], int(values["n_groups"]),
        values["note"],
    )  # fmt: skip
    return Row(values["scope"], values["slice"], values["class"], values["metric"], estimate)


def _text(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _number(text: str) -> float | None:
    return None if text == "" else float(text)
