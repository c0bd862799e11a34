"""What the system says where a file cannot be written, as one sentence with a next step."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ensemble_kit.core.errors import OutputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ENTRY = (errno.EACCES, errno.EPERM, errno.EROFS)
IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST)


@contextmanager
def writing(path: Path, needed: int = 0) -> Iterator[None]:
    """Around every write of a file: raises OutputError where the system refuses it.

    path : file or folder being made. needed : bytes, 0 where they are not known.
    """
    try:
        observer.begin(path)
        yield
    except OSError as error:
        if error.errno is None:  # a network's, say
            raise
        raise OutputError(sentence(error, path, needed)) from None
    except ValueError as error:
        if is_full(error):
            raise OutputError(full(path, needed, error)) from None
        raise


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """As :func:`writing` around work that also reads and computes: only a full disk is ours."""
    try:
        observer.begin(path)
        yield
    except Exception as error:
        if is_full(error):
            raise OutputError(full(path, error=error)) from None
        raise


def is_full(error: BaseException) -> bool:
    """Whether an error comes of a full disk: itself, or what it was raised in the handling of (a
    zip archive that cannot be closed any more, say)."""
    return _code_of(error) in FULL


def _code_of(error: BaseException | None) -> int:
    """The number of the system's error for a full disk that led to this one; 0 for none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return int(error.errno or 0)
        error = error.__cause__ or error.__context__
    return 0


class Observer:
    """Hears of every write before it begins. Tests put one in its place that fails the n-th."""

    def begin(self, path: Path) -> None:
        """A file is about to be written."""


observer = Observer()


def make_folder(folder: Path) -> None:
    """The folder with its parents, if it is not there yet. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(sentence(error, folder)) from None


@contextmanager
def parents_of(path: Path) -> Iterator[None]:
    """The folders above a path, made where they are missing; where an error gets out, those that
    were made and hold nothing are removed again. Raises OutputError."""
    missing = [
        folder
        for folder in path.parents
        if not os.path.exists(folder)  # noqa: PTH110, Path's raises where it may not look
    ]
    try:
        make_folder(path.parent)
        yield
    except BaseException:
        with suppress(OSError):  # one that holds something stays, and so do those above it
            for folder in missing:
                folder.rmdir()
        raise


def sentence(error: OSError, path: Path | None = None, needed: int = 0) -> str:
    """The error in words: which place, what is wrong with it, what to do.

    path : what was being written, where the error does not know it.
    """
    named = error.filename if isinstance(error.filename, (str, bytes)) else None
    place = path or (Path(os.fsdecode(named)) if named else None)
    shown = str(place) if place is not None else "a file"
    if error.errno in FULL:
        return full(place, needed, error)
    if error.errno in NO_ENTRY:
        what = "the file system is read-only" if error.errno == errno.EROFS else "permission denied"
        return f"{shown}: {what}; choose a place that you may read and write"
    if error.errno in IN_THE_WAY and place is not None:
        there = _in_the_way(place)
        what = "link that leads nowhere" if there.is_symlink() and not there.exists() else "file"
        return f"{shown}: {there} is a {what} where a folder is needed; name another"
    reason = error.strerror or str(error) or type(error).__name__
    return f"{shown}: {reason[0].lower() + reason[1:]}; check the place and give the command again"


def full(place: Path | None, needed: int = 0, error: BaseException | None = None) -> str:
    """No room is left: the folder, bytes needed where they are known, bytes free; or what else
    keeps a file from growing, by the error that it led to."""
    code = _code_of(error)
    if code == errno.EFBIG:
        where = f"{place.name} in {place.parent}" if place else "a file"
        return (
            f"{where} would be larger than a file may be here; raise the limit (`ulimit -f`), or "
            "choose a folder on another file system, and give the command again"
        )
    if place is None:
        return "the disk is full; free some space and give the command again"
    if code == errno.EDQUOT:
        return (
            f"your quota is used up: no room for {place.name} in {place.parent}; free some space "
            "there, or choose another folder, and give the command again"
        )
    folder = _existing(place)
    wants = f", {needed:,} bytes needed" if needed else ""
    return (
        f"the disk is full: no room for {place.name} in {place.parent} ({free_bytes(folder):,} "
        f"bytes free{wants}); free some space there, or choose another folder, and give the "
        "command again"
    )


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written to the disk of a folder or of its nearest parent; 0 where
    that cannot be told."""
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return 0


def _existing(path: Path) -> Path:
    for place in (path, *path.absolute().parents):
        if place.is_dir():
            return place
    return Path("/")


def _in_the_way(path: Path) -> Path:
    for place in reversed((path, *path.parents)):
        if place.exists() and not place.is_dir():
            return place
    return path
