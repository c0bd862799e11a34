"""Commands as a user gives them, on two cores."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.executors.clusters import FEW, end

SETTINGS = [
    "--folds", "3", "--backbone", "compact", "--weights", "none", "--image-size", "48",
    "--unfreeze-depth", "2", "--fine-tune-epochs", "15", "--views", "2", "--batch-size", "16",
    "--fine-tune-lr", "0.003", "--no-progress",
]  # fmt: skip
LONGEST = 900
"""Seconds; a command takes some twenty where nothing else is at work."""
MAIN = "from ensemble_kit.cli.app import main; main()"
BEGUN = "fold {} last blocks epoch 3"


def command(verb: str, *words: str, before: str = "") -> list[str]:
    return [sys.executable, "-c", f"{FEW}{before}{MAIN}", verb, *map(str, words)]


def cv(*words: str, **how: str) -> list[str]:
    return command("cv", "--data", "squares", *SETTINGS, *words, **how)


def give(folder: Path, words: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=LONGEST, check=False
    )


class Driver:
    """A command under way, whose messages can be waited for."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        self._log = folder / f"driver-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                words, cwd=folder, stdout=log, stderr=log, env=os.environ, start_new_session=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        end([self.process.pid])
        self.process.wait(timeout=30)

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, text: str, seconds: float = LONGEST) -> None:
        limit = time.monotonic() + seconds
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < limit, self.said
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=LONGEST)

    def ended(self) -> int:
        return self.process.wait(timeout=LONGEST)
