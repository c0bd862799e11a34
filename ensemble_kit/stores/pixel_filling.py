"""Filling a pixel store: in threads, row by row, going on where an earlier fill stopped."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core import disk
from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.disk import FULL, free_bytes, make_folder, sentence
from ensemble_kit.core.errors import DataError, OutputError, StoreError, some
from ensemble_kit.core.records import Bools, ImageTable, Ints
from ensemble_kit.core.wording import size_text
from ensemble_kit.data.decode import MEND_ALL, Aspect, Pixels, decode_bytes
from ensemble_kit.data.references import read_image
from ensemble_kit.data.sources import content_digest

PIXELS, ROWS, BEGUN = "pixels.u8", "rows.b2", "filling.key"
CHUNK = 32


@dataclass(frozen=True, eq=False)
class Filling:
    """One fill. contents : digest of each image file as the key was computed from it. bits : of
    16-bit grey pictures that the data set uses."""

    table: ImageTable
    contents: list[str]
    size: int
    aspect: Aspect
    folder: Path
    key: str
    bits: int = 16

    @property
    def row_bytes(self) -> int:
        return self.size * self.size * 3


def fill(filling: Filling, jobs: int, tell: Callable[[int], None]) -> None:
    """Bring every row of the store's files to its final state and flush them to disk."""
    n = len(filling.table)
    with _space(filling):
        _begin(filling)
        done = good_rows(filling.folder, n, filling.size)
        tell(int(done.sum()))
        with _opened(filling.folder / PIXELS) as pixels, _opened(filling.folder / ROWS) as rows:
            damaged = _write_rows(filling, np.flatnonzero(~done), pixels, rows, jobs, tell)
            os.fsync(pixels)
            os.fsync(rows)
    if damaged:
        raise DataError(
            f"{len(damaged):,} of {n:,} images cannot be used: {some(damaged)}; {MEND_ALL}"
        )


def read_row_digests(folder: Path, n: int) -> Pixels:
    """(n, 16) uint8 as recorded; zero where a row was never written."""
    return np.fromfile(folder / ROWS, np.uint8).reshape(n, 16)


def good_rows(folder: Path, n: int, size: int) -> Bools:
    """(n,) mask of the rows whose pixels have the digest recorded for them."""
    recorded = read_row_digests(folder, n)
    good: Bools = np.array(recorded.any(axis=1))
    pixels = np.memmap(folder / PIXELS, np.uint8, mode="r", shape=(n, size * size * 3))
    for row in np.flatnonzero(good):
        good[row] = row_digest(pixels[row]) == recorded[row].tobytes()
    return good


def row_digest(pixels: Pixels) -> bytes:
    return hashlib.blake2b(pixels.data, digest_size=16).digest()


def _begin(filling: Filling) -> None:
    """Files of the right size; whatever lies there under another key is started over."""
    folder, n = filling.folder, len(filling.table)
    sizes = {PIXELS: n * filling.row_bytes, ROWS: n * 16}
    try:
        ours = (folder / BEGUN).read_text(encoding="utf-8") == filling.key
        ours = ours and all((folder / name).stat().st_size == sizes[name] for name in sizes)
    except (OSError, ValueError):
        ours = False
    if ours:
        return
    if folder.is_dir():
        shutil.rmtree(folder)
    make_folder(folder)
    for name, n_bytes in sizes.items():
        disk.observer.begin(folder / name)
        with (folder / name).open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            file.truncate(n_bytes)
    write_text(folder / BEGUN, filling.key)


def _write_rows(
    filling: Filling, todo: Ints, pixels: int, rows: int, jobs: int, tell: Callable[[int], None]
) -> list[str]:
    """Decode and write; returns a complaint for each image that cannot be used."""

    def work(chunk: Ints) -> list[str]:
        complaints = []
        for row in chunk.tolist():
            try:
                image = _decoded(filling, row)
            except DataError as error:
                complaints.append(str(error))
                continue
            _write(pixels, image.tobytes(), row * filling.row_bytes)
            _write(rows, row_digest(image.reshape(-1)), row * 16)
        return complaints

    damaged = []
    pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="decode")
    try:
        chunks = [todo[start : start + CHUNK] for start in range(0, len(todo), CHUNK)]
        futures = {pool.submit(work, chunk): len(chunk) for chunk in chunks}
        for future in as_completed(futures):
            damaged += future.result()
            tell(futures[future])
    finally:
        pool.shutdown(cancel_futures=True)
    return sorted(damaged)


def _decoded(filling: Filling, row: int) -> Pixels:
    relative = str(filling.table.paths[row])
    try:
        data = read_image(filling.table.root, relative)
    except OSError as error:
        raise DataError(f"{relative}: cannot be read ({error.strerror})") from None
    if content_digest(data) != filling.contents[row]:
        raise DataError(f"{relative}: changed while it was being read")
    return decode_bytes(data, filling.size, filling.aspect, relative, filling.bits)


def _write(file: int, values: bytes, offset: int) -> None:
    view = memoryview(values)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _space(filling: Filling) -> Iterator[None]:
    """A full disk becomes one sentence, and the half-made store is removed to give room back."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise OutputError(sentence(error, filling.folder)) from None
        shutil.rmtree(filling.folder, ignore_errors=True)
        needed = size_text(len(filling.table) * filling.row_bytes)
        raise StoreError(
            f"the disk is full: the pixel store of {len(filling.table):,} images at "
            f"{filling.size} px needs {needed} in {filling.folder.parent}, and "
            f"{size_text(free_bytes(filling.folder.parent))} are free there; free some space, "
            "choose another store folder or a smaller --image-size"
        ) from None
