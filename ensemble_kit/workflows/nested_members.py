"""``ensemble --nested-members``: the second level fitted to members that never saw the outer fold.

For each two folds every member is fitted anew without both. The chain for fold k is then fitted to
probabilities of rows outside k by models without k and without the row's own fold, and applied to
the run's own models of fold k: nothing that scores fold k, nor anything it was fitted to, saw k.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.records import Estimate, Floats, Predictions
from ensemble_kit.core.wording import in_words
from ensemble_kit.metrics.losses import log_losses
from ensemble_kit.metrics.repeats import NestedSplit, nested_interval
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.crossfit import Rows, crossfit_nested, rows_of
from ensemble_kit.posthoc.selection.fitted import fit_candidates
from ensemble_kit.posthoc.selection.fitting import ChainSpec, fit_chain
from ensemble_kit.posthoc.selection.scoreboard import scoreboard
from ensemble_kit.runs.nested_members import NestedLine, NestedMembersRecord, RefittedMember
from ensemble_kit.study import EvaluationSpec
from ensemble_kit.workflows.ensembling import BASELINE, CROSSFITTED, EnsembleStudy
from ensemble_kit.workflows.members import Gathered
from ensemble_kit.workflows.refitting import Refit

FIGURES = ("log_loss", "accuracy")


def check_one_split(gathered: Gathered, refits: Sequence[Refit]) -> None:
    """StudyError where a member's folds are not the ensemble's."""
    other = [
        refit.name
        for refit in refits
        if not np.array_equal(
            refit.folds.fold[align_rows(refit.table.image_ids, gathered.table.image_ids)],
            gathered.folds.fold,
        )
    ]
    if other:
        raise StudyError(
            f"--nested-members: {some(other)} was made with other folds than the ensemble has: "
            "without one fold of each nothing follows; make all members with the same folds"
        )


def fit_nested(refit: Refit) -> dict[int, Floats]:
    """Fold k -> (n, C) of the run's rows: those outside k by the model without k and without their
    own fold, those of k by the run's model of k."""
    fold, p = refit.folds.fold, refit.predictions.probabilities
    n_folds = refit.folds.n_folds
    nested = {k: p.copy() for k in range(n_folds)}
    for number, (j, k) in enumerate(combinations(range(n_folds), 2)):
        train = np.flatnonzero((fold != j) & (fold != k) & (fold >= 0))
        predict = refit.fit(train, FoldSeed(refit.seed, 0, n_folds + number))
        for without, held in ((j, k), (k, j)):
            rows = np.flatnonzero(fold == held)
            nested[without][rows] = predict(rows)
    return nested


def audit_nested(
    found: EnsembleStudy, refits: Sequence[Refit], say: Callable[[str], None]
) -> NestedMembersRecord:
    """Fit members and chains anew and judge both beside the ordinary ones."""
    gathered, spec = found.gathered, found.study.evaluation
    table, rows = gathered.table, rows_of(gathered.members, gathered.table.labels, gathered.folds)
    by_member = []
    for refit in refits:
        n_folds = refit.folds.n_folds
        say(f"fitting {refit.name} without each two folds ({n_folds * (n_folds - 1) // 2} fits)")
        order = align_rows(refit.table.image_ids, table.image_ids)
        by_member.append({k: normalised(p[order]) for k, p in fit_nested(refit).items()})
    nested = {k: np.stack([member[k] for member in by_member]) for k in by_member[0]}
    say("cross-fitting to nested members")
    plain = found.board[2]
    ordinary = ((CROSSFITTED, found.predictions), (plain.name, _baseline(found, rows, None)))
    anew = (_chain(found, rows, nested, found.spec), _baseline(found, rows, nested))
    lines = tuple(
        _line(found, name, before, after, spec)
        for (name, before), after in zip(ordinary, anew, strict=True)
    )
    members = tuple(
        RefittedMember(
            name=refit.name,
            fits=refit.folds.n_folds * (refit.folds.n_folds - 1) // 2,
            fixed={figure: line.figures[figure] for figure in FIGURES},
            anew=intervals_anew(rows, m, nested, spec.level),
        )
        for m, (refit, line) in enumerate(zip(refits, found.board[3:], strict=True))
    )
    return NestedMembersRecord(lines=lines, members=members)


def intervals_anew(
    rows: Rows, member: int, nested: Mapping[int, Floats], level: float
) -> dict[str, Estimate]:
    """Log loss and accuracy of a member with the nested cross-validation interval, which counts
    that its models would be others with other training images (Bates, Hastie & Tibshirani 2024)."""

    def error(labels: np.ndarray, p: Floats) -> Floats:
        return np.asarray(p.argmax(axis=1) != labels, dtype=np.float64)

    found = {}
    for figure, loss in (("log_loss", log_losses), ("accuracy", error)):
        plain = loss(rows.labels, rows.members[member])
        splits = []
        for k, p in nested.items():
            held = rows.fold == k
            inner = loss(rows.labels[~held], p[member][~held])
            splits.append(NestedSplit(inner, plain[held], rows.groups[held]))
        found[figure] = nested_interval(splits, plain, rows.groups, len(nested), level)
    wrong = found["accuracy"]
    assert wrong.value is not None
    assert wrong.low is not None
    assert wrong.high is not None
    value, low, high = (min(1.0, max(0.0, 1 - v)) for v in (wrong.value, wrong.high, wrong.low))
    loss_ = found["log_loss"]
    return {
        "log_loss": replace(loss_, low=max(0.0, loss_.low or 0.0)),
        "accuracy": replace(wrong, value=value, low=low, high=high),
    }


def nested_sentence(record: NestedMembersRecord) -> str:
    """What the audit found, in a sentence for terminal and page."""
    parts = [
        f"{line.name} {in_words(line.nested['log_loss'], 4)} in place of "
        f"{line.ordinary['log_loss'].value:.4f} (difference "
        f"{in_words(line.minus_ordinary['log_loss'], 4, sign='+')})"
        for line in record.lines
    ]
    return (
        "With nested members, fitted without the fold being judged, the cross-fitted log loss is: "
        f"{'; '.join(parts)}."
    )


def _chain(
    found: EnsembleStudy, rows: Rows, nested: Mapping[int, Floats], spec: ChainSpec
) -> Predictions:
    with threadpool_limits(limits=1):
        fit = partial(fit_chain, spec=replace(spec, prevalence=None))
        return _named(found, crossfit_nested(fit, rows, nested))


def _baseline(found: EnsembleStudy, rows: Rows, nested: Mapping[int, Floats] | None) -> Predictions:
    """Mean + temperature; nested : None for the members as they are."""
    members = {int(k): rows.members for k in np.unique(rows.fold)} if nested is None else nested
    fit = partial(fit_candidates, candidates=(BASELINE,))
    with threadpool_limits(limits=1):
        return _named(found, crossfit_nested(fit, rows, members)[:, 0])


def _named(found: EnsembleStudy, probabilities: Floats) -> Predictions:
    members = found.gathered.members
    return Predictions(members.image_ids, members.class_names, normalised(probabilities))


def _line(
    found: EnsembleStudy, name: str, before: Predictions, after: Predictions, spec: EvaluationSpec
) -> NestedLine:
    ordinary, nested = scoreboard(
        found.gathered.table, [("ordinary", before), ("nested", after)], spec, found.seed
    )
    return NestedLine(
        name=name,
        ordinary=ordinary.figures,
        nested=nested.figures,
        minus_ordinary=nested.minus_first,
    )
