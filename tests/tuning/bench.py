"""A search without a network: predictions drawn from the settings, for tests of everything else."""

import time
from pathlib import Path

import numpy as np

from ensemble_kit.core.records import ImageTable
from ensemble_kit.splits import make_folds
from ensemble_kit.study import StudySpec, parse_study
from ensemble_kit.tuning.evaluating import FoldResult
from ensemble_kit.tuning.losses import fold_loss, score
from ensemble_kit.tuning.opening import SearchRequest, open_study
from ensemble_kit.tuning.search import run_search
from ensemble_kit.tuning.storage import StoragePlace

STUDY = """
name = "bench"
[split]
folds = 4
[model]
backbone = "compact"
weights = "none"
image_size = 48
unfreeze_depth = 1
dropout = 0.2
[training]
head = "sgd"
fine_tune_lr = 1e-4
head_lr = 1e-3
[evaluation]
replicates = 200
[search]
trials = 8
[search.space]
head_lr = { low = 1e-6, high = 1e-1, log = true }
dropout = { low = 0.0, high = 0.8 }
image_size = [32, 48, 64]
unfreeze_depth = { low = 0, high = 2 }
fine_tune_lr = { low = 1e-5, high = 1e-3, log = true }
"""


def small_study(extra: str = "") -> StudySpec:
    return parse_study(STUDY + extra, "bench")


def small_table(groups: int = 150, classes: int = 3) -> ImageTable:
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 4, groups)
    group = np.repeat(np.arange(groups), sizes)
    n = len(group)
    names = np.array([f"L{code:03d}" for code in group])
    return ImageTable(
        image_ids=np.array([f"I{row:04d}" for row in range(n)]),
        groups=names,
        labels=(group % classes).astype(np.int64),
        class_names=tuple(f"c{c}" for c in range(classes)),
        lesions=names,
        patients=np.array([""] * n),
        paths=np.array([""] * n),
    )


class DrawnEvaluator:
    """Stands where ``Evaluator`` stands. The nearer head_lr to 1e-2, the better; noise by image
    and setting. ``before`` is called before each fold, to fail, wait or interrupt."""

    def __init__(self, table, spec, before=lambda spec, fold: None):
        self.table, self._metric, self._before = table, spec.search.metric, before
        self.trained = []

    def after_each_fold(self, spec, folds):
        known = np.zeros(len(self.table), bool)
        probabilities = np.zeros((len(self.table), self.table.n_classes))
        for fold in range(folds.n_folds):
            self._before(spec, fold)
            self.trained.append((spec.training.head_lr, fold))
            held = folds.held_out(fold)
            probabilities[held] = self._drawn(spec, folds)[held]
            known |= held
            labels, codes = self.table.labels[held], self.table.group_codes[held]
            loss = fold_loss(self._metric, labels, probabilities[held], codes)
            pooled = score(self._metric, self.table.labels[known], probabilities[known])
            yield FoldResult(fold + 1, loss, pooled, known.copy(), probabilities.copy())

    def predict_fold(self, spec, folds, fold):
        from ensemble_kit.core.records import Predictions

        held = folds.held_out(fold)
        return Predictions(
            self.table.image_ids[held], self.table.class_names, self._drawn(spec, folds)[held]
        )

    def _drawn(self, spec, folds):
        edge = 3.0 - abs(np.log10(spec.training.head_lr) + 2)
        seed = int(spec.training.head_lr * 1e12) % 2**32
        rng = np.random.default_rng([seed, int(folds.digest[:8], 16)])
        logits = rng.normal(0, 1, (len(self.table), self.table.n_classes))
        logits[np.arange(len(self.table)), self.table.labels] += edge
        odds = np.exp(logits)
        return odds / odds.sum(axis=1, keepdims=True)


def search(
    folder: Path,
    spec,
    *,
    url="",
    table=None,
    before=lambda spec, fold: None,
    resume=False,
    name="bench",
    tell=lambda kind, **facts: None,
    **request,
):
    """Open and run a search; the study and the evaluator it used."""
    table = small_table() if table is None else table
    folds = make_folds(table, spec.split.folds, spec.split.seed)[0]
    place = StoragePlace(folder / name, url, request.pop("heartbeat", 1))
    asked = SearchRequest(name, spec, place, resume=resume, **request)
    study = open_study(asked, table, folds)
    evaluator = DrawnEvaluator(table, spec, before)
    run_search(study, asked, evaluator, folds, tell)
    return study, evaluator


def worker(folder, url, name, trials, pause):
    """One worker process of a shared search, each fold taking ``pause`` seconds."""
    spec = small_study().override({"search": {"trials": trials, "pruner": "none"}})
    search(Path(folder), spec, url=url, name=name, resume=True,
           before=lambda spec, fold: time.sleep(pause))  # fmt: skip
