"""Files that are either whole or not there: temporary name, flush, rename."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ensemble_kit.core.disk import parents_of, writing

MARK = "-part-"
"""Stands in the name of a temporary file behind the id of its process."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object], needed: int = 0) -> None:
    """Let ``write`` fill a temporary file beside ``path``, flush it to disk and rename it.

    needed : bytes, where they are known. Raises OutputError where the system refuses; then
    nothing is left behind.
    """
    with parents_of(path), writing(path, needed):
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:80]}.{os.getpid()}{MARK}"
        )
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files below a folder whose process is no more."""
    for left in folder.rglob(f".*{MARK}*"):
        owner = left.name.rpartition(MARK)[0].rpartition(".")[2]
        if owner.isdecimal() and not alive(int(owner)) and left.is_file():
            left.unlink(missing_ok=True)


def alive(pid: int) -> bool:
    """Whether there is a process of this id."""
    import psutil

    return bool(psutil.pid_exists(pid))


def write_bytes(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content), len(content))


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Indented JSON; NaN and infinity are refused (they are not JSON)."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
