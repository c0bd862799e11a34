"""What `tune` prints on stdout: its plan and its outcome."""

from pathlib import Path

from ensemble_kit.cli.console import say
from ensemble_kit.core.program import program
from ensemble_kit.core.wording import level_text, size_text
from ensemble_kit.progress import tables
from ensemble_kit.progress.search import trial_table
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import SearchSpec
from ensemble_kit.training.speeds import BASES, time_text
from ensemble_kit.tuning.costs import SpaceCost
from ensemble_kit.tuning.nested import Nested, nested_sentence
from ensemble_kit.tuning.summary import SearchResult
from ensemble_kit.workflows.search import SearchPlan


def print_search_plan(plan: SearchPlan) -> None:
    """What a search would do: stores and minutes, or what it reads in place of images."""
    if plan.cost is not None:
        return print_space_cost(plan.cost, plan.study, len(plan.images))
    assert plan.inputs is not None
    assert plan.inputs.x is not None
    joined = f" and metadata ({', '.join(plan.inputs.columns)})" if plan.inputs.columns else ""
    say(
        f"plan: {len(plan.images):,} images of {plan.inputs.x.shape[1]:,} features{joined}, "
        f"{plan.study.search.trials} trials of up to {plan.folds.n_folds} folds; no image is read "
        "and nothing is stored"
    )
    for sentence in plan.notes:
        say(sentence)
    return None


def print_space_cost(cost: SpaceCost, spec: StudySpec, images: int) -> None:
    """Which sizes and cuts the space can ask for, with bytes and minutes."""
    cuts = ", ".join(str(depth) for depth in cost.depths)
    drawn = tables.table(
        "backbone", "size", "pixels", "activations", "views", "still to compute",
        title=f"plan: {images:,} images, {spec.split.folds} folds, depths {cuts}",
    )  # fmt: skip
    for size in cost.sizes:
        plan = size.stores
        missing = f"{plan.passes:,} images,\n{time_text(plan.seconds)}"
        drawn.add_row(
            size.backbone,
            f"{size.image_size} px",
            size_text(size.pixel_bytes),
            size_text(plan.total_bytes) if plan.keys else "none",
            str(plan.views) if plan.keys else "–",
            missing if plan.passes else "nothing",
        )
    tables.show(drawn)
    said = dict.fromkeys([*cost.notes, *(s for size in cost.sizes for s in size.stores.notes)])
    for sentence in said:
        say(sentence)
    trials, whole = spec.search.trials, cost.trial
    say(
        f"all sizes: {size_text(cost.total_bytes)}, {time_text(cost.seconds)}, each paid when a "
        f"trial first asks for it; then {trials} trials of up to {spec.split.folds} folds, "
        f"{time_text(trials * whole.train_seconds)} if none is stopped early, "
        f"{BASES[whole.basis]}"
    )


def print_search(result: SearchResult, search: SearchSpec, path: Path) -> None:
    """The trials, what was chosen, and what to do with it."""
    tables.show(trial_table(result.trials, search, f"search {result.name}"))
    states = [trial.state for trial in result.trials]
    after = sorted({t.pruned_after for t in result.trials if t.pruned_after is not None})
    pruned = ", ".join(
        f"{sum(t.pruned_after == n for t in result.trials)} after {n}" for n in after
    )
    say(
        f"{states.count('COMPLETE')} complete, {states.count('PRUNED')} pruned"
        + (f" (folds: {pruned})" if pruned else "")
        + f", {states.count('FAIL')} failed"
    )
    for trial in result.trials:
        if trial.state == "FAIL":
            reason = trial.failure or "its worker died each time it was tried"
            say(f"trial {trial.number} failed: {reason}")
    if search.cost:
        say(f"not beaten in both score and cost: trials {list(result.front)}")
    say(
        f"best: trial {result.best.number}, {search.metric} {result.best.value:.4f} out of fold. "
        "It was chosen among all trials on these very images, so it flatters."
    )
    say(f"best study: {path}")
    say(f"next: {program()} cv --study {path}")


def print_nested(nested: Nested, search: SearchSpec) -> None:
    say(nested_sentence(nested, search.metric))
    gain = nested.gain.estimate
    interval = "" if gain.low is None else f" [{gain.low:+.4f}, {gain.high:+.4f}]"
    say(
        f"tuned minus default settings, judged outside: {gain.value:+.4f}{interval} "
        f"({level_text(gain.level)} interval, groups resampled)"
    )
