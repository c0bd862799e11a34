"""What `cv` prints of variants: the learning curve and the leak audit."""

from pathlib import Path

from ensemble_kit.core.wording import in_words
from ensemble_kit.metrics.registry import label_of
from ensemble_kit.progress import tables
from ensemble_kit.runs.variants import VariantLine, VariantsRecord


def print_variants(folder: Path) -> None:
    """The figures on each share of the groups, and what folds by image would have shown."""
    found = VariantsRecord.find(folder)
    if found is None:
        return
    lines = found.fractions()
    metrics = list(lines[-1].figures)
    if len(lines) > 1:
        tables.show(_curve(lines, metrics))
    leak = found.leak()
    if leak is not None:
        shown = tables.table(
            "figure", "by image", "by image − by group",
            title="leak audit: folds by image minus folds by group",
        )  # fmt: skip
        for metric in metrics:
            value, gap = (
                in_words(leak.figures[metric]),
                in_words(leak.minus_run[metric], sign="+"),
            )
            shown.add_row(label_of(metric), value, gap)
        tables.show(shown)


def _curve(lines: tuple[VariantLine, ...], metrics: list[str]) -> tables.Table:
    shown = tables.table(
        "share", "groups", "images", *map(label_of, metrics),
        title="learning curve: trained on a share of the groups",
    )  # fmt: skip
    for line in lines:
        figures = (in_words(line.figures[metric]) for metric in metrics)
        shown.add_row(f"{line.share:g}", f"{line.n_groups:,.0f}", f"{line.n_images:,.0f}", *figures)
    return shown
