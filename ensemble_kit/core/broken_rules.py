"""What pydantic found wrong with a value, in our words: the rule, and what was given."""

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

SHOWN = 60
"""Letters of a value that are shown."""

RULES = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": (
        "must be at most 100 letters, digits, '.', '_' and '-', the first a letter or digit"
    ),
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "string_unicode": "must be text in UTF-8",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} letters",
    "string_too_long": "must have at most {max_length} letters",
    "finite_number": "must be a finite number",
    "model_type": "must be a table of settings",
    "model_attributes_type": "must be a table of settings",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
OF_A_KIND = {
    "int_": "must be a whole number in digits, such as 20",
    "float_": "must be a number, such as 0.5",
    "bool_": "must be true or false",
}
"""How the names of pydantic's findings on one type begin -> the rule."""


def broken_rule(finding: Mapping[str, Any]) -> str:
    """The rule that one of ``ValidationError.errors()`` breaks, to follow the name of a value,
    with what was given: ``must be at least 2 (given 1)``."""
    kind, value = str(finding["type"]), finding.get("input")
    begun = (rule for start, rule in OF_A_KIND.items() if kind.startswith(start))
    rule = RULES.get(kind) or next(begun, "")
    if rule:
        rule = rule.format(**finding.get("ctx", {}))
    else:
        rule = f"is not valid: {str(finding['msg']).removeprefix('Value error, ')}"
    whole = kind in ("missing", "extra_forbidden") or isinstance(value, (dict, BaseModel))
    return rule if whole else f"{rule} (given {_short(repr(value))})"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2]} …"


class Settings(BaseModel):
    """Values that a person writes: unknown names are refused, ``true`` is no number, and nothing
    can be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool):
            taken = _kinds(cls.model_fields[str(info.field_name)].annotation)
            if bool not in taken and taken & {int, float}:
                raise ValueError("true and false are no numbers")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field takes."""
    if get_origin(annotation) in (Union, types.UnionType):
        return set().union(*map(_kinds, get_args(annotation)))
    return {annotation}
