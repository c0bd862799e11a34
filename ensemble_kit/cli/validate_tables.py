"""What `validate` prints: each figure here and abroad, and what shifts."""

from ensemble_kit.cli.console import say
from ensemble_kit.core.wording import in_words
from ensemble_kit.progress import tables
from ensemble_kit.runs.evaluation import read_evaluation
from ensemble_kit.workflows.validate import Validated

NONE = "not estimable"
FIGURES = ("roc_auc_ovr", "balanced_accuracy", "accuracy", "f1_macro", "log_loss", "ece")


def print_validated(done: Validated) -> None:
    """Tables on stdout."""
    there = read_evaluation(done.internal)
    table = _new(f"{done.external.internal}, internal and abroad", "figure", "internal", "external")
    for name in FIGURES:
        table.add_row(
            name,
            in_words(there.figure(name), none=NONE),
            in_words(done.evaluation.figure(name), none=NONE),
        )
    tables.show(table)
    again = _new("recalibrated abroad (cross-fitted)", "probabilities", "log loss", "ECE")
    for line in done.external.recalibration:
        again.add_row(
            line.name,
            in_words(line.figures["log_loss"], none=NONE),
            in_words(line.figures["ece"], none=NONE),
        )
    tables.show(again)
    drift = done.external.drift
    if drift is not None:
        say(f"images told apart with AUC {drift.auc:.3f} (p {drift.p_value:.3f})")
    whole = done.external.coverage[0]
    level = done.external.coverage_level
    say(f"sets of level {level:g} hold the truth in {in_words(whole.coverage, none=NONE)}")


def _new(title: str, *columns: str) -> tables.Table:
    return tables.table(*columns, title=title)
