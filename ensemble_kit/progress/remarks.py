"""What `evaluate` and `ensemble` say on stderr while they work."""

from collections.abc import Sequence
from typing import Any

from ensemble_kit.progress.console import note
from ensemble_kit.progress.listening import Listener


class Remarks(Listener):
    """Warnings always; notes and steps unless quiet."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(None, quiet=quiet)

    def _on_matched(self, notes: Sequence[str], warnings: Sequence[str]) -> None:
        for warning in warnings:
            note(f"warning: {warning}")
        for sentence in notes:
            self._line(sentence)

    def _on_evaluating(self, name: str, replicates: int) -> None:
        self._line(f"evaluating {name}: {replicates:,} resamples")

    def _on_working(self, sentence: str, **facts: Any) -> None:
        self._line(sentence)
