"""Where progress and remarks go: stderr, so that results alone are on stdout."""

from rich.console import Console

progress = Console(stderr=True, highlight=False)


def note(message: str) -> None:
    """One plain line on stderr."""
    progress.print(message, markup=False, soft_wrap=True)
