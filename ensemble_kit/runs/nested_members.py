"""``nested_members.json``: an ensemble whose members never saw the fold being judged."""

from typing import ClassVar

from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.paths import NESTED_MEMBERS
from ensemble_kit.runs.records import Part, Record


class NestedLine(Part):
    """One chain. ordinary : its cross-fitted figures. nested : the same with nested members.
    minus_ordinary : nested less ordinary, in pairs. All by metric."""

    name: str
    ordinary: dict[str, Estimate]
    nested: dict[str, Estimate]
    minus_ordinary: dict[str, Estimate]


class RefittedMember(Part):
    """A member. fits : models fitted. fixed : log loss and accuracy, intervals that hold its models
    fixed. anew : the same by nested cross-validation, which counts training anew."""

    name: str
    fits: int
    fixed: dict[str, Estimate]
    anew: dict[str, Estimate]


class NestedMembersRecord(Record):
    """The contents of ``nested_members.json``."""

    FILE: ClassVar[str] = NESTED_MEMBERS
    REMEDY: ClassVar[str] = "give `ensemble --nested-members` again"

    format_version: int = 1
    lines: tuple[NestedLine, ...]
    members: tuple[RefittedMember, ...]
