"""What `ensemble` prints."""

from pathlib import Path

from ensemble_kit.cli.console import say
from ensemble_kit.core.errors import some
from ensemble_kit.core.records import Estimate
from ensemble_kit.core.wording import in_words, level_text, value_words
from ensemble_kit.data.groups import in_groups
from ensemble_kit.metrics.registry import label_of, shown_in
from ensemble_kit.progress import tables
from ensemble_kit.workflows.ensembling import EnsembleStudy, decision_sentence

BY = {"threshold": "thresholds", "cross": "cross-conformal p-values"}
HEADS = {metric: label_of(metric) for metric in shown_in("headline")}


def print_study(work: EnsembleStudy, folder: Path) -> None:
    """The tables of an ensemble: figures, members, optimism, prediction sets."""
    final = work.outcome.final
    say(f"chosen: {final.choice.reason}")
    if len(final.chain.chains) > 1:
        tables.show(_candidates(work))
    else:
        say(f"by outer fold: {_by_fold(work)}")
    level = level_text(work.study.evaluation.level)
    resampled = in_groups(work.gathered.table)[1]
    tables.show(_figures(work, f"{_standing(work)}; {level} intervals resample {resampled}"))
    if told := decision_sentence(work.decided):
        say(told)
    tables.show(
        _gaps(work, "minus the ensemble, paired (log loss: above 0 is worse; ECE: no interval)")
    )
    tables.show(_members(work))
    tables.show(_optimism(work))
    tables.show(_sets(work))
    say(f"run folder: {folder}")


def _standing(work: EnsembleStudy) -> str:
    """What the figures may be called: cross-fitted, or optimistic by a member's own warning."""
    names = work.gathered.optimistic
    if not names:
        return "cross-fitted"
    return f"optimistic, as {some(names)} is by its own warning (only the ensemble is cross-fitted)"


def _by_fold(work: EnsembleStudy) -> str:
    names: dict[str, list[int]] = {}
    for k, step in work.outcome.by_fold.items():
        names.setdefault(step.choice.name, []).append(k)
    return "; ".join(f"{name} (fold {some(folds)})" for name, folds in names.items())


def _candidates(work: EnsembleStudy) -> tables.Table:
    """Weights of the candidates: over all rows, and their range over the outer folds."""
    table = _table(
        "candidates of the ensemble", "", "weight", "over the folds", "inner log loss",
    )  # fmt: skip
    folds = [
        {str(j.candidate): j.weight for j in step.choice.judged}
        for step in work.outcome.by_fold.values()
    ]
    for judged in work.outcome.final.choice.judged:
        theirs = [weights.get(str(judged.candidate), 0.0) for weights in folds]
        table.add_row(
            str(judged.candidate), f"{judged.weight:.3f}",
            f"{min(theirs):.3f}-{max(theirs):.3f}", f"{judged.loss:.4f}",
        )  # fmt: skip
    return table


def _figures(work: EnsembleStudy, title: str) -> tables.Table:
    table = _table(title, "", *HEADS.values())
    for line in work.board[:1] + work.board[2:]:
        table.add_row(line.name, *(_text(line.figures[m]) for m in HEADS))
    return table


def _gaps(work: EnsembleStudy, title: str) -> tables.Table:
    table = _table(title, "", *HEADS.values())
    for line in work.board[2:]:
        table.add_row(line.name, *(_text(line.minus_first[m], signed=True) for m in HEADS))
    return table


def _members(work: EnsembleStudy) -> tables.Table:
    names = work.gathered.members.names
    table = _table(
        "members", "", "weight", "log loss without it, minus with", "errors correlate with",
        "both wrong with",
    )  # fmt: skip
    for m, name in enumerate(names):
        weight = work.weights[m]
        without = work.without[m]
        others = [k for k in range(len(names)) if k != m][:6]
        table.add_row(
            name,
            "-" if weight is None else f"{weight:.3f}",
            "-" if without is None else _text(without, signed=True),
            ", ".join(f"{work.diversity.error_correlation[m, k]:.2f}" for k in others) or "-",
            ", ".join(f"{work.diversity.double_fault[m, k]:.3f}" for k in others) or "-",
        )
    return table


def _optimism(work: EnsembleStudy) -> tables.Table:
    table = _table(
        "optimism: how much better it looks on the rows it was fitted to",
        "", "in-sample", "cross-fitted", "difference",
    )  # fmt: skip
    outside, inside = work.board[0], work.board[1]
    for metric, head in HEADS.items():
        table.add_row(
            head, _value(inside.figures[metric]), _value(outside.figures[metric]),
            _text(inside.minus_first[metric], signed=True),
        )  # fmt: skip
    return table


def _sets(work: EnsembleStudy) -> tables.Table:
    """Coverage; whether a class has thresholds is said of those that made these sets."""
    spec = work.outcome.final.sets.spec
    scope = "for each class" if spec.by_class else "over all classes"
    table = _table(
        f"prediction sets by {BY[spec.method]}, about {level_text(spec.level)} {scope} "
        f"({spec.score}, {spec.unit} groups), "
        "cross-fitted; aimed at a random image of a random group, approximately",
        "", "images", "coverage by group (aimed at)", "coverage by image", "mean size", "threshold",
    )  # fmt: skip
    names, needed = work.gathered.table.class_names, work.outcome.final.sets.needed
    there = dict(zip(names, work.outcome.has_thresholds(), strict=True))
    groups = dict(zip(names, work.outcome.fewest_groups(), strict=True))
    for line in work.coverage:
        if line.scope not in ("all", "class"):
            continue
        word = "yes" if there.get(line.name, all(there.values())) else "not every class"
        if word != "yes" and line.name in groups:
            word = f"none: {groups[line.name]} groups, needs {needed}"
        table.add_row(
            line.name or "all", f"{line.n_images:,}", _text(line.by_group, 3),
            _text(line.coverage, 3), _text(line.size, 2), word,
        )  # fmt: skip
    return table


def _table(title: str, first: str, *others: str) -> tables.Table:
    return tables.table(first, *others, title=title)


def _value(estimate: Estimate) -> str:
    return value_words(estimate, 4, none="-")


def _text(estimate: Estimate, digits: int = 4, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return in_words(estimate, digits, sign=sign, none="-")
