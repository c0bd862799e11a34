"""The run folder: where its files are, and reading it back as one value."""

from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError, some
from ensemble_kit.core.program import program
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.runs.manifest import Manifest, is_run, read_manifest
from ensemble_kit.runs.paths import MANIFESTS, OOF, PROBE, STUDY
from ensemble_kit.runs.tables import read_folds, read_oof
from ensemble_kit.runs.verification import changed_files, check_files, not_as_written
from ensemble_kit.splits import check_folds
from ensemble_kit.study import StudySpec, read_study


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: its manifest, its images with labels and groups, folds, probabilities.

    ``table``, ``folds`` and ``predictions`` have the same images in the same order. A run made
    from predictions without folds has ``folds.n_folds == 1``. changed : files that are not as the
    run wrote them, which only a caller who asked for it gets.
    """

    folder: Path
    manifest: Manifest
    table: ImageTable
    folds: Folds
    predictions: Predictions
    changed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.manifest.name


def find_run(name: str | None, runs_dir: Path) -> Path:
    """The folder of a named run (a name under ``runs_dir`` or a path), or of the latest one."""
    if name is not None and not name.strip():
        raise RunError("the name of the run is empty: give one, or leave it out for the latest")
    make = f"make one with `{program()} cv` or `evaluate`"
    if name:
        for folder in (runs_dir / name, Path(name)):
            if is_run(folder):
                return folder
        known = [path.parent.name for path in manifests_in(runs_dir)]
        there = f"there are: {some(known)}" if known else f"it has none yet, {make}"
        raise RunError(f"no run named {name!r} in {runs_dir}; {there}")
    manifests = manifests_in(runs_dir)
    if not manifests:
        raise RunError(f"no run in {runs_dir} yet: {make}")
    return max(manifests, key=lambda path: (read_manifest(path.parent).created, path)).parent


def manifests_in(runs_dir: Path) -> list[Path]:
    """The manifests of all run folders below ``runs_dir``. RunError where that is no folder."""
    if runs_dir.exists() and not runs_dir.is_dir():
        raise RunError(f"{runs_dir} is no folder; give another --runs-dir")
    return sorted(runs_dir.glob(MANIFESTS))


def read_run(folder: Path, *, trust_changed: bool = False) -> Run:
    """Read a finished run.

    Its files are those its manifest recorded: all but weights, which are compared when they are
    loaded, and what is there to be edited; absent figures are computed anew. No group crosses a
    fold of a cross-validation. trust_changed : read changed files all the same and say which.
    Raises RunError.
    """
    manifest = read_manifest(folder)
    if manifest.status != "complete":
        raise RunError(
            f"run {manifest.name!r} is not finished: give the same command again to resume it"
        )
    changed = changed_files(folder, manifest)
    if changed and not trust_changed:
        raise RunError(not_as_written(folder, changed))
    table, folds = read_folds(folder, manifest.class_names, manifest.data_root)
    if manifest.kind == "cv":
        for draw in folds:
            check_folds(table, draw)
    predictions = read_oof(folder).in_order_of(table.image_ids)
    if predictions.class_names != manifest.class_names:
        raise RunError(f"{folder / OOF}: its classes are not the manifest's; the run is damaged")
    return Run(folder, manifest, table, folds[0], predictions, changed)


def read_probe(folder: Path, name: str = PROBE) -> Predictions:
    """The linear probe's out-of-fold rows of a finished run, in no particular order.

    name : ``probe.csv``, or ``without_metadata.csv``.
    """
    manifest = read_manifest(folder)
    if name not in manifest.files:
        raise RunError(
            f"run {manifest.name!r} has no linear probe ({name}): runs of `cv` have one where the "
            "pooled features are stored; name the run alone, or train it again"
        )
    check_files(folder, manifest, (name,))
    return read_oof(folder, name)


def write_study(folder: Path, study: StudySpec) -> str:
    """Write ``study.toml``, defaults written out; its name."""
    write_text(folder / STUDY, study.to_toml())
    return STUDY


def read_run_study(folder: Path) -> StudySpec:
    """The study of a run; the default one where the folder holds none.

    A setting that did not exist when the run was made has the value that describes what was done.
    """
    path = folder / STUDY
    return read_study(path, of_run=True) if path.is_file() else StudySpec()


def study_text(folder: Path) -> str:
    """``study.toml`` as it stands; "" where there is none."""
    path = folder / STUDY
    return path.read_text(encoding="utf-8") if path.is_file() else ""
