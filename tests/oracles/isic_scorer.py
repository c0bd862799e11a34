"""Make ``isic_task3.json``: the official scorer's Task 3 figures of the real predictions.

Run it in an environment of its own (``pip install isic-challenge-scoring==5.6.0``):

    python tests/oracles/isic_scorer.py ../shared/data/ham10000-oof

The probabilities are renormalised first, as `evaluate` does. Only the scorer's averages and
per-class figures are stored, no row of the data.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from isic_challenge_scoring.classification import ClassificationMetric, ClassificationScore

CLASSES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]


def scores(truth: np.ndarray, probabilities: np.ndarray) -> dict:
    one_hot = pd.DataFrame(np.eye(len(CLASSES))[truth], columns=CLASSES)
    given = pd.DataFrame(probabilities, columns=CLASSES)
    weights = pd.DataFrame({"score_weight": 1.0, "validation_weight": 1.0}, index=one_hot.index)
    score = ClassificationScore(one_hot, given, weights, ClassificationMetric.BALANCED_ACCURACY)
    return score.to_dict(rocs=False)


def hostile() -> tuple[np.ndarray, np.ndarray]:
    """Ties of the most probable class, and classes never called: drawn, not from the data."""
    random = np.random.default_rng(7)
    truth = np.arange(210) % 7
    raw = random.integers(0, 4, size=(210, 7)) + 3 * np.eye(7)[truth] * (truth[:, None] < 5)
    raw[:, 6] = 0
    raw = raw + 1e-3
    return truth, raw / raw.sum(axis=1, keepdims=True)


def main() -> None:
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*.csv")):
        frame = pd.read_csv(path, float_precision="round_trip")
        p = frame[CLASSES].to_numpy()
        truth = np.array([CLASSES.index(name) for name in frame["dx"]])
        found[path.stem] = scores(truth, p / p.sum(axis=1)[:, None])
    found["hostile"] = scores(*hostile())
    target = Path(__file__).with_name("isic_task3.json")
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
