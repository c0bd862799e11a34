"""How each member of an ensemble was made, read from its run where that is still there."""

from pathlib import Path

from ensemble_kit.core.errors import EnsembleKitError
from ensemble_kit.reporting.collect.numbers import rounded
from ensemble_kit.reporting.view.ensemble import Made
from ensemble_kit.runs.folder import read_run_study
from ensemble_kit.runs.manifest import Manifest, is_run, read_manifest
from ensemble_kit.study import ModelSpec

ELSEWHERE = Made(sees="predictions of a file")
PROBE_NAME = ":probe"


def how_made(name: str, origin: str) -> Made:
    """Of a member that is a run, its probe or one of its repeats; of a file nothing is known."""
    place = Path(origin)
    folder = place.parent if place.suffix == ".csv" else place
    if not is_run(folder):
        return ELSEWHERE if place.suffix else Made(sees="its run is not where it was")
    try:
        manifest, study = read_manifest(folder), read_run_study(folder)
    except EnsembleKitError:
        return Made(sees="its run is damaged")
    if manifest.kind != "cv":
        return Made(sees="an ensemble" if manifest.kind == "ensemble" else ELSEWHERE.sees)
    model = study.model
    if model.inputs != "images":
        return Made(sees=_table_seen(model, manifest), seconds=_seconds(manifest, place == folder))
    probe = name.endswith(PROBE_NAME)
    return Made(
        sees=f"images: {model.backbone}, {model.weights} weights",
        image_size=model.image_size,
        depth=0 if probe else model.unfreeze_depth,
        seconds=None if probe else _seconds(manifest, place == folder),
    )


def _table_seen(model: ModelSpec, manifest: Manifest) -> str:
    width, columns = manifest.facts.get("n_features", 0), ", ".join(model.metadata)
    seen = ([f"{width:,} features"] if width else []) + ([columns] if columns else [])
    return " and ".join(seen) or model.inputs


def _seconds(manifest: Manifest, whole: bool) -> float | None:
    """Of all folds together; None of a single repeat."""
    folds = manifest.facts.get("folds", [])
    times = [fold["seconds"]["all"] for fold in folds if "all" in fold.get("seconds", {})]
    return rounded(sum(times), 3) if whole and times else None
