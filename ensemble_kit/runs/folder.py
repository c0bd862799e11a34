"""The run folder: where its files are, and reading it back as one value."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.atomic import sha256_of_file, write_text
from ensemble_kit.core.errors import RunError, some
from ensemble_kit.core.records import Folds, ImageTable, Predictions, Strings
from ensemble_kit.data.predictions import predictions_csv, read_predictions
from ensemble_kit.runs.manifest import FILE_NAME, Manifest, read_manifest
from ensemble_kit.splits import check_folds

FOLDS, IMAGES, OOF, STUDY = "folds.csv", "images.csv", "oof.csv", "study.toml"
FOLD_COLUMNS = ("image", "lesion", "patient", "group", "label", "fold")


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: its manifest, its images with labels and groups, folds, probabilities.

    ``table``, ``folds`` and ``predictions`` have the same images in the same order. A run made
    from predictions without folds has ``folds.n_folds == 1``.
    """

    folder: Path
    manifest: Manifest
    table: ImageTable
    folds: Folds
    predictions: Predictions

    @property
    def name(self) -> str:
        return self.manifest.name


def fold_folder(folder: Path, repeat: int, fold: int) -> Path:
    """``fold_0`` … of the first draw of folds, ``repeat_1/fold_0`` … of the next."""
    return (folder if repeat == 0 else folder / f"repeat_{repeat}") / f"fold_{fold}"


def find_run(name: str | None, runs_dir: Path) -> Path:
    """The folder of a named run (a name under ``runs_dir`` or a path), or of the latest one."""
    if name:
        for folder in (runs_dir / name, Path(name)):
            if (folder / FILE_NAME).is_file():
                return folder
        known = sorted(path.parent.name for path in runs_dir.glob(f"[!.]*/{FILE_NAME}"))
        there = f"there are: {some(known)}" if known else f"{runs_dir} has no runs yet"
        raise RunError(f"no run named {name!r} in {runs_dir}; {there}")
    manifests = list(runs_dir.glob(f"[!.]*/{FILE_NAME}"))
    if not manifests:
        raise RunError(f"no run in {runs_dir} yet: make one with `python cli.py cv` or `evaluate`")
    return max(manifests, key=lambda path: (read_manifest(path.parent).created, path)).parent


def read_run(folder: Path) -> Run:
    """Read a finished run; check that its files are those its manifest recorded, and that no
    group crosses a fold of a cross-validation."""
    manifest = read_manifest(folder)
    if manifest.status != "complete":
        raise RunError(
            f"run {manifest.name!r} is not finished: give the same command again to resume it"
        )
    _check_files(folder, manifest, (FOLDS, IMAGES, OOF))
    table, folds = read_folds(folder, manifest.class_names, manifest.data_root)
    if manifest.kind == "cv":
        for draw in folds:
            check_folds(table, draw)
    predictions = read_predictions(folder / OOF).in_order_of(table.image_ids)
    if predictions.class_names != manifest.class_names:
        raise RunError(f"{folder / OOF}: its classes are not the manifest's; the run is damaged")
    return Run(folder, manifest, table, folds[0], predictions)


def write_folds(folder: Path, table: ImageTable, folds: list[Folds]) -> None:
    """Write ``folds.csv`` (a column ``fold``, then ``fold_1`` … for repeats) and ``images.csv``."""
    frame = pd.DataFrame(
        {
            "image": table.image_ids,
            "lesion": table.lesions,
            "patient": table.patients,
            "group": table.groups,
            "label": np.array(table.class_names)[table.labels],
        }
    )
    for repeat, draw in enumerate(folds):
        frame["fold" if repeat == 0 else f"fold_{repeat}"] = draw.fold
    write_text(folder / FOLDS, frame.to_csv(index=False))
    write_images(folder, table)


def write_images(folder: Path, table: ImageTable) -> None:
    """Write ``images.csv``: path and metadata of every image."""
    images = pd.DataFrame({"image": table.image_ids, "path": table.paths} | dict(table.slices))
    write_text(folder / IMAGES, images.to_csv(index=False))


def read_folds(
    folder: Path, class_names: tuple[str, ...], root: str = ""
) -> tuple[ImageTable, list[Folds]]:
    """The images and every draw of folds of a run folder."""
    frame = _read_table(folder / FOLDS, FOLD_COLUMNS)
    images = _read_table(folder / IMAGES, ("image", "path"))
    if list(images["image"]) != list(frame["image"]):
        raise RunError(f"{folder}: {IMAGES} and {FOLDS} list other images; the run is damaged")
    unknown = sorted(set(frame["label"]) - set(class_names))
    if unknown:
        raise RunError(f"{folder / FOLDS}: unknown labels {some(unknown)}; the run is damaged")
    index = {name: code for code, name in enumerate(class_names)}
    table = ImageTable(
        image_ids=_column(frame, "image"),
        groups=_column(frame, "group"),
        labels=np.array([index[name] for name in frame["label"]], dtype=np.int64),
        class_names=class_names,
        lesions=_column(frame, "lesion"),
        patients=_column(frame, "patient"),
        paths=_column(images, "path"),
        slices={
            str(c): _column(images, str(c)) for c in images.columns if c not in ("image", "path")
        },
        root=root,
    )
    draws = [name for name in frame.columns if name == "fold" or str(name).startswith("fold_")]
    folds = []
    for draw in draws:
        fold = frame[draw].to_numpy().astype(np.int64)
        folds.append(Folds(table.image_ids, table.groups, fold, int(fold.max()) + 1))
    return table, folds


def write_oof(folder: Path, predictions: Predictions) -> None:
    write_text(folder / OOF, predictions_csv(predictions))


def _column(frame: pd.DataFrame, name: str) -> Strings:
    return np.asarray(frame[name].to_numpy(), dtype=np.str_)


def _read_table(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); the run is damaged") from None
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise RunError(f"{path}: lacks column {some(missing)}; the run is damaged")
    return frame


def _check_files(folder: Path, manifest: Manifest, names: tuple[str, ...]) -> None:
    for name in names:
        path = folder / name
        if not path.is_file():
            raise RunError(f"{path} is missing; the run is damaged: make it again")
        if manifest.files.get(name) != sha256_of_file(path):
            raise RunError(
                f"{path} is not the file the run wrote (its sha256 differs from the manifest's); "
                "restore it or make the run again"
            )
