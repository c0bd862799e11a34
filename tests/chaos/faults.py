"""A disk that fails at the n-th write of this process."""

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ensemble_kit.core import disk


def no_space(number: int = errno.ENOSPC) -> OSError:
    """What the system raises where the disk is full, or for another number of an error."""
    return OSError(number, "No space left on device")


@dataclass
class FailingDisk(disk.Observer):
    """fails : the number of the write that fails, from 1 on; all after it fail too, as on a disk
    that stays full, unless it is full ``once``. number : of the error. written : places heard of.
    """

    fails: int
    number: int = errno.ENOSPC
    once: bool = False
    written: list[Path] = field(default_factory=list)

    def begin(self, path: Path) -> None:
        self.written.append(path)
        number = len(self.written)
        if number == self.fails or (number > self.fails and not self.once):
            raise no_space(self.number)


@contextlib.contextmanager
def failing(fails: int, number: int = errno.ENOSPC, *, once: bool = False) -> Iterator[FailingDisk]:
    before, broken = disk.observer, FailingDisk(fails, number, once)
    disk.observer = broken
    try:
        yield broken
    finally:
        disk.observer = before
