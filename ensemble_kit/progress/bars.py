"""A progress bar on stderr; where stderr is no terminal, a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from ensemble_kit.core.wording import size_text
from ensemble_kit.progress.console import note, progress
from ensemble_kit.progress.listening import bar_columns, draws

LINE_SECONDS = 30
"""Between two lines, where no bar is drawn."""


@contextmanager
def bar(
    label: str, total: int, *, unit: str = "", show: bool = True
) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(by)``. unit : "" counts things, "B" counts bytes."""
    if not show or not draws():
        yield _Lines(label, total, unit).advance if show else lambda by: None
        return
    from rich.progress import Progress

    with Progress(*bar_columns(unit=unit), console=progress, transient=True) as drawn:
        task = drawn.add_task(label, total=total)
        yield lambda by: drawn.advance(task, by)


class _Lines:
    """A bar's count as lines for a file or a pipe; none for work that is done sooner."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done, self._last = 0, time.monotonic()

    def advance(self, by: int) -> None:
        self._done += by
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS:
            self._last = now
            done, total = (
                (size_text(n) if self._unit else f"{n:,}") for n in (self._done, self._total)
            )
            note(f"{self._label}: {done} of {total}")


class Bar:
    """One bar for a workflow that tells "begin" (total) and "step" (n)."""

    def __init__(self, label: str, *, unit: str = "", show: bool = True) -> None:
        self._label, self._unit, self._show = label, unit, show
        self._held = ExitStack()
        self._advance: Callable[[int], None] = lambda by: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._held.close()

    def tell(self, kind: str, **facts: Any) -> None:
        """Take note of one step; other kinds are ignored."""
        if kind == "begin":
            drawn = bar(self._label, facts["total"], unit=self._unit, show=self._show)
            self._advance = self._held.enter_context(drawn)
        elif kind == "step":
            self._advance(facts["n"])
