"""Looking after pixel stores: what there is, whether it is sound, giving the space back."""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from ensemble_kit.core.errors import StoreError, some
from ensemble_kit.stores.formats import of_another_version
from ensemble_kit.stores.pixel_filling import BEGUN, PIXELS, ROWS, good_rows
from ensemble_kit.stores.pixels import FORMAT, META, read_meta

NAMED, KEY = re.compile("[0-9a-f]{16}"), re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredPixels:
    """One store as found on disk.

    key : name of its folder. n_images, size (px), aspect, root : 0 or "" unless complete.
    damaged : a record of it that is not what was written, "" where none is. n_bytes : disk space.
    used : POSIX time of its last use (or of its last change).
    """

    key: str
    folder: Path
    complete: bool
    n_images: int
    size: int
    aspect: str
    root: str
    damaged: str
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
    """Whether a folder is named like a store and holds a store's files and nothing else.

    A store whose records were damaged is one too; one that another key belongs to is not.
    """
    known = {PIXELS, ROWS, BEGUN, META}
    files = list(folder.iterdir()) if not folder.is_symlink() else []
    for path in files:
        temporary = any(path.name.startswith(f".{name}.") for name in known)
        if path.is_symlink() or not path.is_file() or not (path.name in known or temporary):
            return False
    if of_another_version(folder / META, FORMAT):
        return False
    meta = read_meta(folder)
    named = meta is None or str(meta.get("key"))[:16] == folder.name
    return bool(files) and named and NAMED.fullmatch(folder.name) is not None


def damaged_record(folder: Path) -> str:
    """The file in which a store says what it is and how far it came, where that is not what was
    written; "" where nothing is amiss."""
    meta = read_meta(folder)
    if (folder / META).is_file() and meta is None:
        return META
    try:
        begun = (folder / BEGUN).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return BEGUN
    if meta is not None:
        return "" if begun == meta["key"] else BEGUN
    return "" if KEY.fullmatch(begun) and begun.startswith(folder.name) else BEGUN


def forget_records(folder: Path) -> None:
    """Have the next fill look at every row again, or begin anew where it cannot."""
    (folder / META).unlink(missing_ok=True)
    if damaged_record(folder):
        shutil.rmtree(folder)


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
        damaged=damaged_record(folder),
        n_bytes=sum(file.st_size for file in files),
        used=max((file.st_mtime for file in files), default=folder.stat().st_mtime),
    )
