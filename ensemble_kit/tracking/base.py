"""What a tracker can do: begin runs, take their parameters, figures and files, end them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["finished", "failed", "killed"]


class TrackedRun(Protocol):
    """One run in a tracker: a command, or a fold or trial of it."""

    def parameters(self, values: Mapping[str, str]) -> None:
        """What the run was asked to do; each name is given once."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Finite figures. step : the epoch or fold they belong to; None for final ones."""

    def artefact(self, path: Path) -> None:
        """Keep a copy of a file under its own name."""

    def end(self, status: Status) -> None:
        """Nothing is told after this."""


class Tracker(Protocol):
    """Where runs are begun. It is opened before any work; what cannot be reached fails there."""

    def begin(self, name: str, kind: str, parent: TrackedRun | None = None) -> TrackedRun:
        """A new run. kind : "cv", "ensemble", "tune", "fold" or "trial". parent : of a fold or
        trial."""
