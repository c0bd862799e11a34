"""Prediction sets by PyPI `crepes`, as goldens for tests/conformal/test_crepes.py.

    pip install crepes numpy
    python tests/oracles/make_crepes_goldens.py > tests/golden/crepes_sets.json

Needs an environment of its own. The rows are drawn from a seed, one row a group: there the group
quantile is the ordinary split-conformal one.
"""

import json

import numpy as np
from conformal_rows import rows
from crepes import ConformalClassifier


def main() -> None:
    p, labels = rows(600, 0)
    new, _ = rows(200, 1)
    own = 1 - p[np.arange(len(p)), labels]
    out = {}
    for level in (0.8, 0.9, 0.95):
        marginal = ConformalClassifier().fit(own)
        sets = marginal.predict_set(1 - new, confidence=level, smoothing=False)
        out[f"marginal {level}"] = sets.astype(int).tolist()
        by_class = np.zeros_like(sets)
        for c in range(4):
            one = ConformalClassifier().fit(own[labels == c])
            by_class[:, c] = one.predict_set(1 - new, confidence=level, smoothing=False)[:, c]
        out[f"by class {level}"] = by_class.astype(int).tolist()
    print(json.dumps(out, separators=(",", ":")))


if __name__ == "__main__":
    main()
