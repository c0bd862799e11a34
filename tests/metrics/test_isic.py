import json
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.metrics.cases import Cases, make_cases
from ensemble_kit.metrics.isic import IsicScores, isic_scores
from ensemble_kit.workflows.matching import read_matched

GOLDEN = Path(__file__).parents[1] / "oracles" / "isic_task3.json"
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def same(found: IsicScores, golden: dict) -> None:  # type: ignore[type-arg]
    for figure, by_class in golden["per_category"].items():
        for name, value in by_class.items():
            assert found.per_category[name][figure] == pytest.approx(value, abs=1e-9), figure
    for figure, value in golden["macro_average"].items():
        assert found.macro_average[figure] == pytest.approx(value, abs=1e-9), figure
    expected = golden["aggregate"]["balanced_accuracy"]
    assert found.balanced_accuracy == pytest.approx(expected, abs=1e-9)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["convnext_focal", "convnext_focal_film", "swinv2_focal"])
def test_parity_on_real_predictions(shared: Path, name: str) -> None:
    matched = read_matched([shared / "data" / "ham10000-oof" / f"{name}.csv"])
    cases = make_cases(matched.table, matched.members[0][1])
    same(isic_scores(cases), json.loads(GOLDEN.read_text())[name])


def test_parity_on_ties_and_classes_never_called() -> None:
    random = np.random.default_rng(7)
    truth = np.arange(210) % 7
    raw = random.integers(0, 4, size=(210, 7)) + 3 * np.eye(7)[truth] * (truth[:, None] < 5)
    raw[:, 6] = 0
    raw = raw + 1e-3
    p = raw / raw.sum(axis=1, keepdims=True)
    ties = ((p == p.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum()
    assert ties > 10
    cases = Cases(truth, p, np.arange(210), 210, CLASSES, np.zeros(7, bool))
    same(isic_scores(cases), json.loads(GOLDEN.read_text())["hostile"])


def test_an_absent_class_is_a_freebie_for_the_scorer() -> None:
    truth = np.arange(20) % 2
    p = np.eye(3)[truth] * 0.8 + 0.2 / 3
    cases = Cases(truth, p, np.arange(20), 20, ("a", "b", "c"), np.zeros(3, bool))
    found = isic_scores(cases)
    assert found.per_category["c"]["sensitivity"] == 1
    assert np.isnan(found.per_category["c"]["auc"])
    assert found.balanced_accuracy == 1
