"""What the edge prints with: results on stdout, everything else on stderr."""

import sys

from rich.console import Console

results = Console(highlight=False, soft_wrap=True)
progress = Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """One plain sentence on stderr, never wrapped or coloured inside."""
    sys.stderr.write(f"error: {message}\n")


def note(message: str) -> None:
    """One plain line on stderr."""
    progress.print(message, markup=False, soft_wrap=True)
