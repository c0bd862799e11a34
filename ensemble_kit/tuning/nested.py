"""The honest score of the whole procedure: a search inside each outer training part."""

from dataclasses import dataclass, replace

import numpy as np

from ensemble_kit.core.listening import Tell
from ensemble_kit.core.records import Estimate, Floats, Folds, ImageTable, Predictions
from ensemble_kit.metrics.comparison import Difference, paired_difference, paired_mean_difference
from ensemble_kit.metrics.losses import log_losses
from ensemble_kit.runs.search import Gain, InnerChoice, NestedRecord
from ensemble_kit.splits import make_folds
from ensemble_kit.study import EvaluationSpec, StudySpec
from ensemble_kit.study.space import Metric
from ensemble_kit.tuning.evaluating import Judge
from ensemble_kit.tuning.losses import score
from ensemble_kit.tuning.opening import SearchRequest, open_study
from ensemble_kit.tuning.sampling import with_params
from ensemble_kit.tuning.search import run_search
from ensemble_kit.tuning.summary import summarise
from ensemble_kit.tuning.trials import TrialRecord


@dataclass(frozen=True, eq=False)
class InnerSearch:
    """What the search inside one outer training part chose. probabilities : (n, C) of the chosen
    study, out of the inner folds; ``known`` (n,) the rows that has."""

    outer_fold: int
    best: TrialRecord
    spec: StudySpec
    known: Floats
    probabilities: Floats


@dataclass(frozen=True, eq=False)
class Nested:
    """The nested estimate.

    tuned, default : outer out-of-fold rows of the searched studies and of the study as it stands.
    score, inner_score : of the whole procedure; mean of the selected inner scores.
    optimism : inner minus outer. gain : tuned minus default, paired by group.
    """

    tuned: Predictions
    default: Predictions
    score: float
    default_score: float
    inner_score: float
    optimism: Estimate
    gain: Difference
    chosen: tuple[InnerSearch, ...]

    def record(self, metric: Metric) -> NestedRecord:
        """What ``tuning.json`` keeps of it."""
        gain = self.gain.estimate
        return NestedRecord(
            metric=metric,
            score=self.score,
            default_score=self.default_score,
            inner_score=self.inner_score,
            gain=Gain(value=gain.value, low=gain.low, high=gain.high, level=gain.level),
            chosen=tuple(
                InnerChoice(outer_fold=c.outer_fold, value=c.best.value, params=dict(c.best.params))
                for c in self.chosen
            ),
        )


def run_nested(
    request: SearchRequest, table: ImageTable, outer: Folds, evaluator: Judge, tell: Tell
) -> Nested:
    """Search anew inside every outer training part, then judge the choice outside it.

    Inner folds are drawn by group from the outer training part alone; the images of the outer
    fold are in no inner fold and choose nothing. Stores are shared, for they know no folds.
    """
    spec = request.spec
    shape = len(table), table.n_classes
    tuned, default = np.zeros(shape), np.zeros(shape)
    chosen = []
    for k in range(outer.n_folds):
        held = outer.held_out(k)
        tell("outer_fold", fold=k, folds=outer.n_folds)
        inner = inner_folds(table, outer, k, spec)
        found = _search_inside(request, table, inner, k, evaluator, tell)
        chosen.append(found)
        ids = table.image_ids[held]
        for studied, rows in ((found.spec, tuned), (spec, default)):
            predicted = evaluator.predict_fold(studied, outer, k)
            rows[held] = predicted.in_order_of(ids).probabilities
        tell("outer_judged", fold=k, inner=found.best.value)
    metric, labels = spec.search.metric, table.labels
    ids, names = table.image_ids, table.class_names
    ours, theirs = Predictions(ids, names, tuned), Predictions(ids, names, default)
    outer_score = score(metric, labels, tuned)
    inner_score = float(np.mean([c.best.value for c in chosen]))
    gain = paired_difference(
        table, ours, theirs, metric, spec=spec.evaluation, seed=spec.split.seed
    )
    return Nested(
        tuned=ours,
        default=theirs,
        score=outer_score,
        default_score=score(metric, labels, default),
        inner_score=inner_score,
        optimism=_optimism(metric, table, chosen, tuned, inner_score - outer_score, spec),
        gain=gain,
        chosen=tuple(chosen),
    )


def inner_folds(table: ImageTable, outer: Folds, k: int, spec: StudySpec) -> Folds:
    """Folds by group of the rows outside fold ``k``; the rows of fold ``k`` get -1."""
    rows = np.flatnonzero(~outer.held_out(k))
    drawn = make_folds(table.take(rows), spec.split.folds, spec.split.seed)[0]
    fold = np.full(len(table), -1, np.int64)
    fold[rows] = drawn.fold
    return Folds(table.image_ids, table.groups, fold, drawn.n_folds, drawn.seed)


def _search_inside(
    request: SearchRequest,
    table: ImageTable,
    inner: Folds,
    k: int,
    evaluator: Judge,
    tell: Tell,
) -> InnerSearch:
    name = f"{request.name}.outer_{k}"
    place = replace(request.place, folder=request.place.folder / f"outer_{k}")
    inside = replace(request, name=name, place=place, resume=True)
    study = open_study(inside, table, inner)
    run_search(study, inside, evaluator, inner, tell)
    best = summarise(study, name, request.spec, table).best
    spec = with_params(request.spec, best.params)
    result = list(evaluator.after_each_fold(spec, inner))[-1]
    return InnerSearch(k, best, spec, result.known.astype(np.float64), result.probabilities)


def _optimism(
    metric: Metric,
    table: ImageTable,
    chosen: list[InnerSearch],
    tuned: Floats,
    value: float,
    spec: StudySpec,
) -> Estimate:
    """Inner minus outer score. For log loss with an interval: each image's mean loss in the inner
    searches against its loss in the outer fold, groups resampled."""
    flatters = "below" if metric == "log_loss" else "above"
    note = f"selected inner score minus nested outer score; {flatters} 0 it flattered"
    if metric != "log_loss":
        return Estimate(value, method="nested cross-validation", n_groups=table.n_groups, note=note)
    total, times = np.zeros(len(table)), np.zeros(len(table))
    for inside in chosen:
        rows = np.flatnonzero(inside.known)
        total[rows] += log_losses(table.labels[rows], inside.probabilities[rows])
        times += inside.known
    evaluation = EvaluationSpec(replicates=spec.evaluation.replicates, level=spec.evaluation.level)
    found = paired_mean_difference(
        total / times, log_losses(table.labels, tuned), table.groups, evaluation, spec.split.seed
    )
    return replace(found.estimate, note=note)


def nested_sentence(nested: Nested, metric: str) -> str:
    """The score to expect of the whole procedure, and how much the selected score flatters."""
    found = nested.optimism
    interval = "" if found.low is None else f" [{found.low:+.4f}, {found.high:+.4f}]"
    return (
        f"Nested cross-validation: {metric} {nested.score:.4f} is to be expected of the "
        f"whole procedure; selected inner scores minus it: {found.value:+.4f}{interval}."
    )
