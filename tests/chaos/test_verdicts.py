"""What is said of prediction sets comes of the thresholds that made them: the folds'."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tests.chaos.giving import give
from tests.chaos.workplace import QUICK

CLASSES = ("bkl", "mel", "nv")
A_CLASS = 10
"""Groups of each: 9 are needed for a threshold of 0.9; a fold's fit sees fewer, the final all."""


def _tables(place: Path) -> None:
    random = np.random.default_rng(6)
    n = A_CLASS * len(CLASSES)
    truth = np.arange(n) % len(CLASSES)
    ids = [f"J{i:02d}" for i in range(n)]
    for name in ("c", "d"):
        p = random.dirichlet(np.ones(3), n)
        p[np.arange(n), truth] += 1.0
        frame = pd.DataFrame(np.round(p / p.sum(axis=1, keepdims=True), 6), columns=list(CLASSES))
        frame.insert(0, "label", [CLASSES[k] for k in truth])
        frame.insert(0, "lesion_id", [f"M{i}" for i in range(n)])
        frame.insert(0, "image", ids)
        frame.to_csv(place / f"{name}.csv", index=False)
    folds = pd.DataFrame({"image": ids, "fold": (np.arange(n) // len(CLASSES)) % 5})
    folds.to_csv(place / "five.csv", index=False)


def test_no_class_has_a_guarantee_that_only_the_final_fit_could_give(place: Path) -> None:
    _tables(place)
    done = give(place, ["ensemble", "c.csv", "d.csv", "--folds-file", "five.csv", "--name", "x",
                        "--set-method", "threshold", *QUICK])  # fmt: skip
    assert done.code == 0, done
    record = json.loads((place / "runs/x/conformal.json").read_text(encoding="utf-8"))
    final = record["final"]["thresholds"]
    folds = [fit["thresholds"] for fit in record["by_fold"].values()]
    assert all(value is not None for value in final), "the final fit sees groups enough"
    assert all(value is None for fit in folds for value in fit), "no fold's fit does"
    assert [item["class"] for item in record["without_guarantee"]] == list(CLASSES)
    assert {item["n_groups"] for item in record["without_guarantee"]} == {8}
    lines = (place / "runs/x/sets.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert all(set(CLASSES) <= set(line.replace(",", " ").split()) for line in lines)
    assert give(place, ["report", "x", "--out", "out/p.html"]).code == 0
    shown = (place / "out/p.html").read_text(encoding="utf-8")
    assert shown.count("no threshold: 8 groups, 9 needed") >= len(CLASSES)
