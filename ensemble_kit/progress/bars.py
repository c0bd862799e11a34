"""A progress bar on stderr, and nothing where stderr is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from ensemble_kit.progress.console import progress
from ensemble_kit.progress.listening import bar_columns, draws


@contextmanager
def bar(
    label: str, total: int, *, unit: str = "", show: bool = True
) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(by)``. unit : "" counts things, "B" counts bytes."""
    if not show or not draws():
        yield lambda by: None
        return
    from rich.progress import Progress

    with Progress(*bar_columns(unit=unit), console=progress, transient=True) as drawn:
        task = drawn.add_task(label, total=total)
        yield lambda by: drawn.advance(task, by)


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
