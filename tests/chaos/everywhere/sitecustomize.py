"""With this folder on PYTHONPATH, the disk is full in every process of a command, workers included,
from the n-th write of all of them on: FULL_FROM is n, FULL_COUNT the file that they count in."""

import fcntl
import os
from pathlib import Path

from ensemble_kit.core import disk
from tests.chaos.faults import no_space


class CountedDisk(disk.Observer):
    """Counts the writes of several processes in one file, a line each."""

    def __init__(self, count: Path, fails: int) -> None:
        self.count, self.fails = count, fails

    def begin(self, path: Path) -> None:
        with self.count.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            number = len(file.readlines()) + 1
            file.write(f"{os.getpid()} {path}\n")
        if number >= self.fails:
            raise no_space()


if "FULL_FROM" in os.environ:
    disk.observer = CountedDisk(Path(os.environ["FULL_COUNT"]), int(os.environ["FULL_FROM"]))
