"""A run folder is resumed by the same study on the same data, or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ensemble_kit.core.atomic import remove_leftovers
from ensemble_kit.core.disk import make_folder
from ensemble_kit.core.errors import RunError, some
from ensemble_kit.core.folders import remove_begun
from ensemble_kit.core.records import ImageTable
from ensemble_kit.runs.folder import read_run_study
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.runs.own_files import check_replaceable
from ensemble_kit.runs.paths import run_lock
from ensemble_kit.study import StudySpec


def refuse_other_run(folder: Path, spec: StudySpec, table: ImageTable, folds_digest: str) -> None:
    """Raise RunError that names what differs between a run folder and what would go into it."""
    manifest = read_manifest(folder)
    differences = []
    if manifest.kind != "cv":
        differences.append(f"it was made by `{manifest.command}`")
    elif manifest.spec_digest != spec.digest:
        differences += spec_differences(read_run_study(folder), spec)
    if manifest.data_digest != table.digest:
        differences.append("its images, groups or labels are others")
    elif manifest.folds_digest != folds_digest:
        differences.append("its folds are others")
    if differences:
        raise RunError(
            f"run {manifest.name!r} exists and differs: {some(differences)}; give --run NAME for "
            "a new run, or --overwrite to replace this one"
        )


@contextmanager
def only_worker_on(folder: Path) -> Iterator[None]:
    """Hold the run's lock, or raise RunError where another process holds it."""
    make_folder(folder.parent)
    lock = FileLock(run_lock(folder), timeout=0)
    try:
        with lock:
            remove_begun(folder)
            if folder.is_dir():
                remove_leftovers(folder)
            yield
    except Timeout:
        raise RunError(
            f"another process is working on run {folder.name!r}; wait for it, or give --run NAME"
        ) from None


def remove_run(folder: Path) -> None:
    """Remove a run that is to be replaced; RunError for a folder that holds none, or more."""
    check_replaceable(folder, "--run")
    doomed = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    if not folder.exists():
        return
    folder.rename(doomed)
    shutil.rmtree(doomed)


def take_folder(
    folder: Path, spec: StudySpec, table: ImageTable, digest: str, overwrite: bool
) -> None:
    """Under the run's lock: what is there is removed, or must be this very run."""
    if overwrite:
        remove_run(folder)
    elif is_run(folder):
        refuse_other_run(folder, spec, table, digest)


def refuse_newcomer(folder: Path) -> None:
    """RunError where another command made a run of this name meanwhile."""
    if is_run(folder):
        raise RunError(
            f"run {folder.name!r} was made by another command meanwhile; give --run NAME, or "
            "--overwrite to replace it"
        )


def spec_differences(there: StudySpec, here: StudySpec) -> list[str]:
    """``training.dropout is 0.3 there, 0.5 here`` for each setting that differs."""
    before, after = _flat(there.model_dump()), _flat(here.model_dump())
    sections = ("split.", "model.", "training.")
    return [
        f"{name} is {before.get(name)!r} there, {value!r} here"
        for name, value in after.items()
        if name.startswith(sections) and before.get(name) != value
    ] or ["its settings are others"]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
