"""`cv --features` beside scikit-learn's LogisticRegressionCV on the same folds: seconds, log loss.

    python benchmarks/features.py [ROWS] [FEATURES]

Drawn features of 7 classes in groups of two; goal: 10,015 × 1,024 in 10 s on two cores.
"""

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


def main(rows: int = 10_015, features: int = 1_024) -> None:
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    groups = np.arange(rows) // 2
    labels = rng.choice(7, rows, p=[0.67, 0.11, 0.11, 0.05, 0.03, 0.02, 0.01])[groups]
    x = rng.normal(size=(rows, features)) + 0.1 * rng.normal(size=(7, features))[labels]
    x = x.astype(np.float32)
    ids, empty = np.array([f"i{k:06d}" for k in range(rows)]), np.full(rows, "")
    names = np.array([f"g{g:06d}" for g in groups])
    table = ImageTable(ids, names, labels, tuple("abcdefg"), names, empty, empty)
    study = StudySpec().override({"evaluation": {"replicates": 0, "malignant": ()}})
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        done = cross_validate(
            table, study, features=pd.DataFrame(x, index=pd.Index(ids, name="image")),
            name="m", runs_dir=Path(place), resources=Resources(Path(place)),
        )  # fmt: skip
        print(f"cv --features: {time.perf_counter() - began:.1f} s")
        run = read_run(done.folder)
    print(f"  log loss {log_loss(labels, run.predictions.probabilities):.4f}")
    began, p = time.perf_counter(), np.zeros((rows, 7))
    for k in range(run.folds.n_folds):
        held = run.folds.held_out(k)
        model = make_pipeline(StandardScaler(), LogisticRegressionCV(cv=4, scoring="neg_log_loss"))
        p[held] = model.fit(x[~held], labels[~held]).predict_proba(x[held])
    print(f"LogisticRegressionCV: {time.perf_counter() - began:.1f} s")
    print(f"  log loss {log_loss(labels, p):.4f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
