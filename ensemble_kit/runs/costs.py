"""``costs.json`` and ``actions.csv``: the actions of least expected cost, and what they cost."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.paths import ACTIONS, COSTS
from ensemble_kit.runs.records import Part, Record

ACTION_COLUMNS = ("image", "action", "expected_cost")


class PolicyLine(Part):
    """A way to choose actions. cost : an image. minus_decided : its cost minus that of the action
    of least expected cost, in pairs; None for that way itself. referred : share referred."""

    name: str
    cost: Estimate
    minus_decided: Estimate | None = None
    referred: Estimate | None = None


class ClassCostLine(Part):
    """One class. cost : an image of it. taken : action -> images of it."""

    name: str
    n_images: int
    cost: Estimate
    taken: dict[str, int]


class CostsRecord(Record):
    """The contents of ``costs.json``. costs : (C, A). fitted : what was fitted, in a sentence.
    kept : cost of an image that was not referred; None without referral."""

    FILE: ClassVar[str] = COSTS
    REMEDY: ClassVar[str] = "give the command with --costs again"

    format_version: int = 1
    class_names: tuple[str, ...]
    actions: tuple[str, ...]
    costs: tuple[tuple[float, ...], ...]
    fitted: str
    policies: tuple[PolicyLine, ...]
    kept: Estimate | None
    by_class: tuple[ClassCostLine, ...]


def write_actions(folder: Path, lines: Iterable[tuple[str, str, float]]) -> str:
    """Write ``actions.csv``: image, action, expected cost; its name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ACTION_COLUMNS)
    writer.writerows((image, action, f"{cost:.6g}") for image, action, cost in lines)
    write_text(folder / ACTIONS, text.getvalue())
    return ACTIONS
