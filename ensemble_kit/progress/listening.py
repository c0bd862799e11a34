"""What the displays of `cv` and `tune` share: how they listen, speak, start and stop."""

from collections.abc import Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol, Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ensemble_kit.progress.console import note, progress

PHASE_NAMES = {"head": "head", "fine_tune": "last blocks"}


def bar_columns(*, unit: str = "", label_width: int = 0) -> tuple[ProgressColumn, ...]:
    """The columns of every progress bar, its length by the room there is. unit : "" counts things,
    "B" counts bytes."""
    return (
        TextColumn(f"{{task.description:<{label_width}}}" if label_width else "{task.description}"),
        BarColumn(bar_width=min(28, max(4, progress.width - 60))),
        DownloadColumn() if unit == "B" else MofNCompleteColumn(),
        TimeRemainingColumn(),
    )


def draws() -> bool:
    """Whether bars can be drawn: on a terminal, or in a notebook with ipywidgets (lines else)."""
    if progress.is_jupyter:
        return find_spec("ipywidgets") is not None
    return progress.is_terminal


class Drawing(Protocol):
    """Rich's Progress and Live."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Listener:
    """Receives what training tells, step by step; draws on a terminal, else writes lines.

    A subclass has a method ``_on_<kind>`` for each kind of step it shows. drawing : None where
    there is no terminal or no bars are wanted. quiet : no lines either.
    """

    def __init__(self, drawing: Drawing | None, *, quiet: bool) -> None:
        self._drawing = drawing
        self._quiet = quiet

    def __enter__(self) -> Self:
        if self._drawing:
            self._drawing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._drawing:
            self._drawing.stop()

    def tell(self, kind: str, **facts: Any) -> None:
        """Take note of one step or event; unknown kinds are ignored."""
        listener = getattr(self, f"_on_{kind}", None)
        if listener is not None:
            listener(**facts)

    def _on_read(self, told: str, notes: Sequence[str], warnings: Sequence[str]) -> None:
        for sentence in filter(None, (told, *notes)):
            self._line(f"read: {sentence}")
        for sentence in warnings:
            note(f"warning: {sentence}")

    def _on_filled(self, images: int, seconds: float) -> None:
        self._line(f"frozen layers: {images:,} images in {seconds:.0f} s")

    def _line(self, text: str) -> None:
        if not self._quiet:
            note(text)
