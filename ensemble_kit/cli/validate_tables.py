"""What `validate` prints: each figure here and abroad, and what shifts."""

from rich.table import Table

from ensemble_kit.cli import tables
from ensemble_kit.cli.console import results
from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.evaluation import read_evaluation
from ensemble_kit.workflows.validate import Validated

FIGURES = ("roc_auc_ovr", "balanced_accuracy", "accuracy", "f1_macro", "log_loss", "ece")


def print_validated(done: Validated) -> None:
    """Tables on stdout."""
    there = read_evaluation(done.internal)
    table = _new(f"{done.external.internal}, internal and abroad", "figure", "internal", "external")
    for name in FIGURES:
        table.add_row(name, _words(there.figure(name)), _words(done.evaluation.figure(name)))
    tables.show(table)
    again = _new("recalibrated abroad (cross-fitted)", "probabilities", "log loss", "ECE")
    for line in done.external.recalibration:
        again.add_row(line.name, _words(line.figures["log_loss"]), _words(line.figures["ece"]))
    tables.show(again)
    drift = done.external.drift
    if drift is not None:
        results.print(
            f"images told apart with AUC {drift.auc:.3f} (p {drift.p_value:.3f})", markup=False
        )
    whole = done.external.coverage[0]
    level = done.external.coverage_level
    results.print(
        f"sets of level {level:g} hold the truth in {_words(whole.coverage)}", markup=False
    )


def _new(title: str, *columns: str) -> Table:
    return tables.table(*columns, title=title)


def _words(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not estimable"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f} {estimate.high:.3f}]"
