"""What the edge prints with: results on stdout, everything else on stderr."""

import sys

from rich.console import Console

from ensemble_kit.progress.console import note, progress

__all__ = ["complain", "note", "progress", "results", "size_text"]

results = Console(highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """One plain sentence on stderr, never wrapped or coloured inside."""
    sys.stderr.write(f"error: {message}\n")


def size_text(n_bytes: float) -> str:
    """``0.32 GB`` from 100 MB on, ``12.5 MB`` below."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
