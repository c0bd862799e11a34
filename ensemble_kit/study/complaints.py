"""What is wrong with a study, in words: pydantic's findings as one sentence."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError


def complaints(error: ValidationError) -> str:
    """Each setting at fault, the rule it breaks and what was given; ten at most."""
    lines = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function"))
        place = place or "the study"
        if item["type"] == "extra_forbidden":
            lines.append(f"{place} is not a setting (see docs/studies.md for the list)")
        else:
            whole = item["type"] == "missing" or isinstance(item["input"], (dict, BaseModel))
            given = "" if whole else f" (given {item['input']!r})"
            lines.append(f"{place} {_rule(item['type'], item.get('ctx', {}), item['msg'])}{given}")
    return "; ".join(lines[:10])


def _rule(kind: str, facts: Mapping[str, Any], message: str) -> str:
    """The rule that was broken, in words."""
    rules = {
        "greater_than_equal": "must be at least {ge}",
        "greater_than": "must be more than {gt}",
        "less_than_equal": "must be at most {le}",
        "less_than": "must be less than {lt}",
        "literal_error": "must be {expected}",
        "string_pattern_mismatch": "must match {pattern}: letters, digits, '.', '_' and '-'",
        "missing": "is missing",
        "string_unicode": "must be text in UTF-8",
    }
    if kind in rules:
        return rules[kind].format(**facts)
    return f"is not valid: {message.removeprefix('Value error, ')}"
