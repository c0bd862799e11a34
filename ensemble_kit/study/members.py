"""The members of a study: ``[[members]]``, each a table of what it has otherwise than the study."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.study.complaints import complaints
from ensemble_kit.study.data import Section
from ensemble_kit.study.earlier import with_new_names

SECTIONS = ("model", "training")
"""Sections of a study that a member may change; folds, data and figures are all members'."""


class MemberSpec(Section):
    """One member. name : "" for that of its backbone. model, training : settings it changes."""

    name: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$")
    model: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)


def in_sections(values: Any, known: Mapping[str, type[BaseModel]]) -> Any:
    """Members as given, with settings written without their section put into it.

    known : section -> its model. Raises ValueError naming what is no setting of either.
    """
    if not isinstance(values, (list, tuple)):
        raise ValueError("members are tables: write [[members]] above each")
    return [
        _in_sections(value, place, known) if isinstance(value, Mapping) else value
        for place, value in enumerate(values, 1)
    ]


def _in_sections(
    values: Mapping[str, Any], place: int, known: Mapping[str, type[BaseModel]]
) -> dict[str, Any]:
    """A member's settings by section; a table that is no table is left for its type's check."""
    found: dict[str, Any] = {"name": values.get("name", "")}
    for section in SECTIONS:
        given = values.get(section, {})
        found[section] = dict(given) if isinstance(given, Mapping) else given
    flat = with_new_names({k: v for k, v in values.items() if k not in found})
    unknown, twice = [], []
    for key, value in flat.items():
        homes = [section for section in SECTIONS if key in known[section].model_fields]
        if not homes:
            unknown.append(key)
        elif isinstance(found[homes[0]], dict) and key in found[homes[0]]:
            twice.append(key)
        elif isinstance(found[homes[0]], dict):
            found[homes[0]][key] = value
    if unknown:
        raise ValueError(
            f"member {place}: {some(unknown)} is no setting of [model] or [training]; a member has "
            "a name and such settings, all else is the study's (docs/studies.md has the list)"
        )
    if twice:
        raise ValueError(f"member {place}: {some(twice)} stands in it twice; leave one out")
    if isinstance(found["training"], dict):
        found["training"] = with_new_names(found["training"])
    return found


def check_members(members: Sequence[MemberSpec], base: Mapping[str, BaseModel]) -> None:
    """Raise ValueError where a member's settings are unknown or out of range.

    base : section -> the study's own, which a member changes.
    """
    for place, member in enumerate(members, 1):
        for section in SECTIONS:
            values = base[section].model_dump() | getattr(member, section)
            try:
                type(base[section]).model_validate(values)
            except ValidationError as error:
                said = f"member {place}{f' ({member.name})' if member.name else ''}"
                raise ValueError(f"{said}: {complaints(error)}") from None


def without(
    members: Sequence[Mapping[str, Any]], changes: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Members without the settings that ``changes`` (section -> key -> value) gives to all."""
    given = {s: {k for k, v in changes.get(s, {}).items() if v is not None} for s in SECTIONS}
    return [
        dict(member)
        | {s: {k: v for k, v in member[s].items() if k not in given[s]} for s in SECTIONS}
        for member in members
    ]


def refuse_members(members: Sequence[MemberSpec], verb: str) -> None:
    """StudyError where a study of several models is given to what takes one."""
    if members:
        raise StudyError(
            f"the study lists {len(members)} [[members]], and {verb} takes one model; leave them "
            "out, or give the study to `cv` by itself"
        )
