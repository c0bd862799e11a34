"""Training curves from the folds' ``history.csv``, and the tuning study from ``tuning.json``."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.collect.numbers import rounded
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Cell, Number, Table
from ensemble_kit.reporting.view.training import (
    AgainstProbe,
    FoldHistory,
    MetadataAdds,
    Training,
    Trial,
    Tuning,
)
from ensemble_kit.runs import search
from ensemble_kit.runs.folds import EpochRecord, FoldDone, has_history, read_history
from ensemble_kit.runs.paths import fold_folders

SERIES = tuple(
    field.name
    for field in fields(EpochRecord)
    if field.name not in ("phase", "epoch", "seconds", "images_per_second")
)
APART = ("folds", "against_probe", "metadata_adds")
"""Recorded facts that have tables of their own."""


def build_training(source: ReportedRun) -> Training:
    folder, facts = source.run.folder, source.run.manifest.facts
    folds = [(fold, path) for fold, path in fold_folders(folder) if has_history(path)]
    return Training(
        folds=tuple(_history(fold, path) for fold, path in folds),
        facts=Table(
            columns=("what", "recorded"),
            rows=tuple((k, v) for k, v in flat(facts).items() if k not in APART),
        ),
        against_probe=tuple(_against_probe(row) for row in facts.get("against_probe", ())),
        metadata_adds=tuple(_metadata_adds(row) for row in facts.get("metadata_adds", ())),
    )


def _against_probe(row: Mapping[str, Any]) -> AgainstProbe:
    return AgainstProbe(
        metric=row["metric"],
        network=Number(value=rounded(row["network"])),
        probe=Number(value=rounded(row["probe"])),
        difference=_difference(row),
    )


def _metadata_adds(row: Mapping[str, Any]) -> MetadataAdds:
    return MetadataAdds(
        metric=row["metric"],
        with_metadata=Number(value=rounded(row["with_metadata"])),
        without=Number(value=rounded(row["without"])),
        difference=_difference(row),
    )


def _difference(row: Mapping[str, Any]) -> Number:
    return Number(
        value=rounded(row["difference"]),
        low=rounded(row["low"]),
        high=rounded(row["high"]),
        level=row["level"],
        method="paired group bootstrap, percentile",
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


def build_tuning(source: ReportedRun) -> Tuning | None:
    """The search that chose this study, where its record lies in the run folder."""
    found = search.TuningRecord.find(source.run.folder)
    if found is None:
        return None
    optimism = found.optimism
    return Tuning(
        metric=found.metric,
        direction=found.direction.lower(),
        trials=tuple(_trial(trial) for trial in found.trials),
        logarithmic=tuple(
            name
            for name, asked in found.space.items()
            if isinstance(asked, Mapping) and asked.get("log") is True
        ),
        importance=found.importance,
        optimism=optimism
        and Number(value=optimism.value, low=optimism.low, high=optimism.high, note=optimism.note),
        note=found.note,
    )


def _trial(trial: search.Trial) -> Trial:
    return Trial(
        number=trial.number,
        state=trial.state.upper(),
        value=rounded(trial.value),
        pruned_after=trial.pruned_after,
        seconds=rounded(trial.seconds),
        parameters=flat(trial.params),
    )


def _history(fold: int, folder: Path) -> FoldHistory:
    epochs = read_history(folder)
    last = [e.images_per_second for e in epochs if e.phase == epochs[-1].phase]
    return FoldHistory(
        fold=fold,
        phases=tuple(epoch.phase for epoch in epochs),
        series={
            name: tuple(rounded(getattr(epoch, name)) for epoch in epochs)
            for name in (SERIES if epochs else ())
        },
        seconds=rounded(sum(epoch.seconds for epoch in epochs)) if epochs else None,
        images_per_second=rounded(sorted(last)[len(last) // 2]) if last else None,
        peak_memory_mb=_peak(folder),
    )


def _peak(folder: Path) -> float | None:
    """Peak memory a fold recorded of its process, in MB."""
    try:
        done = FoldDone.find(folder)
    except RunError:
        return None
    return rounded(done.peak_memory / 1e6) if done else None
