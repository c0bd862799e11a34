"""A progress bar on stderr, and nothing where stderr is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ensemble_kit.cli.console import progress


@contextmanager
def bar(
    label: str, total: int, *, unit: str = "", show: bool = True
) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(by)``. unit : "" counts things, "B" counts bytes."""
    if not show or not progress.is_terminal:
        yield lambda by: None
        return
    from rich.progress import Progress

    from ensemble_kit.cli.listening import bar_columns

    with Progress(*bar_columns(unit=unit), console=progress, transient=True) as drawn:
        task = drawn.add_task(label, total=total)
        yield lambda by: drawn.advance(task, by)
