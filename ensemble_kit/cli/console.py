"""What the edge prints with: results on stdout, everything else on stderr."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from ensemble_kit.progress.console import note, progress

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["complain", "note", "print_whole", "progress", "results", "size_text"]

results = Console(highlight=False, soft_wrap=True)
WIDTH = 150
"""Columns that tables of intervals get where a terminal is narrower, or there is none."""


def print_whole(table: "Table") -> None:
    """Never squeezed: a terminal too narrow, or a file, gets whole lines."""
    width = max(results.width, WIDTH)
    terminal = results.is_terminal
    Console(file=results.file, width=width, force_terminal=terminal, highlight=False).print(table)


def complain(message: str) -> None:
    """One plain sentence on stderr, never wrapped or coloured inside."""
    sys.stderr.write(f"error: {message}\n")


def size_text(n_bytes: float) -> str:
    """``0.32 GB`` from 100 MB on, ``12.5 MB`` below."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
