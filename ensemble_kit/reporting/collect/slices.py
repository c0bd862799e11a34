"""Scores by metadata column, from the rows of ``metrics.csv``."""

from ensemble_kit.metrics.evaluation import GAP, SLICE
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.slices import SliceColumn, SliceRow, Slices

MALIGNANT_AUC = "malignant_roc_auc"


def build_slices(source: ReportedRun) -> Slices:
    """Figures that need every class in the slice are often not estimable there; accuracy always
    is, and so usually is the malignant view's AUC."""
    columns: dict[str, list[SliceRow]] = {}
    for part in source.rows.parts(SLICE):
        column, _, level = part.partition("=")
        columns.setdefault(column, []).append(_row(source, part, level))
    rows = [row for found in columns.values() for row in found]
    return Slices(
        columns=tuple(SliceColumn(column=c, rows=tuple(rows)) for c, rows in columns.items()),
        metrics=_worth_showing(rows),
    )


def _worth_showing(rows: list[SliceRow]) -> tuple[str, ...]:
    """Two figures: one of decisions, one of ranking, each estimable in most slices."""

    def known(metric: str) -> int:
        return sum(metric in r.figures and r.figures[metric].value is not None for r in rows)

    decisions = "balanced_accuracy" if 2 * known("balanced_accuracy") >= len(rows) else "accuracy"
    ranking = MALIGNANT_AUC if known(MALIGNANT_AUC) >= known("roc_auc_ovr") else "roc_auc_ovr"
    return tuple(metric for metric in (decisions, ranking) if known(metric))


def _row(source: ReportedRun, part: str, level: str) -> SliceRow:
    own, shown = source.rows.figures(scope=SLICE, part=part), shown_in("slices")
    gaps = source.rows.figures(scope=GAP, part=part)
    figures = {m: own[m] for m in shown if m in own}
    differences = {m: gaps[m] for m in shown if m in gaps}
    binary = source.rows.figures(source.cases.view_name, SLICE, part)
    if "roc_auc" in binary:
        figures[MALIGNANT_AUC] = binary["roc_auc"]
        gap = source.rows.figures(source.cases.view_name, GAP, part)
        if "roc_auc" in gap:
            differences[MALIGNANT_AUC] = gap["roc_auc"]
    groups = next((n.n_groups for n in own.values()), 0)
    images = own.get("n_images")
    return SliceRow(
        level=level,
        images=int(images.value or 0) if images else _images(source, part),
        groups=groups if images is None else images.n_groups,
        figures=figures,
        gaps=differences,
    )


def _images(source: ReportedRun, part: str) -> int:
    """Images of a slice too small to be scored."""
    from ensemble_kit.metrics.slices import make_slices

    pieces = make_slices(source.run.table, source.spec.slices)
    return next((int(piece.rows.sum()) for piece in pieces if piece.name == part), 0)
