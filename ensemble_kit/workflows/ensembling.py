"""An ensemble studied: fitted, cross-fitted, judged, explained. Numbers only, no files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ensemble_kit.core.records import Estimate, Floats, Predictions, Strings
from ensemble_kit.core.wording import in_words
from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.metrics.evaluation import Evaluation, evaluate
from ensemble_kit.metrics.registry import label_of
from ensemble_kit.metrics.slices import banded
from ensemble_kit.posthoc.conformal.coverage import Coverage, coverage_table
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.crossfit import Rows, crossfit_rows, rows_of
from ensemble_kit.posthoc.selection.catalogue import Candidate
from ensemble_kit.posthoc.selection.explaining import (
    Bin,
    Diversity,
    diversity,
    leave_one_out,
    member_weights,
    reliability,
)
from ensemble_kit.posthoc.selection.fitted import Combination, fit_candidates
from ensemble_kit.posthoc.selection.fitting import ChainSpec, Outcome, crossfit_chain
from ensemble_kit.posthoc.selection.scoreboard import Line, scoreboard
from ensemble_kit.study import EvaluationSpec, StudySpec
from ensemble_kit.workflows.members import Gathered

BASELINE = Candidate("mean", "temperature")
CROSSFITTED, IN_SAMPLE = "ensemble", "ensemble, in-sample"
OF_DECISIONS = ("balanced_accuracy", "accuracy", "f1_macro")
"""Figures that depend on the class decided on alone."""


@dataclass(frozen=True, eq=False)
class EnsembleStudy:
    """All that ``ensemble`` finds out.

    board : lines of the ensemble (cross-fitted), itself in-sample, mean + temperature
    (cross-fitted), and each member. without : what leaving each member out costs in log loss.
    before, after : reliability of the plain mean and of the ensemble. decided : figures of the
    class-weighted decision, each image's by the power that the other folds chose; empty where
    the decision is the likeliest class.
    """

    gathered: Gathered
    spec: ChainSpec
    study: StudySpec
    seed: int
    outcome: Outcome
    predictions: Predictions
    evaluation: Evaluation
    board: tuple[Line, ...]
    weights: tuple[float | None, ...]
    without: tuple[Estimate | None, ...]
    diversity: Diversity
    coverage: tuple[Coverage, ...]
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]
    decided: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def chain(self) -> Combination:
        """What was refitted on all rows."""
        return self.outcome.final.chain


def study_ensemble(
    gathered: Gathered,
    spec: ChainSpec,
    study: StudySpec,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> EnsembleStudy:
    """Fit, judge and explain an ensemble; ``say`` hears what is being done."""
    table, members = gathered.table, gathered.members
    rows = rows_of(members, table.labels, gathered.folds)
    say(f"cross-fitting over {len(np.unique(rows.fold))} folds")
    outcome = crossfit_chain(rows, spec)
    predictions = _predictions(gathered, outcome.probabilities)
    evaluation_spec = study.evaluation
    say(f"evaluating with {evaluation_spec.replicates:,} resamples")
    evaluation = evaluate(table, gathered.folds, predictions, evaluation_spec, seed)
    say("comparing with the members, in pairs")
    unshifted = replace(outcome.final.chain, shift=None)
    named = [
        (CROSSFITTED, predictions),
        (IN_SAMPLE, _predictions(gathered, unshifted.apply(rows.members))),
        (str(BASELINE), _predictions(gathered, _baseline(rows))),
    ]
    named += [
        (name, _predictions(gathered, p))
        for name, p in zip(members.names, members.probabilities, strict=True)
    ]
    chain = outcome.final.chain
    draws = GroupBootstrap(table.n_groups, evaluation_spec.replicates, seed)
    return EnsembleStudy(
        gathered=gathered,
        spec=spec,
        study=study,
        seed=seed,
        outcome=outcome,
        predictions=predictions,
        evaluation=evaluation,
        board=scoreboard(table, named, evaluation_spec, seed),
        weights=member_weights(chain, len(members.names)),
        without=leave_one_out(
            rows, [part.candidate for part in chain.chains], chain.weights, evaluation_spec, seed
        ),
        diversity=diversity(rows),
        coverage=coverage_table(
            outcome.sets, rows.labels, rows.groups, table.class_names, draws,
            _short_slices(table.slices), evaluation_spec.level,
        ),
        before=reliability(rows.members.mean(axis=0), rows.labels),
        after=reliability(outcome.probabilities, rows.labels),
        decided=_decided(gathered, outcome, evaluation_spec, seed),
    )  # fmt: skip


def _decided(
    gathered: Gathered, outcome: Outcome, spec: EvaluationSpec, seed: int
) -> Mapping[str, Estimate]:
    steps = [outcome.final, *outcome.by_fold.values()]
    if not any(step.decision.power for step in steps):
        return {}
    chosen = np.eye(gathered.table.n_classes)[outcome.decisions]
    line = scoreboard(gathered.table, [("decision", _predictions(gathered, chosen))], spec, seed)[0]
    return {metric: line.figures[metric] for metric in OF_DECISIONS}


def decision_sentence(decided: Mapping[str, Estimate]) -> str:
    """The figures of the class-weighted decision in one sentence; empty without them."""
    if not decided:
        return ""
    parts = [
        f"{label_of(metric)} {in_words(figure, none='not estimable')}"
        for metric, figure in decided.items()
    ]
    return f"class-weighted decision, cross-fitted: {', '.join(parts)}"


def _baseline(rows: Rows) -> Floats:
    fit = partial(fit_candidates, candidates=(BASELINE,))
    return np.asarray(crossfit_rows(fit, rows).output[:, 0])


def _predictions(gathered: Gathered, probabilities: Floats) -> Predictions:
    members = gathered.members
    return Predictions(members.image_ids, members.class_names, normalised(probabilities))


def _short_slices(slices: Mapping[str, Strings]) -> dict[str, Strings]:
    """Columns with at most twenty values, ages in the bands of all slices."""
    found = {name: banded(name, values) for name, values in slices.items()}
    return {name: v for name, v in found.items() if 1 < len(np.unique(v)) <= 20}
