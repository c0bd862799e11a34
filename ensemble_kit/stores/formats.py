"""Whether a store's record was written by another version of the program."""

from pathlib import Path

from ensemble_kit.core.json_text import parse_json


def of_another_version(record: Path, ours: int) -> bool:
    """Whether a record gives a format, and not ours. A damaged record gives none."""
    try:
        given = parse_json(record.read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(given, int) and given != ours
