"""Predict new images with a finished run: streamed, bounded in memory, resumed where it stopped."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ensemble_kit.core.atomic import write_atomically
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.disk import parents_of, writing
from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_output
from ensemble_kit.core.turns import hold
from ensemble_kit.data.new_images import Given, NewImage, find_new_images
from ensemble_kit.data.new_metadata import GivenMetadata
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors import runs_here
from ensemble_kit.workflows.beside import GivenFeatures, what_to_predict
from ensemble_kit.workflows.predict_elsewhere import Asked, check_elsewhere, stream_elsewhere
from ensemble_kit.workflows.predict_stream import PredictOptions, stream
from ensemble_kit.workflows.predicted import Predicted, joined
from ensemble_kit.workflows.shipped import open_shipped

PARTIAL = ".{name}.partial"
LONGEST_NAME = 200
"""Bytes of a file's name from which the file that keeps rows is named otherwise."""
MARK = "\x1e"
"""Begins the lines of that file that are no rows."""
HERE = ClusterSpec()


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
    found_out = joined(parts)
    return replace(found_out, notes=(*shipped.notes, *given.notes, *found_out.notes))


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
    cluster: ClusterSpec = HERE,
    tell: Tell = say_nothing,
) -> Predicted:
    """:func:`predict` into a CSV or parquet file; an interrupted call is gone on with.

    Rows are kept in a hidden file beside ``out`` while it works, so that memory does not grow;
    ``out`` appears whole or not at all, and replaces a file only with ``overwrite``. The value
    returned has no rows, only what was skipped. cluster : where the fold models run.
    """
    options = options or PredictOptions()
    if images is not None:
        find_new_images(images)
    _check_out(out, run_folder, images, overwrite)
    shipped = open_shipped(run_folder, coverage=coverage, fold=fold)
    shipped.keep_off(out, "--out")
    found, given = what_to_predict(shipped, images, features, metadata)
    if not runs_here(cluster):
        check_elsewhere(shipped, found, given)
    key = digest_of(
        shipped.run.manifest.files, coverage, fold, options.bounds.limits, options.drop,
        options.skip_damaged, [(image.image_id, _stamp(image)) for image in found], given.digest,
    )  # fmt: skip
    short = out.name if len(os.fsencode(out.name)) <= LONGEST_NAME else digest_of(out.name)[:32]
    partial = out.parent / PARTIAL.format(name=short)
    asked = Asked(run_folder, coverage, fold)
    with parents_of(out), _kept_rows(partial, out) as file:
        done, skipped = _resume(file, key)
        notes: dict[str, None] = {}
        tell("begin", total=len(found))
        tell("step", n=min(done, len(found)))
        parts = (
            stream(shipped, found[done:], options, given=given)
            if runs_here(cluster)
            else stream_elsewhere(cluster, asked, found[done:], options)
        )
        for part in parts:
            frame = part.to_frame()
            header = ",".join(_quoted(name) for name in frame.columns)
            looked_at = min(done + options.batch, len(found))
            facts = {"done": looked_at, "skipped": part.skipped, "columns": header}
            rows = frame.to_csv(index=False, header=False)
            with writing(partial, len(rows)):
                _append(file, (rows + MARK + json.dumps(facts) + "\n").encode())
            skipped += part.skipped
            notes |= dict.fromkeys(part.notes)
            tell("step", n=looked_at - done)
            done = looked_at
        _finish(partial, out)
    none = np.empty(0)
    return Predicted(
        shipped.class_names, np.empty(0, np.str_), np.empty((0, len(shipped.class_names))),
        np.empty(0, np.int64), np.empty((0, len(shipped.class_names)), np.bool_), none, none,
        np.empty(0, np.str_), bool(options.bounds.limits), tuple(skipped),
        (*shipped.notes, *given.notes, *notes),
    )  # fmt: skip


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


@contextmanager
def _kept_rows(partial: Path, out: Path) -> Iterator[BinaryIO]:
    """The file that keeps rows while a call works, for one process at a time; it goes when the
    call ends well. DataError where another process has it."""
    with writing(partial):
        file = partial.open("a+b", buffering=0)
    with file:
        try:
            hold(file.fileno(), wait=False)
            same = os.path.samestat(os.fstat(file.fileno()), partial.stat())
        except (BlockingIOError, FileNotFoundError):
            same = False
        if not same:
            raise DataError(
                f"another process is predicting into {out}: wait for it, or name another file with "
                "--out"
            )
        try:
            yield file
        except BaseException:
            file.seek(0)
            if file.read(1 << 16).count(b"\n") < 2:  # no row yet: nothing to go on with
                partial.unlink(missing_ok=True)
            raise
        with suppress(PermissionError):  # Windows keeps what is open
            partial.unlink()
            return
    partial.unlink(missing_ok=True)


def _resume(file: BinaryIO, key: str) -> tuple[int, tuple[str, ...]]:
    """How many images an interrupted call got through and what it skipped.

    What was begun from other images, another run or other options is begun again, and so is what
    was cut in the middle of a batch.
    """
    done, end = 0, 0
    skipped: tuple[str, ...] = ()
    first = f"{MARK}{key}\n".encode()
    file.seek(0)
    lines = file.read().split(b"\n")
    if lines[0] + b"\n" == first:
        at = end = len(first)
        for line in lines[1:-1]:
            at += len(line) + 1
            if line.startswith(MARK.encode()):
                try:
                    facts = parse_json(line[1:])
                    done, skipped = int(facts["done"]), (*skipped, *map(str, facts["skipped"]))
                except (ValueError, LookupError, TypeError):  # damaged: what is before it is kept
                    break
                end = at
    file.truncate(end)
    if not end:
        _append(file, first)
    return done, skipped


def _append(file: BinaryIO, content: bytes) -> None:
    """All of it: a disk that is nearly full takes a part, and says so at the next."""
    while content:
        content = content[file.write(content) :]


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


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name
