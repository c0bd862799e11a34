"""Other runs beside this one: paired on the same images, or unpaired on other data."""

from collections.abc import Sequence

import numpy as np

from ensemble_kit.core.errors import RunError, some
from ensemble_kit.core.records import ImageTable, Predictions
from ensemble_kit.metrics.cases import Key, make_cases
from ensemble_kit.metrics.comparison import compared_figures, paired_differences
from ensemble_kit.metrics.registry import NO_DIFFERENCE, bias_of, shown_in
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.metrics.significance import corrected_resampled_t, holm, mcnemar
from ensemble_kit.reporting.collect.external import build_external_parts
from ensemble_kit.reporting.collect.numbers import number_of, rounded
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.comparison import FOLD_METRIC, Compared, Difference, External

MOVER = "from both intervals (MOVER)"


def build_comparisons(source: ReportedRun, others: Sequence[ReportedRun]) -> tuple[Compared, ...]:
    """Differences this − other, with Holm's correction over all of them together."""
    found = [_compare(source, other) for other in others]
    p_values = [d.p_value for c in found for d in c.differences if d.p_value is not None]
    corrected = iter(holm(np.array(p_values)) if p_values else ())
    return tuple(
        c.model_copy(
            update={
                "differences": tuple(
                    d
                    if d.p_value is None
                    else d.model_copy(update={"p_holm": rounded(float(next(corrected)))})
                    for d in c.differences
                )
            }
        )
        for c in found
    )


def _compare(source: ReportedRun, other: ReportedRun) -> Compared:
    _same_classes(source, other)
    table, mine, theirs = _common(source, other)
    keys = compared_figures(source.cases)
    seed = source.run.manifest.seed
    pairs = paired_differences(
        table, [(source.run.name, mine), (other.run.name, theirs)], source.spec, seed, keys
    )
    points = [
        Scorer(make_cases(table, p, source.spec.malignant)).point().figures for p in (mine, theirs)
    ]
    same = len(table) == len(source.run.table) == len(other.run.table)
    differences = tuple(
        Difference(
            metric=d.metric,
            class_name=d.class_name,
            this=_figure(source, (d.metric, d.class_name), points[0], same),
            other=_figure(other, (d.metric, d.class_name), points[1], same),
            difference=number_of(d.estimate),
            p_value=rounded(d.p_value),
        )
        for d in pairs
    )
    right = [p.probabilities.argmax(axis=1) == table.labels for p in (mine, theirs)]
    test = mcnemar(right[0], right[1], table.group_codes)
    return Compared(
        name=other.run.name,
        images=len(table),
        differences=differences,
        only_this_right=int((right[0] & ~right[1]).sum()),
        only_other_right=int((~right[0] & right[1]).sum()),
        mcnemar_p=rounded(test.clustered_p_value),
        folds_p=_folds_p(source, other, same),
    )


def _figure(source: ReportedRun, key: Key, point: dict, same: bool) -> Number:  # type: ignore[type-arg]
    """The recorded figure; on a part of the images the point alone."""
    if same:
        return source.rows.number(*key)
    return Number(value=rounded(float(point[key][0])), note="on the common images")


def _folds_p(source: ReportedRun, other: ReportedRun, same: bool) -> float | None:
    """Nadeau & Bengio's test on the folds' macro AUC, where both runs have the same folds."""
    mine, theirs = source.run.folds, other.run.folds
    if not same or mine.n_folds < 2 or mine.digest != theirs.digest:
        return None
    values = [
        [s.rows.number(FOLD_METRIC, scope=f"fold {k}").value for k in range(mine.n_folds)]
        for s in (source, other)
    ]
    if any(v is None for row in values for v in row):
        return None
    difference = np.array(values[0], dtype=float) - np.array(values[1], dtype=float)
    return rounded(corrected_resampled_t(difference).p_value)


def _common(source: ReportedRun, other: ReportedRun) -> tuple[ImageTable, Predictions, Predictions]:
    shared = np.isin(source.run.table.image_ids, other.run.table.image_ids)
    if not shared.any():
        raise RunError(
            f"runs {source.run.name!r} and {other.run.name!r} have no image in common: --compare "
            "needs the same images; for another data set use --external"
        )
    table = source.run.table.take(shared)
    labels = dict(zip(other.run.table.image_ids, other.run.table.labels, strict=True))
    unlike = [i for i, y in zip(table.image_ids, table.labels, strict=True) if labels[i] != y]
    if unlike:
        raise RunError(
            f"runs {source.run.name!r} and {other.run.name!r} give other labels to {some(unlike)}: "
            "a comparison needs one truth; evaluate both against the same"
        )
    mine = source.run.predictions.in_order_of(table.image_ids)
    return table, mine, other.run.predictions.in_order_of(table.image_ids)


def build_external(source: ReportedRun, other: ReportedRun) -> External:
    """Each figure here minus there; Zou & Donner 2008 (MOVER) for two independent samples."""
    _same_classes(source, other)
    keys: list[Key] = [(metric, "") for metric in shown_in("external")]
    by_class = shown_in("external by class")
    keys += [(metric, name) for name in source.class_names for metric in by_class]
    if source.cases.has_malignant_view:
        keys += [
            (metric, source.cases.view_name) for metric in ("recall", "specificity", "roc_auc")
        ]
    shares = [s.run.table.class_counts() / max(len(s.run.table), 1) for s in (source, other)]
    return External(
        name=other.run.name,
        source=other.study.data.path.rsplit("/", 1)[-1],
        images=len(other.run.table),
        groups=other.run.table.n_groups,
        differences=tuple(
            Difference(
                metric=metric,
                class_name=name,
                this=(here := source.rows.number(metric, name)),
                other=(there := other.rows.number(metric, name)),
                difference=unpaired(here, there, folded=bias_of(metric) == "folded"),
            )
            for metric, name in keys
        ),
        prevalence=tuple(
            (name, round(float(a), 6), round(float(b), 6))
            for name, a, b in zip(source.class_names, *shares, strict=True)
        ),
        parts=build_external_parts(other.run.folder),
        warnings=other.run.manifest.warnings,
    )


def unpaired(here: Number, there: Number, *, folded: bool = False) -> Number:
    """here − there for independent samples, its interval from both intervals; none for ``folded``
    figures, whose noise moves them up by different amounts."""
    if here.value is None or there.value is None:
        return Number(value=None, note=here.note or there.note or "not estimable in one of the two")
    value = here.value - there.value
    if folded:
        return Number(value=rounded(value), note=NO_DIFFERENCE)
    ends = (here.low, here.high, there.low, there.high)
    if any(end is None for end in ends):
        return Number(value=rounded(value), note="no interval in one of the two")
    below = np.hypot(here.value - (here.low or 0.0), (there.high or 0.0) - there.value)
    above = np.hypot((here.high or 0.0) - here.value, there.value - (there.low or 0.0))
    return Number(
        value=rounded(value),
        low=rounded(float(value - below)),
        high=rounded(float(value + above)),
        level=here.level,
        method=MOVER,
        n_groups=min(here.n_groups, there.n_groups),
    )


def _same_classes(source: ReportedRun, other: ReportedRun) -> None:
    if source.class_names != other.class_names:
        raise RunError(
            f"run {other.run.name!r} has the classes {some(other.class_names)}, run "
            f"{source.run.name!r} has {some(source.class_names)}: compare runs of the same classes"
        )
