"""What `runs` prints."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ensemble_kit.cli.console import print_json, say
from ensemble_kit.core.errors import count
from ensemble_kit.core.program import program
from ensemble_kit.core.wording import interval_words, size_text, value_words
from ensemble_kit.metrics.registry import label_of
from ensemble_kit.progress import tables
from ensemble_kit.workflows.run_listing import ListedRun

SHOWN = ("roc_auc_ovr", "balanced_accuracy", "accuracy", "log_loss")


def print_runs(place: Path, found: Sequence[ListedRun], *, as_json: bool) -> None:
    """A row a run, the latest first."""
    if as_json:
        print_json({"runs_dir": str(place), "runs": [_facts(run) for run in found]})
        return
    if not found:
        say(f"no runs in {place}: make one with `{program()} cv` or `evaluate`")
        return
    drawn = tables.table("run", "kind", *map(label_of, SHOWN), "age", "size", left=[1])
    for run in found:
        m = run.manifest
        kind = "damaged" if m is None else m.kind if m.status == "complete" else f"{m.kind}, begun"
        figures = (value_words(run.figures.get(name)) for name in SHOWN)
        age = "" if m is None else _age(m.created)
        drawn.add_row(run.folder.name, kind, *figures, age, size_text(run.n_bytes))
    tables.show(drawn)
    for run in found:
        if run.problem:
            say(run.problem)
    total = size_text(sum(run.n_bytes for run in found))
    say(f"{place}: {count(len(found), 'run')}, {total}")


def print_run(run: ListedRun, *, as_json: bool) -> None:
    """One run with its figures, warnings and notes."""
    if as_json:
        print_json(_facts(run))
        return
    m = run.manifest
    if m is None:
        say(run.problem)
        return
    code = f", commit {m.git_commit[:10]}{' and changes' * bool(m.git_dirty)}" * bool(m.git_commit)
    versions = ", ".join(
        f"{name} {m.versions[name]}" for name in ("python", "keras", "numpy") if name in m.versions
    )
    tables.show(
        tables.facts(
            ("run", m.name),
            ("made by", f"{m.kind}, {_age(m.created)} ago, {m.status}"),
            ("folder", f"{run.folder} ({count(len(m.files), 'file')}, {size_text(run.n_bytes)})"),
            ("data", m.data_root or "not recorded"),
            ("classes", ", ".join(m.class_names)),
            ("with", f"ensemble_kit {m.versions.get('ensemble_kit', 'of no known version')}{code}"),
            ("beside", versions or "not recorded"),
            ("on", " ".join(m.device.get(k, "") for k in ("system", "machine", "processor"))),
        )
    )
    drawn = tables.table("figure", "pooled", "interval")
    for name, estimate in run.figures.items():
        drawn.add_row(label_of(name), value_words(estimate), interval_words(estimate))
    if run.figures:
        tables.show(drawn)
    for line in (*(f"warning: {text}" for text in m.warnings), *m.notes):
        say(line)
    say(f"next: {program()} report {run.folder}")


def _facts(run: ListedRun) -> dict[str, Any]:
    m = run.manifest
    return {
        "name": run.folder.name,
        "folder": str(run.folder),
        "kind": m.kind if m else None,
        "status": m.status if m else "damaged",
        "created": m.created if m else None,
        "bytes": run.n_bytes,
        "figures": {
            name: {"value": e.value, "low": e.low, "high": e.high}
            for name, e in run.figures.items()
        },
        "warnings": list(m.warnings) if m else [],
        "problem": run.problem,
    }


def _age(created: str) -> str:
    try:
        then = datetime.fromisoformat(created)
    except ValueError:
        return "–"
    seconds = max(0.0, (datetime.now(UTC) - then.astimezone(UTC)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
