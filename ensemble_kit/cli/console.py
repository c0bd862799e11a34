"""What the commands print with: results on stdout, everything else on stderr."""

import json
import os
import sys
from typing import Any

from ensemble_kit.progress.console import columns_of, note, progress, results, say, wrapped

__all__ = ["complain", "note", "print_json", "progress", "results", "say"]

LONGEST = 400


def complain(message: str) -> None:
    """One plain sentence on stderr, never coloured; on a terminal broken between words; a very
    long one without its middle, so that its next step is seen."""
    text = f"error: {_one_line(message)}"
    if progress.is_terminal:
        text = wrapped(text, columns_of(progress))
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody can be told: the exit code still says it
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def print_json(document: Any) -> None:
    """One JSON document on stdout, its lines as they are."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    results.out(text, highlight=False)


def _one_line(message: str) -> str:
    """Without line ends and control characters (of names in files), at most LONGEST letters."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(message.split()))
    if len(text) <= LONGEST:
        return text
    end = LONGEST * 2 // 5
    return f"{text[: LONGEST - end - 3]} … {text[-end:]}"
