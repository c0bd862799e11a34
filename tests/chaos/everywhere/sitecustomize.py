"""With this folder on PYTHONPATH, the disk of every process of a command, workers included, is full
from the first write to a place like FULL_FROM (a pattern) on; the place is told in FULL_TOLD."""

import os
from fnmatch import fnmatch
from pathlib import Path

from ensemble_kit.core import disk
from tests.chaos.faults import no_space


class FullDisk(disk.Observer):
    """Full for all processes once one of them has written what it was hit at."""

    def __init__(self, pattern: str, told: Path) -> None:
        self.pattern, self.told = pattern, told

    def begin(self, path: Path) -> None:
        if not self.told.exists():
            if not fnmatch(str(path), self.pattern):
                return
            self.told.write_text(str(path), encoding="utf-8")
        raise no_space()


if "FULL_FROM" in os.environ:
    disk.observer = FullDisk(os.environ["FULL_FROM"], Path(os.environ["FULL_TOLD"]))
