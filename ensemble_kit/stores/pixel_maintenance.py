"""Looking after pixel stores: what there is, whether it is sound, giving the space back."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from ensemble_kit.core.errors import StoreError, some
from ensemble_kit.stores.pixel_filling import BEGUN, PIXELS, ROWS, good_rows
from ensemble_kit.stores.pixels import META, read_meta


@dataclass(frozen=True)
class StoredPixels:
    """One store as found on disk.

    key : name of its folder. n_images, size (px), aspect, root : 0 or "" unless complete.
    n_bytes : disk space. used : POSIX time of its last use (or of its last change).
    """

    key: str
    folder: Path
    complete: bool
    n_images: int
    size: int
    aspect: str
    root: str
    n_bytes: int
    used: float


def list_pixels(store_dir: Path) -> list[StoredPixels]:
    """All pixel stores under a store folder, the latest used first."""
    place = store_dir / "pixels"
    if not place.is_dir():
        return []
    folders = [f for f in place.iterdir() if f.is_dir() and f.name != "sources"]
    return sorted((_found(f) for f in folders), key=lambda s: (-s.used, s.key))


def verify_pixels(store_dir: Path, key: str) -> list[int]:
    """The rows of a store whose pixels are not what was written; all of them read again.

    An incomplete store is a StoreError. The next fill mends the rows named.
    """
    folder = store_dir / "pixels" / key
    meta = read_meta(folder)
    if meta is None:
        raise StoreError(f"{folder}: not a complete pixel store; the next run fills it")
    good = good_rows(folder, int(meta["n_images"]), int(meta["size"]))
    if not good.all():
        (folder / META).unlink(missing_ok=True)
    return [int(row) for row in np.flatnonzero(~good)]


def is_pixel_store(folder: Path) -> bool:
    """Whether a folder holds a store's files and nothing else, and its key is the folder's name."""
    known = {PIXELS, ROWS, BEGUN, META}
    if folder.is_symlink():
        return False
    for path in folder.iterdir():
        temporary = any(path.name.startswith(f".{name}.") for name in known)
        if path.is_symlink() or not path.is_file() or not (path.name in known or temporary):
            return False
    try:
        meta = read_meta(folder)
        key = meta["key"] if meta else (folder / BEGUN).read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError):
        return False
    return str(key)[:16] == folder.name


def prune_pixels(store_dir: Path, keys: Collection[str] | None = None) -> list[StoredPixels]:
    """Remove the stores named (default: the incomplete ones); returns what was removed.

    A store that is being filled just now is left alone, and so is a folder that is no store; an
    unknown key is a StoreError.
    """
    stores = [store for store in list_pixels(store_dir) if is_pixel_store(store.folder)]
    unknown = sorted(set(keys or ()) - {store.key for store in stores})
    if unknown:
        raise StoreError(
            f"no pixel store named {some(unknown)} in {store_dir}; `store list` has all"
        )
    removed = []
    for store in stores:
        if store.key in keys if keys is not None else not store.complete:
            try:
                with FileLock(store.folder.with_suffix(".lock"), blocking=False):
                    shutil.rmtree(store.folder)
                    removed.append(store)
            except Timeout:
                continue
    return removed


def _found(folder: Path) -> StoredPixels:
    meta = read_meta(folder)
    files = [path.stat() for path in folder.iterdir() if path.is_file()]
    values = meta or {}
    return StoredPixels(
        key=folder.name,
        folder=folder,
        complete=meta is not None,
        n_images=int(values.get("n_images", 0)),
        size=int(values.get("size", 0)),
        aspect=str(values.get("aspect", "")),
        root=str(values.get("root", "")),
        n_bytes=sum(file.st_size for file in files),
        used=max((file.st_mtime for file in files), default=folder.stat().st_mtime),
    )
