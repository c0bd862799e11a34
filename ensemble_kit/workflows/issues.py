"""`check --run`: labels that a run's probabilities speak against, and near-duplicates that its
groups part."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.posthoc.label_noise import confident_joint, label_noise
from ensemble_kit.runs.folder import Run, find_run, read_run
from ensemble_kit.runs.issues import Issue, Pair, write_issues
from ensemble_kit.runs.manifest import record_files
from ensemble_kit.runs.paths import ISSUES, NEAR_DUPLICATES
from ensemble_kit.workflows.inputs import RUNS_DIR, STORE_DIR
from ensemble_kit.workflows.twins import find_twins

PAIRS = 50
SUSPICION = 0.5


@dataclass(frozen=True, eq=False)
class Found:
    """What looking for problems found. rate : share of labels taken for wrong. off_diagonal :
    images that confident learning counts as another class. notes : how far to trust it."""

    run: Run
    issues: tuple[Issue, ...]
    pairs: tuple[Pair, ...]
    rate: float
    off_diagonal: int
    notes: tuple[str, ...]

    @property
    def labels(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in self.issues if issue.kind == "label")

    @property
    def issues_file(self) -> Path:
        return self.run.folder / ISSUES

    @property
    def pairs_file(self) -> Path:
        return self.run.folder / NEAR_DUPLICATES


def find_issues(
    name: Path | str | None = None,
    *,
    runs_dir: Path = RUNS_DIR,
    store_dir: Path = STORE_DIR,
    suspicion: float = SUSPICION,
    pairs: int = PAIRS,
    tell: Tell = say_nothing,
) -> Found:
    """Look at a run's labels and images; write ``issues.csv`` and ``near_duplicates.csv`` into it.

    suspicion : labels at least so likely wrong are listed. pairs : near-duplicates listed at most.
    tell : hears "begin" (total), "step" (n). Raises RunError, StudyError.
    """
    if not 0 < suspicion <= 1:
        raise StudyError(f"--suspicion {suspicion:g}: give a probability above 0 and up to 1")
    if pairs < 0:
        raise StudyError(f"--pairs {pairs}: give 0 or more")
    run = read_run(find_run(None if name is None else str(name), runs_dir))
    if run.table.n_classes < 2 or not len(run.table):
        raise RunError(f"run {run.name!r} has a single class: there is no other label to suggest")
    doubted, rate, off_diagonal = _labels(run, suspicion)
    twins: tuple[Pair, ...] = ()
    notes: list[str] = []
    if pairs:
        twins, said = find_twins(run, store_dir, pairs, tell)
        notes.append(said)
    classes = np.array(run.table.class_names)[run.table.labels]
    label_of = dict(zip(run.table.image_ids.tolist(), classes.tolist(), strict=True))
    alike = [
        Issue(
            p.first,
            label_of[p.first],
            label_of[p.second],
            max(0.0, p.detail) if p.points else p.cosine,
            "near-duplicate",
            p.second,
        )
        for p in twins
    ]
    issues = (*doubted, *alike)
    record_files(run.folder, write_issues(run.folder, issues, twins))
    if run.folds.n_folds < 2:
        notes.insert(0, "no folds are known: where the models have seen these labels, wrong ones "
                        "hide")  # fmt: skip
    return Found(run, issues, twins, rate, off_diagonal, tuple(notes))


def _labels(run: Run, least: float) -> tuple[list[Issue], float, int]:
    table, p = run.table, run.predictions.probabilities
    found = label_noise(p, table.labels)
    order = np.argsort(-found.suspicion, kind="stable")
    order = order[found.suspicion[order] >= least]
    names = table.class_names
    doubted = [
        Issue(
            str(table.image_ids[row]), names[table.labels[row]], names[found.suggested[row]],
            float(found.suspicion[row]), "label",
        )
        for row in order.tolist()
    ]  # fmt: skip
    off = int(confident_joint(p, table.labels).off_diagonal(table.labels).sum())
    return doubted, found.rate, off
