"""``issues.csv`` and ``near_duplicates.csv``: what `check --run` found, for a person to look at."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError, some
from ensemble_kit.runs.paths import ISSUES, NEAR_DUPLICATES

Kind = Literal["label", "near-duplicate"]
KINDS: tuple[Kind, ...] = ("label", "near-duplicate")
PAIR_COLUMNS = ("from_img", "to_img", "points", "likeness", "cosine")


@dataclass(frozen=True)
class Issue:
    """One line of ``issues.csv``.

    kind "label": ``given`` is doubted, ``suggested`` the likeliest other class, ``suspicion`` the
    probability that the label is wrong. kind "near-duplicate": ``image`` and ``other`` look the
    same and are in different groups; ``given`` and ``suggested`` are their labels, ``suspicion``
    1 - 2 to the power of -points / 6, or where points were not looked for the cosine of features.
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
    or not looked for). likeness, cosine : of their features."""

    first: str
    second: str
    points: int
    likeness: float
    cosine: float


COLUMNS = tuple(field.name for field in fields(Issue))


def write_issues(folder: Path, issues: Sequence[Issue], pairs: Sequence[Pair]) -> tuple[str, str]:
    """Write both tables; their names. The second is what `--duplicates` reads."""
    write_text(folder / ISSUES, _csv(COLUMNS, [astuple(issue) for issue in issues]))
    write_text(folder / NEAR_DUPLICATES, _csv(PAIR_COLUMNS, [astuple(pair) for pair in pairs]))
    return ISSUES, NEAR_DUPLICATES


def read_issues(folder: Path) -> tuple[Issue, ...]:
    """Read ``issues.csv``. Raises RunError where it is missing or damaged."""
    path = folder / ISSUES
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise RunError(f"{path}: lacks column {some(missing)}; give `check --run` again")
            return tuple(_issue(row) for row in reader)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise RunError(f"{path}: cannot be read ({error}); give `check --run` again") from None


def _issue(row: dict[str, str]) -> Issue:
    kind = next((kind for kind in KINDS if kind == row["kind"]), None)
    if kind is None:
        raise ValueError(f"kind {row['kind']!r}")
    return Issue(
        row["image"], row["given"], row["suggested"], float(row["suspicion"]), kind, row["other"]
    )


def _csv(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([f"{v:.4f}" if isinstance(v, float) else v for v in row] for row in rows)
    return text.getvalue()
