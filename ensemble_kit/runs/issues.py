"""``issues.csv`` and ``near_duplicates.csv``: what `check --run` found, for a person to look at."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from ensemble_kit.core.atomic import write_text
from ensemble_kit.runs.paths import ISSUES, NEAR_DUPLICATES

Kind = Literal["label", "near-duplicate"]
PAIR_COLUMNS = ("from_img", "to_img", "points", "detail", "likeness", "cosine")


@dataclass(frozen=True)
class Issue:
    """One line of ``issues.csv``.

    kind "label": ``given`` is doubted, ``suggested`` the likeliest other class, ``suspicion`` the
    probability that the label is wrong. kind "near-duplicate": ``image`` and ``other`` look the
    same and are in different groups; ``given`` and ``suggested`` are their labels, ``suspicion``
    the correlation of their detail, one laid on the other, or where that was not done the cosine of
    their features.
    """

    image: str
    given: str
    suggested: str
    suspicion: float
    kind: Kind
    other: str = ""


@dataclass(frozen=True)
class Pair:
    """Two images of different groups that look the same. points : how many agree in place (0: none,
    or not looked for). detail : correlation of their detail, one laid on the other by those points
    (0 without points). likeness, cosine : of their features."""

    first: str
    second: str
    points: int
    detail: float
    likeness: float
    cosine: float


COLUMNS = tuple(field.name for field in fields(Issue))


def write_issues(folder: Path, issues: Sequence[Issue], pairs: Sequence[Pair]) -> tuple[str, str]:
    """Write both tables; their names. The second is what `--duplicates` reads."""
    write_text(folder / ISSUES, _csv(COLUMNS, [astuple(issue) for issue in issues]))
    write_text(folder / NEAR_DUPLICATES, _csv(PAIR_COLUMNS, [astuple(pair) for pair in pairs]))
    return ISSUES, NEAR_DUPLICATES


def _csv(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([f"{v:.4f}" if isinstance(v, float) else v for v in row] for row in rows)
    return text.getvalue()
