"""Looking after all stores of a folder: what there is, whether it is sound, giving space back.

A folder counts as a store only if what it says of itself agrees with its name and it holds nothing
but a store's files. Nothing else is ever removed, nor a store that another process has locked.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from ensemble_kit.core.errors import StoreError, count
from ensemble_kit.data.sources import damaged_indexes
from ensemble_kit.stores.activation_maintenance import (
    META,
    StoredActivations,
    damaged_store,
    damaged_views,
    forget_views,
    inspect_activations,
    remove_activations,
    remove_damaged,
)
from ensemble_kit.stores.activations import FOLDER
from ensemble_kit.stores.locks import LOCK
from ensemble_kit.stores.pixel_maintenance import (
    StoredPixels,
    forget_records,
    is_pixel_store,
    list_pixels,
    prune_pixels,
    verify_pixels,
)

State = Literal["complete", "partial", "damaged", "foreign"]
Choice = Literal["all", "partial"]


@dataclass(frozen=True)
class Stored:
    """One folder under ``pixels/`` or ``activations/``.

    what : its contents in words; facts : the same as plain values. state : "partial" has
    something begun and not finished, "damaged" a record that is not what was written, "foreign" is
    no store and left alone. n_bytes : disk space;
    partial_bytes : of what is unfinished. used : POSIX time of its last use. busy : locked.
    """

    kind: Literal["pixels", "activations"]
    name: str
    folder: Path
    what: str
    state: State
    n_bytes: int
    partial_bytes: int
    used: float
    busy: bool
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def lock(self) -> Path:
        beside = self.folder.with_suffix(".lock")
        return beside if self.kind == "pixels" else self.folder / LOCK


@dataclass(frozen=True)
class Verified:
    """sound, busy (left alone) : stores. damaged : paths below the stores' folder, with what was
    damaged and is now forgotten."""

    sound: tuple[Stored, ...]
    damaged: tuple[tuple[Path, str], ...]
    busy: tuple[Stored, ...]


@dataclass(frozen=True)
class Pruned:
    """removed : stores and the bytes each gave back. busy : stores left alone. left : bytes."""

    removed: tuple[tuple[Stored, int], ...]
    busy: tuple[Stored, ...]
    left: int

    @property
    def freed(self) -> int:
        return sum(n_bytes for _, n_bytes in self.removed)


def list_stores(store_dir: Path) -> list[Stored]:
    """All stores, the latest used first. A missing folder has none; a file is a StoreError."""
    if store_dir.exists() and not store_dir.is_dir():
        raise StoreError(f"{store_dir} is no folder: --store names the folder of the stores")
    found = [_pixels(stored) for stored in list_pixels(store_dir)]
    place = store_dir / FOLDER
    folders = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    found += [_activations(folder, inspect_activations(folder)) for folder in folders]
    return sorted(found, key=lambda stored: (-stored.used, stored.kind, stored.name))


def verify_stores(
    store_dir: Path, stores: Sequence[Stored], tell: Callable[[int], None] | None = None
) -> Verified:
    """Read all that is finished and compare checksums; damaged parts are forgotten.

    The next run that needs them makes them again. tell : receives the bytes just read.
    """
    sound, busy = [], []
    damaged = []
    for index in damaged_indexes(store_dir):
        index.unlink(missing_ok=True)
        damaged.append((index.relative_to(store_dir), "what it says of image files"))
    for stored in stores:
        if stored.state == "foreign":
            continue
        with _held(stored) as alone:
            if not alone:
                busy.append(stored)
            elif complaint := _verify(store_dir, stored):
                damaged.append((Path(stored.kind, stored.name), complaint))
            else:
                sound.append(stored)
        if tell is not None:
            tell(stored.n_bytes)
    return Verified(tuple(sound), tuple(damaged), tuple(busy))


def prune_stores(
    store_dir: Path,
    stores: Sequence[Stored],
    choice: Choice | float,
    *,
    dry_run: bool = False,
) -> Pruned:
    """Give space back: everything, what is unfinished, or the least recently used stores.

    choice : "all", "partial", or the bytes that may remain. dry_run : nothing is removed, the
    result says what would be.
    """
    ours = [stored for stored in stores if stored.state != "foreign"]
    left = sum(stored.n_bytes for stored in ours)
    removed, busy = [], []
    for stored in sorted(ours, key=lambda stored: (stored.used, stored.name)):
        if not isinstance(choice, str) and left <= choice:
            break
        n_bytes = stored.partial_bytes if choice == "partial" else stored.n_bytes
        if choice == "partial" and stored.state == "complete":
            continue
        if stored.busy or not (dry_run or _remove(store_dir, stored, choice)):
            busy.append(stored)
            continue
        removed.append((stored, n_bytes))
        left -= n_bytes
    return Pruned(tuple(removed), tuple(busy), left)


def _verify(store_dir: Path, stored: Stored) -> str:
    """What is damaged, "" where nothing is. Damaged parts are forgotten."""
    if stored.state == "damaged":
        if stored.kind == "pixels":
            forget_records(stored.folder)
        else:
            remove_damaged(stored.folder)
        return stored.what
    if stored.kind == "pixels":
        if stored.state == "partial":
            return ""
        rows = verify_pixels(store_dir, stored.name)
        return count(len(rows), "image") if rows else ""
    found = inspect_activations(stored.folder)
    views = tuple(damaged_views(found)) if found else ()
    if found and views:
        forget_views(found, views)
    return f"view {', '.join(map(str, views))}" if views else ""


def _remove(store_dir: Path, stored: Stored, choice: Choice | float) -> bool:
    """Remove a store, or its unfinished part; False where another process has locked it."""
    if stored.kind == "pixels":
        return bool(prune_pixels(store_dir, [stored.name]))
    with _held(stored) as alone:
        found = inspect_activations(stored.folder) if alone else None
        if alone and found is None and damaged_store(stored.folder):
            remove_damaged(stored.folder)
            return True
        if found is None:
            return False
        if choice == "partial" and found.complete:
            forget_views(found, found.partial)
        else:
            remove_activations(found)
        return True


@contextmanager
def _held(stored: Stored) -> Iterator[bool]:
    """Hold a store's lock if nobody else does; yields whether that is so."""
    lock = FileLock(stored.lock, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _busy(lock: Path) -> bool:
    if not lock.is_file() or not os.access(lock, os.W_OK):
        return False
    probe = FileLock(lock, blocking=False)
    try:
        probe.acquire()
    except Timeout:
        return True
    probe.release()
    return False


def _pixels(stored: StoredPixels) -> Stored:
    ours = is_pixel_store(stored.folder)
    state: State = "foreign"
    if ours:
        state = "damaged" if stored.damaged else "complete" if stored.complete else "partial"
    words = {"damaged": f"its record {stored.damaged}", "partial": "pixels being decoded",
             "foreign": "not a store"}  # fmt: skip
    what = f"{count(stored.n_images, 'image')}, {stored.size} px, {stored.aspect}"
    facts = {"images": stored.n_images, "size": stored.size, "aspect": stored.aspect,
             "data": stored.root}  # fmt: skip
    return Stored(
        kind="pixels",
        name=stored.key,
        folder=stored.folder,
        what=words.get(state, what),
        state=state,
        n_bytes=stored.n_bytes,
        partial_bytes=stored.n_bytes if state in ("partial", "damaged") else 0,
        used=stored.used,
        busy=_busy(stored.folder.with_suffix(".lock")),
        facts=facts if state == "complete" else {},
    )


def _activations(folder: Path, found: StoredActivations | None) -> Stored:
    if found is None:
        files = [path.stat() for path in folder.iterdir() if path.is_file()]
        used = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
        size = sum(file.st_size for file in files)
        state: State = "damaged" if damaged_store(folder) else "foreign"
        what, partial = ("not a store", 0) if state == "foreign" else (f"its record {META}", size)
        return Stored("activations", folder.name, folder, what, state, size, partial, used,
                      _busy(folder / LOCK))  # fmt: skip
    key = found.key
    part = "pooled features" if key.depth == 0 else f"before the last {count(key.depth, 'block')}"
    shape = "×".join(map(str, key.shape))
    views = count(len(found.complete), "view")
    if found.partial:
        views += f" and {len(found.partial)} unfinished"
    facts = {"backbone": key.backbone, "images": key.rows, "depth": key.depth,
             "shape": list(key.shape), "dtype": key.dtype, "views": list(found.complete),
             "unfinished": list(found.partial), "pixels": key.pixels, "weights": key.weights,
             "backend": key.backend}  # fmt: skip
    return Stored(
        kind="activations",
        name=folder.name,
        folder=folder,
        what=f"{key.backbone}, {part}, {count(key.rows, 'image')} × {views}, {shape} {key.dtype}",
        state="partial" if found.partial or not found.complete else "complete",
        n_bytes=found.n_bytes,
        partial_bytes=found.partial_bytes if found.complete else found.n_bytes,
        used=found.used,
        busy=_busy(folder / LOCK),
        facts=facts,
    )
