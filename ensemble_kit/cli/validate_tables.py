"""What `validate` prints: each figure here and abroad, and what shifts."""

from rich.console import Console
from rich.table import Table

from ensemble_kit.cli.console import results
from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.evaluation import read_evaluation
from ensemble_kit.workflows.validate import Validated

FIGURES = ("roc_auc_ovr", "balanced_accuracy", "accuracy", "f1_macro", "log_loss", "ece")
WIDTH = 120


def print_validated(done: Validated) -> None:
    """Tables on stdout."""
    there = read_evaluation(done.internal)
    table = _new(f"{done.external.internal}, internal and abroad", "figure", "internal", "external")
    for name in FIGURES:
        table.add_row(name, _words(there.figure(name)), _words(done.evaluation.figure(name)))
    _print(table)
    again = _new("recalibrated abroad (cross-fitted)", "probabilities", "log loss", "ECE")
    for line in done.external.recalibration:
        again.add_row(line.name, _words(line.figures["log_loss"]), _words(line.figures["ece"]))
    _print(again)
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
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _words(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not estimable"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _print(table: Table) -> None:
    """Never squeezed: a terminal too narrow, or a file, gets whole lines."""
    width = max(results.width, WIDTH)
    terminal = results.is_terminal
    Console(file=results.file, width=width, force_terminal=terminal, highlight=False).print(table)
