"""What is wrong with a study, in words: pydantic's findings as one sentence."""

from pydantic import ValidationError

from ensemble_kit.core.broken_rules import broken_rule


def complaints(error: ValidationError) -> str:
    """Each setting at fault, the rule it breaks and what was given; ten at most."""
    lines = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function"))
        place = place or "the study"
        if item["type"] == "extra_forbidden":
            lines.append(f"{place} is not a setting (see docs/studies.md for the list)")
        else:
            lines.append(f"{place} {broken_rule(item)}")
    return "; ".join(lines[:10])
