"""The decode-once pixel store: every image as a square of uint8, memory-mapped.

``store_dir/pixels/<key>/`` holds ``pixels.u8`` (plain C-order ``(n, size, size, 3)`` uint8),
``rows.b2`` (``(n, 16)`` uint8, blake2b of each row, zero until the row is written) and
``meta.json``, written last. The key depends on the image ids, the contents of the files, size,
aspect and decoder, and on nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.digests import digest_of, seal_holds, sealed
from ensemble_kit.core.disk import make_folder
from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.decode import DECODER, Aspect, Pixels, decode
from ensemble_kit.data.sources import Contents, source_contents
from ensemble_kit.stores.pixel_filling import (
    PIXELS,
    ROWS,
    Filling,
    fill,
    good_rows,
    read_row_digests,
)

__all__ = ["PixelPlan", "PixelStore", "decode", "fill_pixels", "pixels_ready", "plan_pixels"]

FORMAT = 1
META = "meta.json"


@dataclass(frozen=True, eq=False)
class PixelStore:
    """A complete pixel store.

    image_ids : (n,) str, the order of the rows. size : pixels a side. digest : sha256 of the ids
    and of every row's content. folder : where it lies. bits : significant bits of the data set's
    16-bit grey pictures (0: it has none).
    """

    folder: Path
    image_ids: Strings
    size: int
    aspect: Aspect
    digest: str
    bits: int = 0

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def array(self) -> Pixels:
        """(n, size, size, 3) uint8 RGB, a read-only memory map."""
        shape = (len(self), self.size, self.size, 3)
        return np.memmap(self.folder / PIXELS, np.uint8, mode="r", shape=shape)


@dataclass(frozen=True)
class PixelPlan:
    """What a fill would do.

    ready : nothing. n_bytes : size of the whole store. n_images : rows of it. folder : its place.
    digest : of the store that is there, as in :class:`PixelStore`; "" where it is not ready.
    """

    folder: Path
    ready: bool
    n_images: int
    n_bytes: int
    digest: str = ""


def plan_pixels(
    table: ImageTable,
    size: int,
    aspect: Aspect,
    store_dir: Path,
    jobs: int = 2,
    *,
    remember: bool = True,
) -> PixelPlan:
    """Say where the store of these pixels is or would be, without decoding anything.

    remember : whether what was learnt of the image files is written down, so that they need not
        be read again; False writes nothing at all.
    """
    key, _ = _key(table, size, aspect, store_dir, jobs, remember)
    folder = store_dir / "pixels" / key[:16]
    digest = _complete(folder, key, table.image_ids, remember)
    n_bytes = len(table) * (size * size * 3 + 16)
    return PixelPlan(folder, digest is not None, len(table), n_bytes, digest or "")


def pixels_ready(table: ImageTable, size: int, aspect: Aspect, store_dir: Path) -> bool:
    """Whether :func:`fill_pixels` would have nothing to do."""
    return plan_pixels(table, size, aspect, store_dir).ready


def fill_pixels(
    table: ImageTable,
    size: int,
    aspect: Aspect,
    store_dir: Path,
    *,
    jobs: int,
    on_progress: Callable[[int], None] | None = None,
) -> PixelStore:
    """The pixel store of the table's images, in table order; decoded unless it is there already.

    size : pixels a side. jobs : threads. on_progress : called with the number of images just
    done; the calls add up to n. A fill that was killed goes on where it stopped, processes that
    need the same store wait for the one that fills it, damaged rows are decoded again.
    Raises DataError naming the images that cannot be read, StoreError where the disk is full.
    """
    key, contents = _key(table, size, aspect, store_dir, jobs)
    folder = store_dir / "pixels" / key[:16]
    make_folder(folder.parent)
    tell = on_progress or (lambda done: None)
    digest = _complete(folder, key, table.image_ids)
    if digest is None:
        with FileLock(folder.with_suffix(".lock")):
            digest = _complete(folder, key, table.image_ids)
            if digest is None:
                filling = Filling(table, contents.digests, size, aspect, folder, key,
                                  contents.bits or 16)  # fmt: skip
                fill(filling, jobs, tell)
                digest = _finish(filling)
            else:
                tell(len(table))
    else:
        tell(len(table))
    (folder / META).touch()
    return PixelStore(folder, table.image_ids, size, aspect, digest, contents.bits)


def read_meta(folder: Path) -> dict[str, Any] | None:
    """What a complete store says of itself; None where it is not complete or not ours."""
    try:
        meta = parse_json((folder / META).read_text(encoding="utf-8"))
        n, size = int(meta["n_images"]), int(meta["size"])
        whole = (folder / PIXELS).stat().st_size == n * size * size * 3
        whole = whole and (folder / ROWS).stat().st_size == n * 16
        whole = whole and meta["format"] == FORMAT and seal_holds(meta, "mtime_ns")
        return dict(meta) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_row_digests(store_dir: Path, digest: str, image_ids: Strings) -> Pixels | None:
    """(n, 16) uint8, blake2b of each row's pixels, of the store with that digest; None where it is
    not there any more, or pixels are decoded otherwise today."""
    for folder in sorted((store_dir / "pixels").glob("*")):
        meta = read_meta(folder)
        alike = meta is not None and meta["n_images"] == len(image_ids)
        alike = alike and meta is not None and meta.get("decoder") == DECODER
        if alike and store_digest(folder, image_ids) == digest:
            return read_row_digests(folder, len(image_ids))
    return None


def store_digest(folder: Path, image_ids: Strings) -> str:
    """sha256 of the ids and of the rows' digests as recorded."""
    rows = read_row_digests(folder, len(image_ids))
    return digest_of([str(name) for name in image_ids], rows)


def _key(
    table: ImageTable, size: int, aspect: Aspect, store_dir: Path, jobs: int, remember: bool = True
) -> tuple[str, Contents]:
    without = table.image_ids[table.paths == ""]
    if len(without):
        raise DataError(f"no image file known for {some(without)}: read the data set with images")
    contents = source_contents(table, store_dir, jobs, remember)
    ids = [str(name) for name in table.image_ids]
    parts: list[object] = [ids, contents.digests, size, str(aspect), DECODER, FORMAT]
    if contents.bits not in (0, 16):
        parts.append(contents.bits)
    return digest_of(*parts), contents


def _complete(folder: Path, key: str, image_ids: Strings, remember: bool = True) -> str | None:
    """The digest of a store that is whole; None if it has to be filled or mended.

    The rows are read again only where the file was touched since it was finished.
    """
    meta = read_meta(folder)
    if meta is None or meta.get("key") != key:
        return None
    digest = store_digest(folder, image_ids)
    if digest != meta.get("digest"):
        return None
    if (folder / PIXELS).stat().st_mtime_ns != meta.get("mtime_ns"):
        if not good_rows(folder, len(image_ids), int(meta["size"])).all():
            return None
        if remember:
            write_json(folder / META, meta | {"mtime_ns": (folder / PIXELS).stat().st_mtime_ns})
    return digest


def _finish(filling: Filling) -> str:
    table, folder = filling.table, filling.folder
    digest = store_digest(folder, table.image_ids)
    meta = {
        "format": FORMAT,
        "key": filling.key,
        "digest": digest,
        "n_images": len(table),
        "size": filling.size,
        "aspect": filling.aspect,
        "decoder": DECODER,
        "bits": filling.bits,
        "root": str(Path(table.root).resolve()),
        "mtime_ns": (folder / PIXELS).stat().st_mtime_ns,
    }
    write_json(folder / META, sealed(meta, "mtime_ns"))
    return digest
