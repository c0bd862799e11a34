"""What `cv` prints of variants: the learning curve and the leak audit."""

from pathlib import Path

from rich.table import Table

from ensemble_kit.cli.console import print_whole
from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.registry import label_of
from ensemble_kit.runs.variants import VariantLine, VariantsRecord


def print_variants(folder: Path) -> None:
    """The figures on each share of the groups, and what folds by image would have shown."""
    found = VariantsRecord.find(folder)
    if found is None:
        return
    lines = found.fractions()
    metrics = list(lines[-1].figures)
    if len(lines) > 1:
        print_whole(_curve(lines, metrics))
    leak = found.leak()
    if leak is not None:
        shown = Table(title="leak audit: folds by image minus folds by group")
        for head in ("figure", "by image", "by image − by group"):
            shown.add_column(head, justify="left" if head == "figure" else "right")
        for metric in metrics:
            value, gap = _words(leak.figures[metric]), _words(leak.minus_run[metric], "+")
            shown.add_row(label_of(metric), value, gap)
        print_whole(shown)


def _curve(lines: tuple[VariantLine, ...], metrics: list[str]) -> Table:
    shown = Table(title="learning curve: trained on a share of the groups")
    for head in ("share", "groups", "images", *map(label_of, metrics)):
        shown.add_column(head, justify="right")
    for line in lines:
        figures = (_words(line.figures[metric]) for metric in metrics)
        shown.add_row(f"{line.share:g}", f"{line.n_groups:,.0f}", f"{line.n_images:,.0f}", *figures)
    return shown


def _words(number: Estimate, sign: str = "") -> str:
    if number.value is None:
        return "–"
    if number.low is None or number.high is None:
        return f"{number.value:{sign}.3f}"
    return f"{number.value:{sign}.3f} [{number.low:{sign}.3f}, {number.high:{sign}.3f}]"
