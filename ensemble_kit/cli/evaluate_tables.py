"""What `evaluate` prints: tables for people, one JSON document for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ensemble_kit.cli.console import say
from ensemble_kit.cli.cost_tables import print_costs
from ensemble_kit.core.errors import count, some
from ensemble_kit.core.records import Estimate, ImageTable
from ensemble_kit.core.wording import in_words, level_text
from ensemble_kit.data.groups import in_groups
from ensemble_kit.metrics.bootstrap import NOT_DRAWN
from ensemble_kit.metrics.comparison import Comparison
from ensemble_kit.metrics.evaluation import FOLD_MEAN, Evaluation, Row
from ensemble_kit.metrics.planning import plan_by_class
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.metrics.view import view_mask, view_name
from ensemble_kit.progress import tables
from ensemble_kit.runs.comparisons import ComparisonRecord
from ensemble_kit.workflows.evaluation import EvaluatedFiles, EvaluatedRun

POOLING = 0.03
"""Distance of pooled AUC from the mean of folds that is worth a note."""


def print_evaluated(done: EvaluatedFiles) -> None:
    """Headline figures of each, then the comparison."""
    table, comparison = done.matched.table, done.comparison
    images, resampled = in_groups(table)
    say(
        f"{images}, {count(table.n_classes, 'class', 'classes')} ({some(table.class_names, 12)}); "
        f"intervals resample {resampled}"
    )
    view = view_of(table, done.runs)
    for item in done.runs:
        tables.show(_overall(item))
        tables.show(_by_class(item))
        if view:
            say(view)
        tables.show(_planned(item))
        for line in _not_estimable(item):
            say(line)
        isic = [row for row in item.evaluation.rows if row.metric.startswith("isic_")]
        if isic:
            tables.show(_isic(isic))
        if item.costs is not None:
            print_costs(item.costs)
        say(f"run: {item.folder}")
    if comparison is not None:
        say(_sign_and_family(comparison))
        for drawn in _differences(comparison):
            tables.show(drawn)
        for line in _tests(comparison):
            say(line)


def _planned(item: EvaluatedRun) -> tables.Table:
    """Groups that an interval of 0.1 would need, class by class."""
    lines = plan_by_class(item.evaluation, (0.1,))
    metrics = dict.fromkeys(line.metric for line in lines)
    title = "groups for an interval 0.1 wide (now there)"
    table = tables.table("class", *metrics, title=title)
    for name in item.evaluation.class_names:
        cells = [
            f"{'–' if line.needed[0] is None else format(line.needed[0], ',')} ({line.n_groups:,})"
            for line in lines
            if line.class_name == name
        ]
        table.add_row(name, *cells)
    return table


def document_of(done: EvaluatedFiles) -> dict[str, Any]:
    """Everything as one JSON document; numbers that cannot be estimated are null."""
    matched, comparison = done.matched, done.comparison
    return {
        "n_images": len(matched.table),
        "n_groups": matched.table.n_groups,
        "classes": list(matched.table.class_names),
        "notes": list(matched.notes),
        "warnings": list(matched.warnings),
        "runs": [
            {
                "name": item.name,
                "folder": str(item.folder),
                "rows": [_plain(row) for row in item.evaluation.rows],
            }
            | ({} if item.costs is None else {"costs": item.costs.plain()})
            for item in done.runs
        ],
        "comparison": None if comparison is None else ComparisonRecord.of(comparison).plain(),
    }


ABOVE = "the value lies above its interval, since chance alone adds to it"


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """``0.812 [0.790 0.833]``; "not estimable" where there is no value."""
    return in_words(estimate, digits, none="not estimable")


def _overall(item: EvaluatedRun) -> tables.Table:
    evaluation = item.evaluation
    folds = {row.scope for row in evaluation.rows if row.scope == FOLD_MEAN}
    level = level_text(evaluation.rows[0].estimate.level)
    heads = ["figure", f"pooled ({level} interval)", *(["mean of folds"] if folds else [])]
    table = tables.table(*heads, title=item.name, numbers=False)
    for metric in shown_in("evaluate"):
        if not _has(evaluation, metric):
            continue
        cells = [metric, with_interval(evaluation.figure(metric))]
        if folds:
            mean = evaluation.find(metric, scope=FOLD_MEAN)
            cells.append("" if mean is None else with_interval(mean))
        table.add_row(*cells)
    return table


def _by_class(item: EvaluatedRun) -> tables.Table:
    evaluation = item.evaluation
    by_class = shown_in("evaluate by class")
    table = tables.table("class", "images", *by_class)
    names = [*evaluation.class_names]
    view = view_name(names)
    if _has(evaluation, "roc_auc", view) and view not in names:
        names.append(view)
    for name in names:
        found = [evaluation.figure(metric, name) for metric in by_class]
        cells = [with_interval(figure, 2) for figure in found]
        support = ""
        if name in evaluation.class_names:
            support = f"{evaluation.figure('support', name).value:,.0f}"
        table.add_row(name, support, *cells)
    return table


def view_of(table: ImageTable, shown: Sequence[EvaluatedRun]) -> str:
    """Which classes the malignant view counts."""
    name = view_name(table.class_names)
    if not shown or not shown[0].malignant or not _has(shown[0].evaluation, "roc_auc", name):
        return ""
    mask = view_mask(shown[0].malignant, table.class_names)
    names = [n for n, bad in zip(table.class_names, mask, strict=True) if bad]
    return f"{name}: {some(names, 30)} against the other classes"


def _not_estimable(item: EvaluatedRun) -> list[str]:
    """Figures without a value or interval, by their reason, those outside their interval, and what
    pooling the folds may have made."""
    reasons: dict[str, list[str]] = {}
    for metric in shown_in("evaluate"):
        if _has(item.evaluation, metric):
            found = item.evaluation.figure(metric)
            if found.low is None and found.note not in ("", NOT_DRAWN):
                reasons.setdefault(found.note, []).append(metric)
            if found.value is not None and found.high is not None and found.value > found.high:
                reasons.setdefault(ABOVE, []).append(metric)
    lines = [f"{some(names, 20)}: {reason}" for reason, names in reasons.items()]
    if any(row.scope == FOLD_MEAN for row in item.evaluation.rows):
        pooled = item.evaluation.figure("roc_auc_ovr").value
        mean = item.evaluation.figure("roc_auc_ovr", scope=FOLD_MEAN).value
        if pooled is not None and mean is not None and abs(pooled - mean) > POOLING:
            lines.append(
                f"pooled AUC {pooled:.3f}, mean of folds {mean:.3f}: the folds' scores are on "
                "different "
                "scales, so the pooled AUC ranks folds as well as images; quote the mean of folds"
            )
    return lines


def _isic(rows: list[Row]) -> tables.Table:
    table = tables.table("figure", "value", title="ISIC scorer's conventions")
    for row in rows:
        if not row.class_name:
            value = row.estimate.value
            table.add_row(row.metric, "not estimable" if value is None else f"{value:.6f}")
    return table


def _sign_and_family(comparison: Comparison) -> str:
    """The title of the differences; a line of its own, which no narrow table can break."""
    tests = f"{count(comparison.family, 'test')} of this table"
    pairs = count(len(comparison.tests), "pair")
    return (
        "paired differences, A − B: first named minus second named; p (Holm) is corrected over the "
        f"{tests} (figures × {pairs})"
    )


def _differences(comparison: Comparison) -> list[tables.Table]:
    """A table a pair of models."""
    by_pair: dict[str, tables.Table] = {}
    for d in comparison.differences:
        pair = f"{d.first} − {d.second}"
        table = by_pair.setdefault(
            pair, tables.table("figure", "difference", "p", "p (Holm)", title=pair)
        )
        figure = f"{d.metric} of {d.class_name}" if d.class_name else d.metric
        table.add_row(figure, with_interval(d.estimate, 4), _p(d.p_value), _p(d.adjusted))
    return list(by_pair.values())


def _tests(comparison: Comparison) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for d in comparison.differences:
        if d.estimate.low is None and d.estimate.note not in ("", NOT_DRAWN):
            figure = f"{d.metric} of {d.class_name}" if d.class_name else d.metric
            reasons.setdefault(d.estimate.note, []).append(figure)
    lines = [f"{some(dict.fromkeys(names), 20)}: {note}" for note, names in reasons.items()]
    for pair in comparison.tests:
        test = pair.mcnemar
        lines.append(
            f"McNemar, {pair.first} against {pair.second}: {test.first_only:,} images right by the "
            f"first only, {test.second_only:,} by the second only, p {_p(test.p_value)}, by groups "
            f"p {_p(test.clustered_p_value)}"
        )
        for figure, t in pair.over_folds.items():
            lines.append(
                f"  over folds, corrected resampled t-test (Nadeau–Bengio) of {figure}, "
                f"{pair.first} − {pair.second}: {t.mean:+.4f} "
                f"({t.low:+.4f} to {t.high:+.4f}), p {_p(t.p_value)}"
            )
    return lines


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _has(evaluation: Evaluation, metric: str, name: str = "") -> bool:
    try:
        evaluation.figure(metric, name)
    except KeyError:
        return False
    return True


def _plain(row: Row) -> dict[str, Any]:
    head = {
        "scope": row.scope,
        "slice": row.slice,
        "class": row.class_name,
        "metric": row.metric,
    }
    return head | asdict(row.estimate)
