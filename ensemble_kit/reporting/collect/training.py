"""Training curves from the folds' ``history.csv``, and the tuning study from ``tuning.json``."""

import csv
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.collect.numbers import rounded
from ensemble_kit.reporting.collect.source import Source
from ensemble_kit.reporting.view.base import Cell, Number, Table
from ensemble_kit.reporting.view.training import FoldHistory, Training, Trial, Tuning

HISTORY, TUNING = "history.csv", "tuning.json"
COSTS = ("seconds", "images_per_second")


def build_training(source: Source) -> Training:
    folder, facts = source.run.folder, source.run.manifest.facts
    folds = sorted(
        (int(match[1]), path)
        for path in folder.glob(f"fold_*/{HISTORY}")
        if (match := re.fullmatch(r"fold_(\d+)", path.parent.name))
    )
    return Training(
        folds=tuple(_history(fold, path) for fold, path in folds),
        facts=Table(
            columns=("what", "recorded"),
            rows=tuple((k, v) for k, v in flat(facts).items() if k != "folds"),
        ),
    )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    """Nested facts as ``outer.inner`` -> plain cell; lists as text, paths as their last part."""
    found: dict[str, Cell] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        elif isinstance(value, float):
            found[name] = rounded(value)
        elif isinstance(value, str):
            found[name] = value.rstrip("/").rsplit("/", 1)[-1] if value.startswith("/") else value
        elif value is None or isinstance(value, (int, bool)):
            found[name] = value
        else:
            found[name] = json.dumps(value)[:300]
    return found


def build_tuning(source: Source) -> Tuning | None:
    """The search that chose this study, where its record lies in the run folder."""
    path = source.run.folder / TUNING
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        optimism = values.get("optimism")
        return Tuning(
            metric=str(values.get("metric", "score")),
            direction=str(values.get("direction", "minimize")).lower(),
            trials=tuple(_trial(t) for t in values["trials"]),
            importance={str(k): float(v) for k, v in values.get("importance", {}).items()},
            optimism=_number(optimism),
            note=str(values.get("note", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: cannot be read ({error}); give `tune` again") from None


def _number(value: Any) -> Number | None:
    if isinstance(value, Mapping):
        keys = ("value", "low", "high", "note")
        return Number(**{key: value[key] for key in keys if value.get(key) is not None} | {
            "value": value.get("value")
        })  # fmt: skip
    return None if value is None else Number(value=float(value))


def _trial(values: Mapping[str, Any]) -> Trial:
    value, seconds = values.get("value"), values.get("seconds")
    after = values.get("pruned_after")
    return Trial(
        number=int(values["number"]),
        state=str(values["state"]).upper(),
        value=None if value is None else rounded(float(value)),
        pruned_after=None if after is None else int(after),
        seconds=None if seconds is None else rounded(float(seconds)),
        parameters=flat(values.get("params", {})),
    )


def _history(fold: int, path: Path) -> FoldHistory:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); the run is damaged") from None
    names = [n for n in (rows[0] if rows else {}) if n not in ("phase", "epoch")]
    series = {name: tuple(_value(row.get(name)) for row in rows) for name in names}
    seconds = [v for v in series.get("seconds", ()) if v is not None]
    last = rows[-1].get("phase") if rows else None
    speeds = [
        speed
        for row in rows
        if row.get("phase") == last and (speed := _value(row.get("images_per_second"))) is not None
    ]
    return FoldHistory(
        fold=fold,
        phases=tuple(row.get("phase") or "" for row in rows),
        series={name: values for name, values in series.items() if name not in COSTS},
        seconds=rounded(sum(seconds)) if seconds else None,
        images_per_second=rounded(sorted(speeds)[len(speeds) // 2]) if speeds else None,
        peak_memory_mb=_peak(path.parent),
    )


def _peak(folder: Path) -> float | None:
    """Peak memory a fold recorded of its process, in MB."""
    try:
        values = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = values.get("peak_memory") if isinstance(values, dict) else None
    return rounded(found / 1e6) if isinstance(found, (int, float)) else None


def _value(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return rounded(value) if math.isfinite(value) else None
