"""Predict new images with a finished run: streamed, bounded in memory, resumed where it stopped."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ensemble_kit.core.atomic import write_atomically, write_text
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import DataError, RunError, some
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_output
from ensemble_kit.data.new_images import Given, NewImage, find_new_images
from ensemble_kit.data.new_metadata import GivenMetadata
from ensemble_kit.models.fold_ensemble import FoldOutputs
from ensemble_kit.posthoc.spread import mutual_information
from ensemble_kit.training.model_cache import warm_up
from ensemble_kit.workflows.beside import (
    Beside,
    GivenFeatures,
    outputs_of_member,
    what_to_predict,
)
from ensemble_kit.workflows.pieces import Piece, decoded
from ensemble_kit.workflows.predicted import Bounds, Predicted, joined
from ensemble_kit.workflows.shipped import Shipped, open_shipped

BATCH = 32
PARTIAL = ".{name}.partial"
MARK = "\x1e"
"""Begins the lines of that file that are no rows."""
NO_BOUNDS = Bounds()


@dataclass(frozen=True)
class PredictOptions:
    """batch : images at a time. jobs : decoding threads, 0 for one a core. bounds : rows beyond
    them are marked, or left out with ``drop``."""

    batch: int = BATCH
    jobs: int = 0
    skip_damaged: bool = False
    bounds: Bounds = NO_BOUNDS
    drop: bool = False


def predict(
    run_folder: Path | str,
    images: Given | None = None,
    *,
    features: GivenFeatures = None,
    metadata: GivenMetadata | None = None,
    coverage: float | None = None,
    fold: int | None = None,
    options: PredictOptions | None = None,
    tell: Tell = say_nothing,
) -> Predicted:
    """Class probabilities, decision, prediction set, spread and novelty of new images.

    run_folder : of a `cv` run, or of an ensemble of such runs. images : a folder, files, a table
    of paths, or uint8 pixels (n, h, w, 3); None where no member sees any: the rows of features,
    else of metadata, are predicted. features, metadata : tables of what members see beside images,
    by image id (docs/members.md). coverage : of the sets. fold : this fold model alone.
    tell : hears "begin" (total) and "step" (n images done). Raises RunError and DataError.
    """
    if images is not None:
        find_new_images(images)
    shipped = open_shipped(Path(run_folder), coverage=coverage, fold=fold)
    found, given = what_to_predict(shipped, images, features, metadata)
    tell("begin", total=len(found))
    parts = list(stream(shipped, found, options or PredictOptions(), tell, given))
    return replace(joined(parts), notes=(*shipped.notes, *given.notes))


def predict_to_file(
    run_folder: Path,
    images: Given | None,
    out: Path,
    *,
    features: GivenFeatures = None,
    metadata: GivenMetadata | None = None,
    coverage: float | None = None,
    fold: int | None = None,
    options: PredictOptions | None = None,
    overwrite: bool = False,
    tell: Tell = say_nothing,
) -> Predicted:
    """:func:`predict` into a CSV or parquet file; an interrupted call is gone on with.

    Rows are kept in a hidden file beside ``out`` while it works, so that memory does not grow;
    ``out`` appears whole or not at all, and replaces a file only with ``overwrite``. The value
    returned has no rows, only what was skipped.
    """
    _check_out(out, run_folder, images, overwrite)
    options = options or PredictOptions()
    if images is not None:
        find_new_images(images)
    shipped = open_shipped(run_folder, coverage=coverage, fold=fold)
    found, given = what_to_predict(shipped, images, features, metadata)
    key = digest_of(
        shipped.run.manifest.files, coverage, fold, options.bounds.limits, options.drop,
        options.skip_damaged, [(image.image_id, _stamp(image)) for image in found], given.digest,
    )  # fmt: skip
    partial = out.parent / PARTIAL.format(name=out.name)
    make_folder(out.parent)
    done, skipped = _resume(partial, key)
    tell("begin", total=len(found))
    tell("step", n=min(done, len(found)))
    header = ""
    with partial.open("a", encoding="utf-8", newline="") as file:
        for part in stream(shipped, found[done:], options, given=given):
            frame = part.to_frame()
            header = ",".join(_quoted(name) for name in frame.columns)
            looked_at = min(done + options.batch, len(found))
            facts = {"done": looked_at, "skipped": part.skipped, "columns": header}
            rows = frame.to_csv(index=False, header=False)
            with writing(partial, len(rows)):
                file.write(rows + MARK + json.dumps(facts) + "\n")
                file.flush()
            skipped += part.skipped
            tell("step", n=looked_at - done)
            done = looked_at
    _finish(partial, out)
    none = np.empty(0)
    return Predicted(
        shipped.class_names, np.empty(0, np.str_), np.empty((0, len(shipped.class_names))),
        np.empty(0, np.int64), np.empty((0, len(shipped.class_names)), np.bool_), none, none,
        np.empty(0, np.str_), bool(options.bounds.limits), tuple(skipped),
        (*shipped.notes, *given.notes),
    )  # fmt: skip


def stream(
    shipped: Shipped, images: Sequence[NewImage], options: PredictOptions, tell: Tell = say_nothing,
    given: Beside | None = None,
) -> Iterator[Predicted]:  # fmt: skip
    """Pieces of at most ``options.batch`` rows, in the order of the images."""
    for piece, outputs in outputs_of(shipped, images, options, tell, given):
        yield _rows(shipped, piece, outputs, options)


def outputs_of(
    shipped: Shipped, images: Sequence[NewImage], options: PredictOptions, tell: Tell = say_nothing,
    given: Beside | None = None,
) -> Iterator[tuple[Piece, list[FoldOutputs]]]:  # fmt: skip
    """The fold models' outputs, one for each member, batch by batch.

    given : what members see beside pixels. Raises DataError naming images that cannot be read,
    unless they are to be skipped.
    """
    inputs = {(m.spec.image_size, m.spec.aspect) for m in shipped.members if m.sees_images}
    if inputs:
        warm_up(0)
    given = given or Beside()
    for piece in decoded(images, sorted(inputs), options.batch, options.jobs):
        if piece.damaged and not options.skip_damaged:
            raise DataError(
                f"{some(piece.damaged)}; mend or remove what is named, or give --skip-damaged to "
                "leave such images out"
            )
        fill = len(images) > options.batch
        ids = [image.image_id for image in piece.images]
        yield (
            piece,
            [
                outputs_of_member(
                    m,
                    ids,
                    piece.pixels.get((m.spec.image_size, m.spec.aspect)),
                    given,
                    options.batch,
                    fill=fill,
                )
                for m in shipped.members
            ],
        )
        tell("step", n=len(piece.images) + len(piece.damaged))


def _rows(
    shipped: Shipped, piece: Piece, outputs: Sequence[FoldOutputs], options: PredictOptions
) -> Predicted:
    p = shipped.probabilities(outputs)
    models = np.concatenate(list(shipped.by_member(outputs)))
    sets = shipped.inside(outputs, p)
    spread, novelty = mutual_information(models), shipped.percentiles(outputs)
    confidence, sizes = p.max(axis=1), sets.sum(axis=1)
    rejected = [
        options.bounds.reasons({"spread": s, "novelty": n, "set": float(size), "confidence": c})
        for s, n, size, c in zip(spread, novelty, sizes, confidence, strict=True)
    ]
    kept = np.array([not (options.drop and why) for why in rejected], dtype=np.bool_)
    ids = np.array([image.image_id for image in piece.images], dtype=np.str_)
    return Predicted(
        class_names=shipped.class_names,
        image_ids=ids[kept],
        probabilities=p[kept],
        decisions=shipped.decision.decide(p)[kept],
        sets=sets[kept],
        spread=spread[kept],
        novelty=novelty[kept],
        rejected=np.array(rejected, dtype=np.str_)[kept],
        bounded=bool(options.bounds.limits),
        skipped=piece.damaged,
    )


def _check_out(out: Path, run_folder: Path, images: Given | None, overwrite: bool) -> None:
    """Refuse to write over a run, over what is predicted, or over a file without being asked."""
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"{out}: predictions are written as .csv or .parquet; name it so")
    place, run = out.resolve(), run_folder.resolve()
    if run in place.parents:
        raise DataError(
            f"{out} lies in the run's folder, whose files stay as the run wrote them: name "
            "another place with --out"
        )
    if out.is_dir():
        raise DataError(f"{out} is a folder: name a file with --out")
    given: list[object] = [] if isinstance(images, np.ndarray) else [images]
    if isinstance(images, Sequence) and not isinstance(images, str):
        given = list(images)
    if any(isinstance(item, (str, Path)) and Path(item).resolve() == place for item in given):
        raise DataError(f"{out} is what is to be predicted: name another file with --out")
    if out.is_file() and not overwrite:
        raise DataError(f"{out} is there already: name another file, or give --overwrite")
    away = [Path(item) for item in given if isinstance(item, (str, Path))]
    check_output(out, "--out", ours=_holds_predictions, away_from=away)


def _holds_predictions(path: Path) -> bool:
    """Whether a file is a table that :func:`predict_to_file` wrote, so that it may be replaced."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
        if start[:4] == b"PAR1":
            file.seek(max(0, path.stat().st_size - (1 << 16)))
            end = file.read()
            return b"decision" in end and b"image" in end
    header = start.partition(b"\n")[0].split(b",")
    return header[0] == b"image" and b"decision" in header


def _stamp(image: NewImage) -> object:
    if image.path is None:
        return digest_of(image.pixels)
    try:
        found = image.path.stat()
    except OSError:
        return ()
    return str(image.path.resolve()), found.st_size, found.st_mtime_ns


def _resume(partial: Path, key: str) -> tuple[int, tuple[str, ...]]:
    """How many images an interrupted call got through and what it skipped.

    What was begun from other images, another run or other options is begun again.
    """
    whole: list[str] = []
    done, skipped = 0, ()
    if partial.is_file():
        lines = partial.read_text(encoding="utf-8", errors="replace").split("\n")
        if lines[0] == MARK + key:
            rows: list[str] = []
            for line in lines[1:-1]:
                rows.append(line)
                if line.startswith(MARK):
                    facts = parse_json(line[1:])
                    done, skipped = int(facts["done"]), skipped + tuple(facts["skipped"])
                    whole += rows
                    rows = []
    write_text(partial, "\n".join([MARK + key, *whole]) + "\n")
    return done, skipped


def _finish(partial: Path, out: Path) -> None:
    """The rows kept so far as the file asked for."""
    table = partial.with_name(f"{partial.name}.csv")
    header = ""
    with partial.open(encoding="utf-8", newline="") as file:
        for line in file:
            if line.startswith(MARK + "{"):
                header = parse_json(line[1:])["columns"]
    if not header:
        raise RunError(f"{partial}: nothing was predicted; remove it and give the command again")

    def copy(to: object) -> None:
        write = to.write  # type: ignore[attr-defined]
        write((header + "\n").encode())
        with partial.open(encoding="utf-8", newline="") as file:
            for line in file:
                if not line.startswith(MARK):
                    write(line.encode())

    if out.suffix.lower() == ".csv":
        write_atomically(out, copy)
    else:
        import pandas as pd

        try:
            write_atomically(table, copy)
            frame = pd.read_csv(table, dtype={"image": str}, keep_default_na=True)
            for name in ("set", "rejected"):
                if name in frame:
                    frame[name] = frame[name].fillna("")
            write_atomically(out, lambda file: frame.to_parquet(file, index=False))
        except ImportError:
            raise DataError(
                f"{out}: parquet needs pyarrow; install it, or name a .csv file"
            ) from None
        finally:
            table.unlink(missing_ok=True)
    partial.unlink()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name
