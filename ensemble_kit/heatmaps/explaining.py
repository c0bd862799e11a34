"""Heat maps of a run's images: each by the fold model that held its image out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from typing import Literal

import numpy as np

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.atomic import sha256_of_file, write_bytes
from ensemble_kit.core.errors import DataError, RunError, some
from ensemble_kit.core.records import Ints
from ensemble_kit.data.images import check_ids
from ensemble_kit.heatmaps.gradcam import grad_cam, head_probabilities
from ensemble_kit.heatmaps.inputs import Inputs, find_inputs
from ensemble_kit.heatmaps.overlay import draw_overlay
from ensemble_kit.models import find_backbone
from ensemble_kit.models.fold_model import Features, FoldModel, open_fold_model
from ensemble_kit.runs.explained import Overlay, overlay_file, read_overlays, write_overlays
from ensemble_kit.runs.folder import Run, read_run, read_run_study
from ensemble_kit.runs.folds import identity_predictions
from ensemble_kit.runs.manifest import read_manifest, record_files
from ensemble_kit.runs.paths import EXPLAIN, FOLDS, MODEL, fold_folder, overlay
from ensemble_kit.training.workers import Workers

TOLERANCE = 0.05
"""Most a probability may differ from the recorded one; half precision of a GPU needs 0.02."""
PIECE = 64
"""Images whose feature maps are in memory at a time."""

Of = Literal["predicted", "true"]


@dataclass(frozen=True)
class Explained:
    """What was done. made, kept : number of images; depth : cut they were computed from, or None.

    silent : images in which nothing speaks for the class explained.
    """

    folder: Path
    made: int
    kept: int
    depth: int | None
    silent: tuple[str, ...]


def explain_run(
    run: Run,
    images: Sequence[str],
    *,
    of: Of = "predicted",
    store_dir: Path,
    images_dir: Path | None = None,
    tell: Callable[[int], None] | None = None,
    workers: Workers | None = None,
) -> Explained:
    """Write ``explain/<image>.png`` and ``explain/index.json`` into the folder of a `cv` run.

    images : ids, each computed unless it is there already. of : the class explained, the run's
    prediction or the label. Images of repeated runs are explained by the models of the first
    draw of folds. tell : receives the number of images just done. workers : who draw; default:
    this process. Raises RunError for runs
    without fold models and where a model's probabilities are not those the run recorded.
    """
    check_fold_models(run)
    model = read_run_study(run.folder).model
    rows = _rows(run, images)
    entries = _entries(run, rows, of)
    there = read_overlays(run.folder)
    digests = run.manifest.files
    todo = {row: e for row, e in entries.items() if not _is_there(run.folder, e, there, digests)}
    say = tell or (lambda done: None)
    say(len(entries) - len(todo))
    wanted = np.array(sorted(todo), dtype=np.int64)
    inputs = find_inputs(run, wanted, model, store_dir, images_dir)
    pieces = _pieces(run, todo, store_dir, images_dir)
    silent: list[str] = []
    for piece, found in zip(pieces, _drawn(run, inputs, pieces, workers), strict=True):
        silent += found
        there |= {entry.image: entry for entry in piece.entries.values()}
        index = write_overlays(run.folder, there.values())
        record_files(run.folder, [index, *(overlay(e.file) for e in piece.entries.values())])
        say(len(piece.entries))
    return Explained(
        run.folder / EXPLAIN, len(todo), len(entries) - len(todo), inputs.depth, tuple(silent)
    )


@dataclass(frozen=True, eq=False)
class MapPiece:
    """Some images of one fold, by row of the run, for whoever draws them."""

    folder: Path
    entries: dict[int, Overlay]
    store_dir: Path
    images_dir: Path | None


def draw_elsewhere(piece: MapPiece) -> list[str]:
    """Draw some images in a worker, which may lack what the driver saw."""
    run = read_run(piece.folder)
    rows = np.array(list(piece.entries), dtype=np.int64)
    try:
        inputs = find_inputs(
            run, rows, read_run_study(run.folder).model, piece.store_dir, piece.images_dir
        )
    except DataError as error:
        raise RunError(f"worker {gethostname()}: {error}") from None
    return _draw(run, inputs, piece)


def _draw(run: Run, inputs: Inputs, piece: MapPiece) -> list[str]:
    """Draw a piece; returns the images without evidence for their class."""
    entry = next(iter(piece.entries.values()))
    path = fold_folder(run.folder, 0, entry.fold) / MODEL
    opened = _opened_model(path, inputs.model.backbone, entry.model)
    return _explain_piece(run, opened, inputs, piece.entries)


def _pieces(
    run: Run, todo: dict[int, Overlay], store_dir: Path, images_dir: Path | None
) -> list[MapPiece]:
    places = store_dir.absolute(), None if images_dir is None else images_dir.absolute()
    pieces = []
    for fold in sorted({entry.fold for entry in todo.values()}):
        rows = [row for row in sorted(todo) if todo[row].fold == fold]
        for start in range(0, len(rows), PIECE):
            entries = {row: todo[row] for row in rows[start : start + PIECE]}
            pieces.append(MapPiece(run.folder.absolute(), entries, *places))
    return pieces


def _drawn(
    run: Run, inputs: Inputs, pieces: Sequence[MapPiece], workers: Workers | None
) -> Iterator[list[str]]:
    """What each piece gives, in their order."""
    if workers is None:
        yield from (_draw(run, inputs, piece) for piece in pieces)
        return
    futures = [workers.submit(draw_elsewhere, piece) for piece in pieces]
    for future in futures:
        yield from workers.finish([future])


@lru_cache(maxsize=1)
def _opened_model(path: Path, backbone: str, digest: str) -> FoldModel:
    """A fold model; digest : of its file, which another run of that name would change."""
    return open_fold_model(path, find_backbone(backbone))


def _explain_piece(
    run: Run, model: FoldModel, inputs: Inputs, entries: dict[int, Overlay]
) -> list[str]:
    """Draw some images of one fold; returns those without evidence for their class."""
    rows = np.array(list(entries), dtype=np.int64)
    features = model.features(inputs.read(rows), inputs.depth)
    _check_recorded(run, model, features, rows, next(iter(entries.values())).fold)
    classes = np.array([run.table.class_names.index(e.class_name) for e in entries.values()])
    maps = grad_cam(features, model.kernel, classes)
    for row, entry, heat in zip(rows.tolist(), entries.values(), maps, strict=True):
        picture = draw_overlay(
            inputs.encoded(row), heat, inputs.model.aspect, entry.image, inputs.bits
        )
        write_bytes(run.folder / overlay(entry.file), picture)
    silent = maps.max(axis=(1, 2)) == 0
    return [e.image for e, none in zip(entries.values(), silent, strict=True) if none]


def _check_recorded(run: Run, model: FoldModel, features: Features, rows: Ints, fold: int) -> None:
    """The model and the images are the ones whose probabilities the run holds."""
    ids = run.table.image_ids[rows]
    recorded = identity_predictions(fold_folder(run.folder, 0, fold)).in_order_of(ids)
    found = head_probabilities(features, model.kernel, model.bias)
    off = np.abs(found - recorded.probabilities).max(axis=1) > TOLERANCE
    if off.any():
        raise RunError(
            f"the model of fold {fold} gives {some(ids[off])} other probabilities than the run "
            "recorded: the image files have changed since; restore them or make the run again"
        )


def check_fold_models(run: Run) -> None:
    """Raise RunError unless the run was made by `cv`, whose fold models can be explained."""
    if run.manifest.kind != "cv":
        raise RunError(
            f"run {run.name!r} has no fold models (it was made by `{run.manifest.command}`): only "
            "runs of `cv` can be explained"
        )


def _rows(run: Run, images: Sequence[str]) -> Ints:
    def refuse(unknown: list[str]) -> DataError:
        return DataError(
            f"run {run.name!r} has no image {some(unknown)}: give ids of {run.folder / FOLDS}, "
            "or a number of images"
        )

    rows = align_rows(run.table.image_ids, images, refuse)
    check_ids(dict.fromkeys(images), str(run.folder))
    return np.unique(rows)


def _entries(run: Run, rows: Ints, of: Of) -> dict[int, Overlay]:
    """What is wanted of each row, after checking that the models are those of the run."""
    table, names = run.table, run.table.class_names
    predicted = run.predictions.probabilities.argmax(axis=1)
    models = {fold: _model_digest(run, fold) for fold in set(run.folds.fold[rows].tolist())}
    entries = {}
    for row in rows.tolist():
        image, fold = str(table.image_ids[row]), int(run.folds.fold[row])
        said, true = names[predicted[row]], names[table.labels[row]]
        explained = said if of == "predicted" else true
        entries[row] = Overlay(
            image=image, fold=fold, class_name=explained, file=overlay_file(image),
            predicted=said, true=true, model=models[fold],
        )  # fmt: skip
    return entries


def _model_digest(run: Run, fold: int) -> str:
    path = fold_folder(run.folder, 0, fold) / MODEL
    recorded = read_manifest(run.folder).files.get(str(path.relative_to(run.folder)))
    if not path.is_file():
        raise RunError(f"{path} is missing: fold models are needed; give the `cv` command again")
    if recorded is None or sha256_of_file(path) != recorded:
        raise RunError(
            f"{path} is not the file the run wrote (its sha256 differs from the manifest's); "
            "restore it or make the run again"
        )
    return recorded


def _is_there(
    folder: Path, wanted: Overlay, there: dict[str, Overlay], digests: dict[str, str]
) -> bool:
    path = folder / overlay(wanted.file)
    recorded = digests.get(overlay(wanted.file))
    same = there.get(wanted.image) == wanted and recorded is not None and path.is_file()
    return same and sha256_of_file(path) == recorded
