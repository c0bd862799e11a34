"""`cv --features` beside scikit-learn's LogisticRegressionCV on the same folds: seconds, log loss.

    python benchmarks/features.py [ROWS] [FEATURES] [alone]

Drawn features of 7 classes in groups of two; goal: 10,015 × 1,024 in 10 s on two cores, memory
within two copies of the features. Processor seconds are those of all threads; ``alone`` leaves
scikit-learn out.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.records import ImageTable
from ensemble_kit.runs.folder import read_run
from ensemble_kit.study import StudySpec
from ensemble_kit.training.preparing import Resources
from ensemble_kit.workflows.cross_validation import cross_validate


def main(rows: int = 10_015, features: int = 1_024, *, alone: bool = False) -> None:
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    groups = np.arange(rows) // 2
    labels = rng.choice(7, rows, p=[0.67, 0.11, 0.11, 0.05, 0.03, 0.02, 0.01])[groups]
    x = rng.standard_normal((rows, features), dtype=np.float32)
    x += 0.1 * rng.standard_normal((7, features), dtype=np.float32)[labels]
    ids, empty = np.array([f"i{k:06d}" for k in range(rows)]), np.full(rows, "")
    names = np.array([f"g{g:06d}" for g in groups])
    table = ImageTable(ids, names, labels, tuple("abcdefg"), names, empty, empty)
    study = StudySpec().override({"evaluation": {"replicates": 0, "malignant": ()}})
    with tempfile.TemporaryDirectory() as place:
        frame = pd.DataFrame(x, index=pd.Index(ids, name="image"))
        before, began, busy = _peak(), time.perf_counter(), time.process_time()
        done = cross_validate(
            table, study, features=frame, name="m", runs_dir=Path(place),
            resources=Resources(Path(place)),
        )  # fmt: skip
        wall, busy = time.perf_counter() - began, time.process_time() - busy
        copies = (_peak() - before) / x.nbytes
        print(f"cv --features: {wall:.1f} s, {busy:.1f} processor seconds")
        print(f"  memory beyond the features given: {copies:.1f} copies of them")
        run = read_run(done.folder)
    print(f"  log loss {log_loss(labels, run.predictions.probabilities):.4f}")
    if alone:
        return
    began, p = time.perf_counter(), np.zeros((rows, 7))
    for k in range(run.folds.n_folds):
        held = run.folds.held_out(k)
        model = make_pipeline(StandardScaler(), LogisticRegressionCV(cv=4, scoring="neg_log_loss"))
        p[held] = model.fit(x[~held], labels[~held]).predict_proba(x[held])
    print(f"LogisticRegressionCV: {time.perf_counter() - began:.1f} s")
    print(f"  log loss {log_loss(labels, p):.4f}")


def _peak() -> int:
    """Most memory this process has held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    words = sys.argv[1:]
    main(*(int(word) for word in words if word != "alone"), alone="alone" in words)
