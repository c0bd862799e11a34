"""Looking after one activation store: what it holds, whether it is sound, giving space back.

Whoever changes a store holds its lock (``folder/lock``) alone; whoever fills it shares that lock
and holds one of the view besides.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.errors import StoreError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.stores.activations import FORMAT, ActivationKey, ActivationStore, key_in
from ensemble_kit.stores.formats import of_another_version
from ensemble_kit.stores.locks import LOCK

META = "meta.json"
_NAMED = re.compile("[0-9a-f]{16}")
_VIEW = re.compile(r"view_([0-7])\.(?:(?:high|low)\.float(?:16|32)|json|journal)")


@dataclass(frozen=True)
class StoredActivations:
    """One store as found on disk.

    complete, partial : views that are whole, and views that were begun. n_bytes : of all files;
    partial_bytes : of those of partial views. used : POSIX time of its last use.
    """

    folder: Path
    key: ActivationKey
    complete: tuple[int, ...]
    partial: tuple[int, ...]
    n_bytes: int
    partial_bytes: int
    used: float


def inspect_activations(folder: Path) -> StoredActivations | None:
    """What a folder holds; None where it is not, or not only, an activation store of ours."""
    if folder.is_symlink() or not (folder / META).is_file():
        return None
    files = list(folder.iterdir())
    if not all(_ours(path) for path in files):
        return None
    key = _described(folder)
    if key is None or folder.name != key.digest[:16]:
        return None
    store = ActivationStore(folder, key)
    sizes = {path: path.stat().st_size for path in files}
    views = sorted({int(match[1]) for path in files if (match := _VIEW.fullmatch(path.name))})
    complete = tuple(view for view in views if _whole(store, view))
    partial = tuple(view for view in views if view not in complete)
    begun = [path for path in files if any(path.name.startswith(f"view_{v}.") for v in partial)]
    return StoredActivations(
        folder, key, complete, partial, sum(sizes.values()), sum(sizes[path] for path in begun),
        max(path.stat().st_mtime for path in files if path.name != LOCK),
    )  # fmt: skip


def damaged_store(folder: Path) -> bool:
    """Whether a folder is named like a store and holds a store's files and nothing else, but its
    record does not say what the store is of."""
    if folder.is_symlink() or not _NAMED.fullmatch(folder.name):
        return False
    files = list(folder.iterdir())
    data = any(path.name == META or _VIEW.fullmatch(path.name) for path in files)
    ours = all(_ours(path) for path in files) and not of_another_version(folder / META, FORMAT)
    return data and ours and _described(folder) is None


def remove_damaged(folder: Path) -> None:
    """Remove a store that does not say what it is of; the next fill computes it again."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == META):
        path.unlink(missing_ok=True)
    folder.rmdir()


def damaged_views(stored: StoredActivations) -> list[int]:
    """Read every view that was declared complete; those whose bytes are not what was written."""
    store = ActivationStore(stored.folder, stored.key)
    claimed = [view for view in range(8) if store.done_path(view).is_file()]
    return [view for view in claimed if not _sound(store, view)]


def forget_views(stored: StoredActivations, views: tuple[int, ...]) -> None:
    """Remove the files of some views; the next fill computes them again."""
    store = ActivationStore(stored.folder, stored.key)
    for view in views:
        store.forget(view)


def remove_activations(stored: StoredActivations) -> None:
    """Remove a store: its views first, then what says that it is one."""
    forget_views(stored, tuple(range(8)))
    remove_damaged(stored.folder)


def _described(folder: Path) -> ActivationKey | None:
    """The key that a store's record gives; None where there is none, or it is damaged."""
    try:
        key = key_in(folder)
        said = parse_json((folder / META).read_text(encoding="utf-8"))
        whole = said["format"] == FORMAT and said["digest"] == key.digest
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return key if whole else None


def _ours(path: Path) -> bool:
    """A file that a store has, or the temporary one of a write that was killed."""
    name = path.name
    known = name in (META, LOCK) or _VIEW.fullmatch(name) is not None
    temporary = name.startswith((f".{META}.", ".view_"))
    return (known or temporary) and path.is_file() and not path.is_symlink()


def _whole(store: ActivationStore, view: int) -> bool:
    size = store.key.rows * store.key.part_bytes
    paths = [store.path(view, part) for part in store.parts(view)]
    there = store.done_path(view).is_file() and all(path.is_file() for path in paths)
    return there and all(path.stat().st_size == size for path in paths)


def _sound(store: ActivationStore, view: int) -> bool:
    try:
        record = parse_json(store.done_path(view).read_text(encoding="utf-8"))
        return bool(store.checksums(view, record["batch"]) == record["checksums"])
    except (OSError, ValueError, KeyError, TypeError, StoreError):
        return False
