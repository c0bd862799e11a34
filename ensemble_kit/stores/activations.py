"""The activation store: what a frozen prefix computed for every image and view, on disk, once.

A store belongs to one key and holds one file set a view. Rows are written in batches, in order;
a journal names the batches that are safely on disk, so that a fill continues where it stopped.
Rows are read by position into the caller's buffer: memory does not grow with the store.
"""

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import StoreError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.records import Ints

FORMAT = 2
FOLDER = "activations"
Part = Literal["high", "low"]


@dataclass(frozen=True)
class ActivationKey:
    """All that stored activations depend on, and nothing else.

    pixels : digest of the pixel store. weights : digest of the base's weights. depth : the cut;
    0 for pooled features (always float32). shape : of one row. backend, precision : the
    arithmetic.
    """

    pixels: str
    backbone: str
    preprocessing: str
    weights: str
    backend: str
    precision: str
    depth: int
    dtype: Literal["float16", "float32"]
    shape: tuple[int, ...]
    rows: int

    @property
    def digest(self) -> str:
        return digest_of(FORMAT, *asdict(self).values())

    @property
    def parts(self) -> tuple[Part, ...]:
        """float16 rows keep, for the identity view, the rounding error as a second float16."""
        return ("high", "low") if self.dtype == "float16" else ("high",)

    @property
    def part_bytes(self) -> int:
        """Bytes of one row in one file."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def row_bytes(self, view: int) -> int:
        """Bytes of one row of one view, all parts."""
        return self.part_bytes * (len(self.parts) if view == 0 else 1)

    def total_bytes(self, views: int) -> int:
        return self.rows * sum(self.row_bytes(view) for view in range(views))


class ActivationStore:
    """Reads and writes the activations of one key. Make it with :func:`open_store`."""

    def __init__(self, folder: Path, key: ActivationKey) -> None:
        self.folder, self.key = folder, key
        self._files: dict[tuple[int, Part], int] = {}

    def path(self, view: int, part: Part) -> Path:
        return self.folder / f"view_{view}.{part}.{self.key.dtype}"

    def done_path(self, view: int) -> Path:
        return self.folder / f"view_{view}.json"

    def journal_path(self, view: int) -> Path:
        return self.folder / f"view_{view}.journal"

    def parts(self, view: int) -> tuple[Part, ...]:
        return self.key.parts if view == 0 else ("high",)

    def ready(self, view: int, *, mend: bool = False) -> bool:
        """Whether a view is complete and its files are the ones that were written.

        A file whose size or time differs from the record is read and compared by checksum. With
        ``mend`` (whoever fills, under the store's lock) a view that fails is forgotten.
        """
        done = self.done_path(view)
        if not done.is_file():
            return False
        try:
            record = parse_json(done.read_text(encoding="utf-8"))
            stamps = {part: self.stamp(view, part) for part in self.parts(view)}
            if record["stamps"] == stamps:
                return True
            intact = bool(self.checksums(view, record["batch"]) == record["checksums"])
        except (OSError, ValueError, KeyError, TypeError, StoreError):
            intact = False
        if mend and intact:
            write_json(done, record | {"stamps": stamps})
        elif mend:
            self.forget(view)
        return intact

    def bytes_there(self) -> int:
        """Bytes that the files of all views already take on the disk."""
        files = self.folder.glob(f"view_*.{self.key.dtype}")
        return sum(path.stat().st_blocks * 512 for path in files)

    def stamp(self, view: int, part: Part) -> list[int]:
        status = self.path(view, part).stat()
        return [status.st_size, status.st_mtime_ns]

    def checksums(self, view: int, batch: int) -> dict[str, list[int]]:
        """CRC-32 of every batch of rows of a complete view, by part."""
        size = batch * self.key.part_bytes
        sums: dict[str, list[int]] = {}
        for part in self.parts(view):
            if self.path(view, part).stat().st_size != self.key.rows * self.key.part_bytes:
                raise StoreError(f"{self.path(view, part)}: its size is not the key's")
            with self.path(view, part).open("rb") as file:
                sums[part] = [zlib.crc32(chunk) for chunk in iter(lambda: file.read(size), b"")]
        return sums

    def forget(self, view: int) -> None:
        self.close()
        for path in (self.done_path(view), self.journal_path(view)):
            path.unlink(missing_ok=True)
        for part in self.parts(view):
            self.path(view, part).unlink(missing_ok=True)

    def read(self, rows: Ints, views: Ints) -> NDArray[Any]:
        """(m, *shape) rows of the views given, in the stored precision."""
        out = np.empty((len(rows), *self.key.shape), self.key.dtype)
        self._read_into(out, rows, views, "high")
        return out

    def read_exact(self, rows: Ints) -> NDArray[np.float32]:
        """(m, *shape) float32 rows of the identity view, free of float16 rounding."""
        zeros = np.zeros(len(rows), dtype=np.int64)
        exact = self.read(rows, zeros).astype(np.float32)
        if "low" in self.parts(0):
            low = np.empty(exact.shape, self.key.dtype)
            self._read_into(low, rows, zeros, "low")
            exact += low
        return exact

    def _read_into(self, out: NDArray[Any], rows: Ints, views: Ints, part: Part) -> None:
        size = self.key.part_bytes
        flat = out.view(np.uint8).reshape(len(rows), size)
        for position, (row, view) in enumerate(zip(rows.tolist(), views.tolist(), strict=True)):
            if os.preadv(self._file(view, part), [flat[position]], row * size) != size:
                raise StoreError(f"{self.path(view, part)} ends early; `store verify` mends it")

    def _file(self, view: int, part: Part) -> int:
        if (view, part) not in self._files:
            try:
                self._files[view, part] = os.open(self.path(view, part), os.O_RDONLY)
            except FileNotFoundError:
                raise StoreError(
                    f"{self.path(view, part)} was removed while it was being read; give the same "
                    "command again to make it anew"
                ) from None
        return self._files[view, part]

    def close(self) -> None:
        for handle in self._files.values():
            os.close(handle)
        self._files.clear()


def open_store(store_dir: Path, key: ActivationKey) -> ActivationStore:
    """The store of a key, complete or not; a folder that belongs to something else is refused.

    The time of ``meta.json`` is that of the last use.
    """
    folder = store_dir / FOLDER / key.digest[:16]
    meta = folder / "meta.json"
    described = {"format": FORMAT, "digest": key.digest, **asdict(key)}
    described["shape"] = list(key.shape)
    if not meta.is_file():
        write_json(meta, described)
    elif not _same(meta, described):
        raise StoreError(f"{folder} is not a store of this program; remove it and start again")
    else:
        with suppress(OSError):
            meta.touch()
    return ActivationStore(folder, key)


def split_parts(store: ActivationStore, view: int, rows: NDArray[Any]) -> dict[Part, NDArray[Any]]:
    """Rows (m, *shape) float32 as the arrays that go into the files of a view."""
    key = store.key
    if key.dtype == "float32":
        return {"high": np.ascontiguousarray(rows, np.float32)}
    with np.errstate(over="ignore"):
        high = rows.astype(np.float16)
    if not np.isfinite(high).all():
        raise StoreError(
            f"activations at depth {key.depth} exceed float16 (largest {np.abs(rows).max():.3g}); "
            "set training.store_dtype = 'float32' in the study"
        )
    if "low" not in store.parts(view):
        return {"high": high}
    return {"high": high, "low": (rows - high.astype(np.float32)).astype(np.float16)}


def stores_in(store_dir: Path) -> Sequence[Path]:
    """Folders of all activation stores, complete or not."""
    return sorted(path.parent for path in (store_dir / FOLDER).glob("*/meta.json"))


def key_in(folder: Path) -> ActivationKey:
    """The key a store's folder says it has."""
    values = parse_json((folder / "meta.json").read_text(encoding="utf-8"))
    names = ActivationKey.__dataclass_fields__
    fields = {name: values[name] for name in names} | {"shape": tuple(values["shape"])}
    return ActivationKey(**fields)


def _same(meta: Path, described: dict[str, Any]) -> bool:
    try:
        return bool(parse_json(meta.read_text(encoding="utf-8")) == described)
    except (OSError, ValueError):
        return False
