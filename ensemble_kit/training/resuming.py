"""A run folder is resumed by the same study on the same data, or not at all."""

from pathlib import Path
from typing import Any

from ensemble_kit.errors import RunError, some
from ensemble_kit.records import LesionTable
from ensemble_kit.runs.folder import STUDY
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.study import StudySpec, read_study


def refuse_other_run(folder: Path, spec: StudySpec, table: LesionTable, folds_digest: str) -> None:
    """Raise RunError that names what differs between a run folder and what would go into it."""
    manifest = read_manifest(folder)
    differences = []
    if manifest.kind != "cv":
        differences.append(f"it was made by `{manifest.kind}`")
    elif manifest.spec_digest != spec.digest:
        differences += spec_differences(read_study(folder / STUDY), spec)
    if manifest.data_digest != table.digest:
        differences.append("its images, groups or labels are others")
    elif manifest.folds_digest != folds_digest:
        differences.append("its folds are others")
    if differences:
        raise RunError(
            f"run {manifest.name!r} exists and differs: {some(differences)}; give --run NAME for "
            "a new run, or --overwrite to replace this one"
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
