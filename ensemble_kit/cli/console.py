"""What the edge prints with: results on stdout, everything else on stderr."""

import sys

from rich.console import Console

from ensemble_kit.progress.console import note, progress

__all__ = ["complain", "note", "progress", "results", "size_text"]

results = Console(highlight=False, soft_wrap=True)


LONGEST = 400


def complain(message: str) -> None:
    """One plain sentence on stderr, never wrapped or coloured inside; a very long one without its
    middle, so that its next step is seen."""
    sys.stderr.write(f"error: {_one_line(message)}\n")


def _one_line(message: str) -> str:
    """Without line ends and control characters (of names in files), at most LONGEST letters."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(message.split()))
    if len(text) <= LONGEST:
        return text
    end = LONGEST * 2 // 5
    return f"{text[: LONGEST - end - 3]} … {text[-end:]}"


def size_text(n_bytes: float) -> str:
    """``0.32 GB`` from 100 MB on, ``12.5 MB`` below."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
