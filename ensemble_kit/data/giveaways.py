"""Metadata columns that give the label away, by name and by measure."""

from collections.abc import Mapping, Sequence

import numpy as np

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.encoding import is_number, metadata_columns

NAMED = {
    "dx_type", "diagnosis_confirm_type", "diagnosis", "diagnosis_1", "diagnosis_2", "diagnosis_3",
    "diagnosis_4", "diagnosis_5", "benign_malignant", "melanocytic", "mel_class",
    "mel_mitotic_index", "mel_thick_mm", "mel_type", "mel_ulcer", "biopsed",
    "concomitant_biopsy", "dx", "label", "fold", "lesion_id", "patient_id", "image_id", "group",
}  # fmt: skip
"""Known after the diagnosis or because of it (follow-up means nevus; a biopsy was suspected)."""
PURE, LEAST_GROUPS, LEAST_SHARE, COMMON = 0.99, 20, 0.05, 0.95
TOLD = 0.98


def giveaway(name: str, column: Strings, table: ImageTable) -> str:
    """Why a column gives the label away, or "".

    Named: a column known only with the diagnosis. Measured, each group counted once by value: a
    value of at least 20 groups and 5 % of all, at least 99 % of one class (which has at most 95 %
    of all groups); or the commonest class of each value is right for 98 % of the groups in values
    of 20 or more that hold half of all; or a text column with more values than a tenth of the
    groups, which names images rather than describes them.
    """
    if name.lower() in NAMED:
        return "it is known only with the diagnosis"
    values, place = np.unique(column, return_inverse=True)
    seen = np.unique(np.stack([table.group_codes, place, table.labels]), axis=1)
    counts = np.zeros((len(values), table.n_classes))
    np.add.at(counts, (seen[1], seen[2]), 1)
    size, top = counts.sum(axis=1), counts.max(axis=1)
    base = counts.sum(axis=0) / size.sum()
    for k in np.argsort(-size):
        if size[k] < max(LEAST_GROUPS, LEAST_SHARE * size.sum()):
            break
        c = int(counts[k].argmax())
        if values[k] != "" and top[k] >= PURE * size[k] and base[c] <= COMMON:
            return (
                f"{100 * top[k] / size[k]:.1f} % of the {int(size[k]):,} groups with {values[k]!r} "
                f"are {table.class_names[c]}, of all {100 * base[c]:.0f} %"
            )
    large = size >= LEAST_GROUPS
    held = size[large].sum()
    if held >= size.sum() / 2 and top[large].sum() >= TOLD * held and base.max() <= COMMON:
        return f"its value alone tells the class of {100 * top[large].sum() / held:.1f} % of groups"
    if len(values) > max(50, table.n_groups / 10) and not _numbers(values):
        return f"it has {len(values):,} different values and names rather than describes"
    return ""


def refuse_giveaways(
    columns: Mapping[str, Strings], table: ImageTable, anyway: Sequence[str]
) -> list[str]:
    """Sentences of warning for such columns in ``anyway``; DataError for the others."""
    found = {n: why for n, c in columns.items() if (why := giveaway(n, c, table))}
    refused = [f"{name} ({why})" for name, why in found.items() if name not in anyway]
    if refused:
        raise DataError(
            f"metadata gives the label away: {some(refused)}; leave it out, or name it in "
            "--metadata-anyway to see by how much it flatters"
        )
    return [
        f"Metadata column {name!r} gives the label away ({why}) and was used by force: the figures "
        "are optimistic."
        for name, why in found.items()
    ]


def asked_columns(
    table: ImageTable, names: Sequence[str], anyway: Sequence[str]
) -> tuple[dict[str, Strings], tuple[str, ...]]:
    """Metadata columns by their names in the table, and warnings about those used by force.

    Raises DataError for columns that are absent, constant, or give the label away.
    """
    columns = metadata_columns(table, names)
    return columns, tuple(refuse_giveaways(columns, table, tuple(metadata_columns(table, anyway))))


def _numbers(values: Strings) -> bool:
    return bool(is_number(values[values != ""]).all())
