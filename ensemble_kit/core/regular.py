"""Opening input: regular files alone, so that no pipe or device is waited for, and no more of them
than a table or a text may hold."""

import stat
from pathlib import Path

from ensemble_kit.core.errors import EnsembleKitError
from ensemble_kit.core.places import kind_of

LARGEST = 4 << 30
"""Bytes of a table or a text file that is read whole."""

MOST_BYTES = 256 << 20
"""Bytes of a text that a person or this package wrote: JSON, TOML."""


def check_regular(path: Path, error: type[EnsembleKitError], most: int | None = LARGEST) -> None:
    """Raise ``error`` unless ``path`` is a regular file, links followed, of at most ``most`` bytes.

    Absence and lack of permission are left to whoever opens it (OSError).
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise error(f"{path} is {kind_of(found.st_mode)}, not a file: give a regular file")
    if most is not None and found.st_size > most:
        raise error(
            f"{path} has {found.st_size:,} bytes, and at most {most:,} are read: give a smaller "
            "file, split into several"
        )


def read_whole(path: Path, error: type[EnsembleKitError], most: int | None = LARGEST) -> bytes:
    """The bytes of a regular file; see :func:`check_regular`."""
    check_regular(path, error, most)
    return path.read_bytes()
