"""Runs side by side: paired differences on the same images, shifts to another data set."""

from ensemble_kit.reporting.view.base import Number, Table, Value

FOLD_METRIC = "roc_auc_ovr"
"""The figure of the corrected resampled t-test over the folds."""


class Difference(Value):
    """``difference``: this run minus the other. ``p_holm``: after Holm's correction over all
    differences of the compared runs."""

    metric: str
    class_name: str = ""
    this: Number
    other: Number
    difference: Number
    p_value: float | None = None
    p_holm: float | None = None


class Compared(Value):
    """Another run on the same images. ``mcnemar``: images only this run has right, images only
    the other has right, p of the test clustered by group. ``folds_p``: p of the corrected
    resampled t-test of ``FOLD_METRIC``."""

    name: str
    images: int
    differences: tuple[Difference, ...]
    only_this_right: int = 0
    only_other_right: int = 0
    mcnemar_p: float | None = None
    folds_p: float | None = None


class External(Value):
    """A run on another data set; ``differences`` are this run minus that one, unpaired.

    What only `validate` finds, each a table with a sentence before it: ``parts``. ``warnings``:
    of that run."""

    name: str
    source: str = ""
    images: int
    groups: int
    differences: tuple[Difference, ...]
    prevalence: tuple[tuple[str, float, float], ...] = ()
    parts: tuple["ExternalPart", ...] = ()
    warnings: tuple[str, ...] = ()


class ExternalPart(Value):
    """A table of what shifts abroad. ``text``: how to read it."""

    title: str
    text: str
    table: Table
