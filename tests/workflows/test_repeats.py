"""Repeats: each scored by itself; the average of R models is an ensemble and says so."""

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.records import Predictions
from ensemble_kit.metrics.losses import point_scores
from ensemble_kit.workflows.repeats import score_repeats, write_repeats

IDS, NAMES = np.array([f"i{k}" for k in range(60)]), ("a", "b")


def repeat(seed: int) -> Predictions:
    p = np.random.default_rng(seed).uniform(0.2, 0.8, 60)
    return Predictions(IDS, NAMES, np.stack([p, 1 - p], axis=1))


def test_mean_and_spread_are_of_single_repeats_and_the_average_is_another_row(tmp_path) -> None:
    labels = np.arange(60) % 2
    repeats = [repeat(seed) for seed in range(3)]
    table = score_repeats(labels, repeats).set_index("metric")
    each = [point_scores(labels, r.probabilities)["log_loss"] for r in repeats]
    assert table.loc["log_loss", "mean"] == pytest.approx(np.mean(each))
    assert table.loc["log_loss", "sd"] == pytest.approx(np.std(each, ddof=1))
    assert table.loc["log_loss", ["repeat_0", "repeat_1", "repeat_2"]].tolist() == each
    mean = np.mean([r.probabilities for r in repeats], axis=0)
    assert table.loc["log_loss", "average"] == point_scores(labels, mean)["log_loss"]
    assert table.loc["log_loss", "average"] < min(each), "averaging helps: it is no single model"
    names = write_repeats(tmp_path, labels, repeats)
    assert names == ["oof_0.csv", "oof_1.csv", "oof_2.csv", "oof_average.csv", "repeats.csv"]
    stored = pd.read_csv(tmp_path / "oof_average.csv", index_col="image")
    assert stored.to_numpy() == pytest.approx(mean)


def test_one_repeat_writes_nothing(tmp_path) -> None:
    assert write_repeats(tmp_path, np.arange(60) % 2, [repeat(0)]) == []
    assert list(tmp_path.iterdir()) == []
