"""What a search leaves behind: the best study as a file, and its record for reports."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import SearchError, count, some
from ensemble_kit.core.program import program
from ensemble_kit.core.records import Estimate, ImageTable
from ensemble_kit.runs.search import NestedRecord, Optimism, Trial, TuningRecord, copy_tuning
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import SearchSpec
from ensemble_kit.tuning.losses import direction
from ensemble_kit.tuning.sampling import with_params
from ensemble_kit.tuning.search import failures
from ensemble_kit.tuning.storage import experimental
from ensemble_kit.tuning.trials import TrialRecord, best_trial, judged_study, read_trials

STORE = "store"
FEWEST_FOR_IMPORTANCE = 8
BEST = re.compile("# .* cv --study ")
LONGEST_LINE = 10_000
OPTIMISTIC = (
    "The best score was chosen among all trials on these very images and folds, so it flatters; "
    "`tune --nested` measures by how much."
)


@dataclass(frozen=True)
class SearchResult:
    """A search that has ended or rests. spec : the best study, ready for `cv`. front : numbers of
    trials that no other beats in both score and cost (the best alone without cost)."""

    name: str
    spec: StudySpec
    trials: tuple[TrialRecord, ...]
    best: TrialRecord
    front: tuple[int, ...]
    importance: Mapping[str, float]


def summarise(study: optuna.Study, name: str, spec: StudySpec, table: ImageTable) -> SearchResult:
    """Read the trials and make the best study. Raises SearchError if none is complete."""
    trials = read_trials(study)
    best = best_trial(study)
    if best is None:
        failed = failures(trials)
        raise SearchError(
            f"search {name!r}: none of its trials is complete"
            + (f"; {some(failed, 3)}" if failed else "")
            + "; mend the cause, or give more time, and give the command again with --resume"
        )
    chosen = with_params(spec, best.params).model_dump()
    chosen |= {
        "name": f"{name}.best",
        "tuned_on": table.digest,
        "tuned_by": name,
        "search": SearchSpec().model_dump(),
    }
    front = [t.number for t in study.best_trials] if spec.search.cost else [best.number]
    record = next(trial for trial in trials if trial.number == best.number)
    return SearchResult(
        name,
        StudySpec.model_validate(chosen),
        trials,
        record,
        tuple(front),
        _importance(study),
    )


def is_best(path: Path) -> bool:
    """Whether a file begins as :func:`write_best` has it."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return bool(BEST.match(file.readline(LONGEST_LINE)))


def write_best(
    result: SearchResult, path: Path, command: str, search: SearchSpec, note: str = ""
) -> None:
    """``studies/<name>.best.toml``, opening with its command and the score to expect."""
    states = [trial.state for trial in result.trials]
    lines = [
        f"{program()} cv --study {path}",
        f"About {_minutes(result.best)} on the machine that searched. Expect the score below.",
        f"Chosen by `{command}`: trial {result.best.number} of {len(states)} "
        f"({states.count('PRUNED')} pruned, {states.count('FAIL')} failed).",
        f"Out-of-fold {search.metric} {result.best.value:.4f}, the best of all trials on these "
        "images and folds:",
        note or "expect somewhat worse on others; `tune --nested` measures by how much.",
    ]
    header = "".join(f"# {line}\n" for line in lines)
    write_text(path, header + "\n" + result.spec.to_toml())


def write_tuning(
    result: SearchResult,
    folder: Path,
    search: SearchSpec,
    optimism: Estimate | None = None,
    nested: NestedRecord | None = None,
) -> Path:
    """``tuning.json`` of a search's folder. optimism : inner minus outer score."""
    shown = [trial for trial in result.trials if trial.state != "WAITING"]
    flattery = optimism and Optimism(
        value=optimism.value, low=optimism.low, high=optimism.high, note=optimism.note
    )
    record = TuningRecord(
        name=result.name,
        metric=search.metric,
        direction=direction(search.metric),
        sampler=search.sampler,
        pruner=search.pruner,
        min_gain=search.min_gain,
        space=search.model_dump(mode="json")["space"],
        trials=tuple(_plain(trial) for trial in shown),
        best=result.best.number,
        front=result.front,
        importance=dict(result.importance),
        optimism=flattery,
        nested=nested,
        note="" if optimism else OPTIMISTIC,
    )
    return folder / record.write(folder)


def take_record(studies_dir: Path, spec: StudySpec, run_folder: Path) -> str | None:
    """Copy the record of the search that made a study into a run folder; its name if there is."""
    if not spec.tuned_by:
        return None
    return copy_tuning(studies_dir / STORE / spec.tuned_by, run_folder)


def _minutes(trial: TrialRecord) -> str:
    return count(max(1, round((trial.seconds or 0.0) / 60)), "minute")


def _plain(trial: TrialRecord) -> Trial:
    return Trial(
        number=trial.number,
        state=trial.state,
        value=trial.value,
        params=dict(trial.params),
        pruned_after=trial.pruned_after,
        seconds=trial.seconds,
        cost=trial.cost,
        failure=trial.failure,
    )


def evaluator() -> optuna.importance.BaseImportanceEvaluator:
    """Share of each parameter in the variance of scores (fANOVA, Hutter et al. 2014); parameters
    that apply to some trials only are left out."""
    return optuna.importance.FanovaImportanceEvaluator(seed=0)


def _importance(study: optuna.Study) -> dict[str, float]:
    """Of all judged trials; empty where there are too few of them to say."""
    judged = judged_study(study)
    if len({trial.values[0] for trial in judged.trials}) < FEWEST_FOR_IMPORTANCE:
        return {}
    with experimental():
        found = optuna.importance.get_param_importances(
            judged,
            evaluator=evaluator(),
            target=lambda trial: float(trial.values[0]),
        )
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}
