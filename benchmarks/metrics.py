"""Speed of the evaluation core, as ratios within one run.

    python benchmarks/metrics.py [--peer PYTHON] [--large]

Drawn data of HAM10000's size (10,015 images, 7 classes, 7,470 groups) and 2,000 replicates,
against the loop over scikit-learn that a user would write (timed on a few replicates) and, with
``--peer`` (a Python that has PyPI ``confidenceinterval``), against that package on the figures it
has. ``--large`` adds growth from 1,000 to 400,000 rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.metrics.ranking import RankingFigures
from ensemble_kit.metrics.scorer import Scores, replicate
from ensemble_kit.study import EvaluationSpec

HAM = np.array([0.033, 0.051, 0.11, 0.0115, 0.111, 0.669, 0.0145])


def drawn(n: int, n_groups: int, shares: np.ndarray, seed: int = 0):  # type: ignore[no-untyped-def]
    """A table, 5 folds by group and predictions of about AUC 0.95."""
    random = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(n_groups), random.integers(n_groups, size=n - n_groups)])
    of_group = random.choice(len(shares), size=n_groups, p=shares / shares.sum())
    of_group[: 20 * len(shares)] = np.arange(20 * len(shares)) % len(shares)
    labels = of_group[groups]
    x = random.normal(size=(n, len(shares))) + random.normal(size=(n_groups, len(shares)))[groups]
    x[np.arange(n), labels] += 3
    p = np.exp(x) * shares
    p /= p.sum(axis=1, keepdims=True)
    ids = np.array([f"i{k:07d}" for k in range(n)])
    names = np.array([f"g{k:07d}" for k in groups])
    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")[: len(shares)]
    if len(shares) == 2:
        classes = ("benign", "mel")
    empty = np.full(n, "")
    table = ImageTable(ids, names, labels, classes, names, empty, empty)
    folds = Folds(ids, names, (groups % 5).astype(np.int64), 5)
    return table, folds, Predictions(ids, classes, p)


def timed(call) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def sklearn_loop(table: ImageTable, predictions: Predictions, replicates: int) -> None:
    """Every replicate: copy the rows of the groups drawn, call scikit-learn for each figure."""
    from sklearn import metrics as sk
    from sklearn.calibration import calibration_curve

    random = np.random.default_rng(0)
    order = np.argsort(table.group_codes, kind="stable")
    bounds = np.searchsorted(table.group_codes[order], np.arange(table.n_groups + 1))
    members = [order[a:b] for a, b in pairwise(bounds)]
    for _ in range(replicates):
        drawn_groups = random.integers(table.n_groups, size=table.n_groups)
        rows = np.concatenate([members[g] for g in drawn_groups])
        y, p = table.labels[rows], predictions.probabilities[rows]
        called, one_hot = p.argmax(axis=1), np.eye(p.shape[1])[table.labels[rows]]
        for score in (sk.accuracy_score, sk.balanced_accuracy_score, sk.cohen_kappa_score,
                      sk.matthews_corrcoef):  # fmt: skip
            score(y, called)
        sk.cohen_kappa_score(y, called, weights="quadratic")
        sk.f1_score(y, called, average="macro")
        sk.f1_score(y, called, average="weighted")
        sk.precision_recall_fscore_support(y, called, zero_division=0)
        sk.multilabel_confusion_matrix(y, called)
        sk.log_loss(y, p, labels=np.arange(p.shape[1]))
        sk.brier_score_loss(y, p, labels=np.arange(p.shape[1]))
        for kind in ("ovr", "ovo"):
            sk.roc_auc_score(y, p, multi_class=kind)
        sk.average_precision_score(one_hot, p, average=None)
        sk.roc_auc_score(one_hot, p, average="micro")
        for k in (2, 3):
            sk.top_k_accuracy_score(y, p, k=k)
        for c in range(p.shape[1]):
            sk.roc_auc_score(one_hot[:, c], p[:, c])
            sk.roc_auc_score(1 - one_hot[:, c], -p[:, c], max_fpr=0.2)
            sk.roc_curve(one_hot[:, c], p[:, c])
            sk.precision_recall_curve(one_hot[:, c], p[:, c])
            calibration_curve(one_hot[:, c], p[:, c], n_bins=15)


PEER = """
import json, sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
import confidenceinterval as ci
z = np.load(sys.argv[1]); y, p, n = z["y"], z["p"], int(sys.argv[2])
called = p.argmax(1)
options = {"method": "bootstrap_bca", "n_resamples": n}
start = time.perf_counter()
ci.accuracy_score(y, called, confidence_level=0.95, **options)
for average in ("macro", "micro"):
    for score in (ci.precision_score, ci.recall_score, ci.f1_score):
        score(y, called, average=average, confidence_level=0.95, method="bootstrap_percentile",
              n_resamples=n)
for c in range(p.shape[1]):
    truth, said = (y == c).astype(int), (called == c).astype(int)
    for score in (ci.ppv_score, ci.npv_score, ci.tpr_score, ci.tnr_score, ci.fpr_score):
        score(truth, said, confidence_level=0.95, method="bootstrap_percentile", n_resamples=n)
    ci.roc_auc_score(truth, p[:, c], confidence_level=0.95, method="bootstrap_percentile",
                     n_resamples=n)
print(json.dumps(time.perf_counter() - start))
""".replace("ci.accuracy_score(y, called, confidence_level=0.95, **options)",
            'ci.accuracy_score(y, called, confidence_level=0.95, method="bootstrap_percentile", '
            "n_resamples=n)")  # fmt: skip


def peer_seconds(python: str, table: ImageTable, predictions: Predictions, n: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, y=table.labels, p=predictions.probabilities)
        command = [python, "-c", PEER, str(path), str(n)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def peers_figures(table: ImageTable, predictions: Predictions, n: int) -> float:
    """Our time for what the peer was asked: decisions of every class and AUC, no curves."""
    from ensemble_kit.metrics.decisions import DecisionFigures

    cases = Cases(
        table.labels, predictions.probabilities, table.group_codes, table.n_groups,
        table.class_names, np.zeros(table.n_classes, bool),
    )  # fmt: skip

    def run() -> None:
        decisions = DecisionFigures(cases)
        ranking = RankingFigures(cases, pairs=False, micro=False)

        def both(weights, light) -> Scores:  # type: ignore[no-untyped-def]
            return Scores(decisions(weights) | ranking(light)[0], {})

        replicate([both], GroupBootstrap(table.n_groups, n))

    return timed(run)


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="a Python with confidenceinterval installed")
    parser.add_argument("--large", action="store_true", help="growth up to 400,000 rows")
    asked = parser.parse_args()
    table, folds, predictions = drawn(10_015, 7_470, HAM)
    evaluate(table, folds, predictions, EvaluationSpec(replicates=50))
    ours = min(timed(lambda: evaluate(table, folds, predictions)) for _ in range(2))
    print(f"ours, pooled and 5 folds, all scores and curves, 2,000 replicates: {ours:.2f} s")
    one = Folds(folds.image_ids, folds.groups, np.zeros(len(folds), dtype=np.int64), 1)
    pooled = min(timed(lambda: evaluate(table, one, predictions)) for _ in range(2))
    print(f"ours, pooled: {pooled:.2f} s; peak memory {memory():.2f} GB")
    loop = timed(lambda: sklearn_loop(table, predictions, 5)) / 5 * 2000
    print(
        f"loop over scikit-learn, pooled (5 replicates × 400): {loop:.0f} s, {loop / pooled:.0f}×"
    )
    if asked.peer:
        theirs = peer_seconds(asked.peer, table, predictions, 20) / 20 * 2000
        same = peers_figures(table, predictions, 2000)
        print(f"confidenceinterval (20 resamples × 100): {theirs:.0f} s; ours, the same figures: "
              f"{same:.2f} s, {theirs / same:.0f}×")  # fmt: skip
    if asked.large:
        spec = EvaluationSpec(replicates=1000)
        for n in (1_000, 3_000, 10_000, 30_000, 100_000, 400_000):
            table, folds, predictions = drawn(n, int(n * 0.75), np.array([0.99, 0.01]))
            one = Folds(folds.image_ids, folds.groups, np.zeros(n, dtype=np.int64), 1)
            start = time.perf_counter()
            evaluate(table, one, predictions, spec)
            seconds = time.perf_counter() - start
            print(f"{n:>8,} × 2, 1,000 replicates: {seconds:6.2f} s, peak {memory():.2f} GB")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
