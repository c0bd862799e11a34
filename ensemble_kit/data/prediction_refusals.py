"""Columns of a table of predictions that are not what their names say, refused in a sentence."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ensemble_kit.core.errors import DataError, PredictionsError, some
from ensemble_kit.data.columns import plain
from ensemble_kit.data.lost_digits import check_digits
from ensemble_kit.data.prediction_columns import without_prefix
from ensemble_kit.data.tables import is_number

LABELS = ("dx", "label", "diagnosis", "diagnostic", "truth", "true_label", "ground_truth", "target",
          "y_true", "class", "labels", "targets", "benign_malignant")  # fmt: skip
ONLY_LABELS = ("dx", "label", "labels", "true_label", "ground_truth", "y_true", "diagnosis")
"""Those of which no column of scores is called so."""


def check_header(frame: pd.DataFrame, path: Path) -> None:
    numbers = [n for n in map(str, frame.columns) if "." in n and is_number(n)]
    if numbers:
        raise PredictionsError(
            f"{path}: its first line has numbers ({some(numbers, 3)}) where names of columns "
            "belong: "
            "add a header line (image and a name for each class)"
        )


def refuse_scores(labels: "pd.Series[str] | None", known: dict[str, str], path: Path) -> None:
    """A column of labels that holds numbers with fractions is one of scores."""
    if labels is None:
        return
    broken = [name for name in names_of(labels) if "." in name and is_number(name)]
    if 2 * len(broken) > len(names_of(labels)):
        raise PredictionsError(
            f"{path}: column {known['dx']!r}, taken for the labels, holds scores "
            f"({some(broken, 3)}), not classes: name the labels' column, --columns label=COLUMN"
        )


def refuse_words(
    frame: pd.DataFrame, key: str, known: dict[str, str], truth: Sequence[str], path: Path
) -> None:
    """A column that bears the name of a class, mostly of cells that are no numbers."""
    rest = [str(c) for c in frame.columns if c != key]
    bare = without_prefix(rest, truth)
    wanted = {name.lower() for name in truth}
    for column in [c for c in known.values() if known.get("dx") != c and c in bare]:
        if bare[column].lower() in wanted and column.lower() not in LABELS:
            cells = frame[column][pd.to_numeric(frame[column], errors="coerce").isna()].unique()
            if not len(cells):
                raise PredictionsError(
                    f"{path}: the class {column!r} has the name of a column that is no "
                    "class (fold, lesion, age …): rename the class"
                )
            raise PredictionsError(
                f"{path}: column {column!r} has the name of a class, but holds "
                f"{some(map(repr, cells), 3)}: write probabilities as 0.5, or rename the column"
            )


def refuse_odd_labels(frame: pd.DataFrame, key: str, path: Path) -> None:
    """A column called the labels that holds numbers which number no classes."""
    for column in frame.columns:
        if column != key and plain(str(column)) in ONLY_LABELS and numeric(frame, str(column)):
            raise PredictionsError(
                f"{path}: column {column!r} is called the labels, but holds "
                f"{some(frame[column].unique(), 3)}: labels are words, or whole numbers from 0; "
                "mend or rename it"
            )


def refuse_other_words(
    columns: Sequence[str], truth: Sequence[str], given: str, path: Path
) -> None:
    """A column given for the labels (``--columns label=``) of whose words none is a column."""
    there = {name.lower() for name in without_prefix(columns, truth).values()}
    words = [name for name in truth if not _whole_number(name)]
    binary = len(truth) == 2  # one column of scores may stand for both
    if given and words and not binary and not there & {name.lower() for name in truth}:
        raise PredictionsError(
            f"{path}: --columns label={given}: its words ({some(words, 5)}) are no classes with a "
            f"column of probabilities ({some(columns, 20)}); name the column of the labels"
        )


def _whole_number(name: str) -> bool:
    return is_number(name) and float(name).is_integer()


def check_ids(frame: pd.DataFrame, column: str, path: Path) -> None:
    try:
        check_digits(frame[column], column, str(path))
    except DataError as error:
        raise PredictionsError(str(error)) from None


def names_of(labels: "pd.Series[str] | None") -> list[str]:
    return [] if labels is None else sorted({str(v) for v in labels.unique() if v})


def numeric(frame: pd.DataFrame, column: str) -> bool:
    """Whether at least half of the cells are numbers (the others are mistakes to report)."""
    values = pd.to_numeric(frame[column].replace("", "nan"), errors="coerce")
    share = float(values.notna().mean())
    return share >= 0.5 or bool((frame[column].astype(str).str.lower() == "nan").all())
