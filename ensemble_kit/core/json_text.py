"""Reading JSON from files that anyone may have written."""

import json
import math
from typing import Any, Never

MOST_DIGITS = 20


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError for all that is no JSON, also for NaN, infinity, numbers beyond what a float
    holds, a key that stands twice in one object and brackets nested too deeply.
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(
            text, parse_float=_finite, parse_int=_countable, parse_constant=_refuse,
            object_pairs_hook=_object,
        )  # fmt: skip
    except RecursionError:
        raise ValueError("brackets nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r:.60} stands twice in one object")
    return made


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is beyond what a number can be")
    return value


def _countable(digits: str) -> int | float:
    """A whole number, of at most as many digits as any count, size or time has."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"{digits[:12]}… of {len(digits)} digits is beyond what a number can be")
    return int(digits)


def _refuse(word: str) -> Never:
    raise ValueError(f"{word} is no number in JSON")
