"""The runs below a folder: what they are, their headline figures, their size; removing some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ensemble_kit.core.errors import EnsembleKitError, RunError, some
from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.evaluation import Row
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.runs.folder import manifests_in
from ensemble_kit.runs.manifest import Manifest, is_run, read_manifest
from ensemble_kit.runs.metrics_table import read_metrics
from ensemble_kit.runs.own_files import check_replaceable
from ensemble_kit.runs.paths import METRICS
from ensemble_kit.runs.verification import check_files
from ensemble_kit.workflows.resuming import only_worker_on, remove_run


@dataclass(frozen=True, eq=False)
class ListedRun:
    """One run folder.

    manifest : None where it cannot be read, which ``problem`` then says. figures : headline figure
    -> its pooled estimate, as far as they are there. n_bytes : of all files.
    """

    folder: Path
    n_bytes: int
    manifest: Manifest | None = None
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    problem: str = ""


def list_runs(runs_dir: Path) -> tuple[ListedRun, ...]:
    """Every run below a folder, the latest first; none where there is no such folder."""
    found = [describe_run(path.parent) for path in manifests_in(runs_dir)]
    return tuple(sorted(found, key=lambda run: (_created(run), run.folder.name), reverse=True))


def describe_run(folder: Path) -> ListedRun:
    """What a run folder is; a damaged one is described as such."""
    n_bytes = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        manifest = read_manifest(folder)
        rows: tuple[Row, ...] = ()
        if (folder / METRICS).is_file():
            if manifest.status == "complete":
                check_files(folder, manifest, [METRICS])
            rows = read_metrics(folder)
    except EnsembleKitError as error:
        return ListedRun(folder, n_bytes, problem=str(error))
    figures = {
        row.metric: row.estimate
        for row in rows
        if row.metric in shown_in("headline")
        and (row.scope, row.slice, row.class_name) == ("pooled", "", "")
    }
    return ListedRun(folder, n_bytes, manifest, figures)


def remove_runs(runs_dir: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """Remove runs by name; all or none. Raises RunError for a name that is no run below
    ``runs_dir``, and for a run that a process is working on."""
    known = {path.parent.name for path in manifests_in(runs_dir)}
    unknown = [name for name in names if name not in known]
    if unknown:
        there = some(sorted(known)) or "none"
        raise RunError(f"no run named {some(unknown)} in {runs_dir}; there are: {there}")
    folders = tuple(runs_dir / name for name in dict.fromkeys(names))
    links = [folder.name for folder in folders if folder.is_symlink()]
    if links:
        raise RunError(f"{some(links)}: a link to a run elsewhere; remove the link itself")
    for folder in folders:
        check_replaceable(folder)
    for folder in folders:
        with only_worker_on(folder):
            assert is_run(folder)
            remove_run(folder)
    return folders


def _created(run: ListedRun) -> str:
    return run.manifest.created if run.manifest else ""
