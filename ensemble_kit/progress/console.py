"""What the edge prints with: results on stdout, progress and remarks on stderr.

On a terminal, lines are broken between words. Elsewhere a sentence is one line, whatever its
length, for whoever searches in it.
"""

import shutil
from textwrap import wrap

from rich.console import Console

from ensemble_kit.core.names import escaped

results = Console(highlight=False, soft_wrap=True)
progress = Console(stderr=True, highlight=False)


def say(*texts: str) -> None:
    """Plain lines on stdout; an empty one without a text."""
    for text in texts or ("",):
        _print(results, text)


def note(message: str) -> None:
    """One plain line on stderr."""
    _print(progress, message)


def wrapped(text: str, width: int) -> str:
    """Broken between words only: not at hyphens, and a word that is wider stays whole."""
    broken = (
        wrap(line, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]
        for line in text.split("\n")
    )
    return "\n".join(piece for pieces in broken for piece in pieces)


def columns_of(console: Console) -> int:
    """Width of a console in letters. Rich takes every terminal with TERM=dumb to be 80 wide."""
    return shutil.get_terminal_size().columns if console.is_dumb_terminal else console.width


def _print(console: Console, text: str) -> None:
    text = "\n".join(map(escaped, text.split("\n")))
    if console.is_terminal:
        text = wrapped(text, columns_of(console))
    console.print(text, markup=False, soft_wrap=True)
