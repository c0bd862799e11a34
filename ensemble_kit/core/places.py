"""Where output may go: one answer for every command that takes a place to write to."""

import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Never

from ensemble_kit.core.errors import OutputError

KEPT = {"trials.journal": "a search's folder"}
"""A file that tells whose folder it lies in -> what that is. What is below stays as it was made."""
STORES = ("pixels", "activations")


def protect(name: str, whose: str) -> None:
    """Have folders that hold a file of this name left as they were made."""
    KEPT[name] = whose


Ours = Callable[[Path], bool]


def check_output(
    path: Path, option: str, *, ours: Ours | None = None, away_from: Iterable[Path] = ()
) -> None:
    """Raise OutputError where a file must not be written at ``path``.

    It is neither in a folder of runs, searches, stores or input data, nor in the place of anything
    but a regular file; an existing file is replaced only where ``ours`` says that it is an earlier
    output of the same kind (None: it never is). option : as the user gave it, for the sentence.
    away_from : inputs; nothing is written in their folders (unless the working directory lies in
    them), nor over them.
    """
    _check_place(path, option, away_from)
    found = _status(path)
    if found is None:
        return
    if stat.S_ISDIR(found):
        raise OutputError(f"{path} is a folder: {option} names the file to write")
    if not stat.S_ISREG(found):
        raise OutputError(
            f"{path} is {kind_of(found)}, which is never written over: {option} names a file to "
            "write"
        )
    if ours is None or not ours(path):
        raise OutputError(
            f"{path} is there and was not made by this command, so it is left alone: give {option} "
            "another name"
        )


def check_output_folder(
    path: Path, option: str, *, away_from: Iterable[Path] = (), beside_stores: bool = False
) -> None:
    """As :func:`check_output` for a folder that a command fills; what lies in it is the command's
    to judge. beside_stores : whether it may lie beside pixels and activations."""
    _check_place(path, option, away_from, beside_stores)
    check_folder(path, option)


def check_folder(path: Path, option: str) -> None:
    """Raise OutputError where something other than a folder is there, or on the way there."""
    for parent in path.parents:
        if _status(parent, "a folder") is not None and not parent.is_dir():
            raise OutputError(
                f"{path}: {parent} is {kind_of(parent.stat().st_mode)}: {option} names a folder"
            )
    found = _status(path, "a folder")
    if found is not None and not stat.S_ISDIR(found):
        raise OutputError(f"{path} is {kind_of(found)}: {option} names a folder")


def check_apart(path: Path, option: str, given: Path) -> None:
    """Raise OutputError where a place to write to is an input or lies in its folder (unless the
    working directory lies in it too)."""
    place, source, here = _resolved(path), _resolved(given), Path.cwd()
    inside = source in place.parents and source not in (here, *here.parents)
    if place == source or (inside and source.is_dir()):
        raise OutputError(
            f"{path} would be written into the input {given}, which stays as it is: give "
            f"{option} another place"
        )


def check_inputs_outside(folder: Path, option: str, inputs: Iterable[Path]) -> None:
    """Raise OutputError where a folder that is to be replaced is an input or holds one."""
    place = _resolved(folder)
    for given in inputs:
        if place in (source := _resolved(given), *source.parents):
            raise OutputError(
                f"{given} is an input of what would be written to {folder}, which would "
                f"replace it: give another {option}"
            )


def kind_of(mode: int) -> str:
    """``a pipe``, ``a device`` … of a ``st_mode``."""
    kinds = (
        (stat.S_ISREG, "a file"), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    )  # fmt: skip
    return next((word for test, word in kinds if test(mode)), "no regular file")


def _check_place(
    path: Path, option: str, away_from: Iterable[Path], beside_stores: bool = False
) -> None:
    place = _resolved(path)
    for folder in place.parents:
        for name, whose in KEPT.items():
            if (folder / name).is_file():
                raise OutputError(
                    f"{path} lies in {whose} ({folder}), whose files stay as they were made: give "
                    f"{option} another place"
                )
        if folder.name in STORES and any(folder.glob("*/meta.json")):
            _refuse_store(path, option, folder.parent)
        if _status(folder) is not None and not folder.is_dir():
            raise OutputError(
                f"{path}: {folder} is a file where a folder is needed: give {option} another place"
            )
    beside, here = place.parent, Path.cwd()
    if not beside_stores and beside not in (here, *here.parents) and any(
        next((beside / name).glob("*/meta.json"), None) for name in STORES
    ):  # fmt: skip
        _refuse_store(path, option, beside)
    for given in away_from:
        check_apart(path, option, given)


def _refuse_store(path: Path, option: str, store: Path) -> Never:
    raise OutputError(
        f"{path} lies in a store ({store}), whose files stay as they were made: give {option} "
        "another place"
    )


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        raise OutputError(f"{path!s:.200} cannot be a place to write to: name another") from None


def _status(path: Path, wanted: str = "a file") -> int | None:
    """``st_mode`` of what is there, links followed; None where nothing is. A link that leads
    nowhere is refused."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise OutputError(f"{path} is a link that leads nowhere: name {wanted}") from None
        return None
    except NotADirectoryError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{path!s:.200}: {reason}; name another place") from None
