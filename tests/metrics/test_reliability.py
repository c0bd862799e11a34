import numpy as np
import pytest

from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.losses import top_label_ece
from ensemble_kit.metrics.reliability import make_binning
from ensemble_kit.metrics.scorer import Scorer
from tests.metrics.examples import drawn_cases


def looped_ece(scores: np.ndarray, outcomes: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """ECE and MCE, one image and one bin at a time."""
    total, worst = 0.0, 0.0
    for k in range(len(edges) - 1):
        inside = [
            i for i, s in enumerate(scores)
            if (edges[k] < s <= edges[k + 1]) or (k == 0 and s <= edges[0])
        ]  # fmt: skip
        if inside:
            gap = abs(sum(scores[i] - outcomes[i] for i in inside)) / len(inside)
            total += gap * len(inside) / len(scores)
            worst = max(worst, gap)
    return total, worst


@pytest.mark.parametrize("ties", [False, True])
def test_ece_and_mce_against_a_loop(ties: bool) -> None:
    cases = drawn_cases(4, ties=ties)
    found = Scorer(cases).point().figures
    top, right = cases.probabilities.max(axis=1), cases.predicted == cases.labels
    views = {"": (top, right)}
    for code, name in enumerate(cases.class_names):
        views[name] = (cases.probabilities[:, code], cases.labels == code)
    for name, (scores, outcomes) in views.items():
        ece, mce = looped_ece(scores, outcomes, np.linspace(0, 1, 16))
        assert found["ece", name][0] == pytest.approx(ece, abs=1e-12)
        assert found["mce", name][0] == pytest.approx(mce, abs=1e-12)
        edges = np.quantile(scores, np.linspace(0, 1, 16))
        ece, _ = looped_ece(scores, outcomes, edges)
        assert found["ece_equal_mass", name][0] == pytest.approx(ece, abs=1e-9)
    classwise = np.mean([found["ece", name][0] for name in cases.class_names])
    assert found["ece_classwise", ""][0] == pytest.approx(classwise)


def test_bins_are_closed_above() -> None:
    binning = make_binning("x", "width", np.array([0.0, 1 / 15, 0.5, 1.0]), np.zeros(4))
    assert binning.bins.tolist() == [0, 0, 7, 14]


def test_smooth_ece_against_direct_integration() -> None:
    cases = drawn_cases(6, 300, 3)
    found = Scorer(cases).point().figures["smooth_ece", ""][0]
    scores, right = cases.probabilities.max(axis=1), cases.predicted == cases.labels
    t = (np.arange(1000) + 0.5) / 1000

    def error(sigma: float) -> float:
        total = np.zeros_like(t)
        for image in range(-6, 7):
            for mirrored in (2 * image + scores, 2 * image - scores):
                kernel = np.exp(-0.5 * ((t[:, None] - mirrored[None]) / sigma) ** 2)
                total += (kernel * (right - scores)).sum(axis=1)
        return float(np.abs(total / (sigma * np.sqrt(2 * np.pi)) / len(scores)).mean())

    assert error(found) == pytest.approx(found, rel=0.01)


def test_smooth_ece_of_a_constant_confidence_is_the_gap() -> None:
    labels = (np.arange(200) % 4 == 0).astype(np.int64)
    p = np.full(200, 0.6)
    cases = Cases(
        labels, np.stack([p, 1 - p], axis=1), np.arange(200), 200, ("a", "b"), np.zeros(2, bool)
    )
    found = Scorer(cases).point().figures
    assert found["ece", ""][0] == pytest.approx(0.15)
    assert found["smooth_ece", ""][0] == pytest.approx(0.15, abs=0.01)


@pytest.mark.shared
def test_ece_of_real_networks_against_a_loop(shared) -> None:  # type: ignore[no-untyped-def]
    for name in ("cifar10_wideresnet", "cifar100_densenet"):
        path = shared / "data" / "calibration" / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"no {path}")
        with np.load(path, allow_pickle=False) as stored:
            p, labels = stored["predictions"].astype(np.float64), stored["ground_truth"]
        expected, _ = looped_ece(p.max(axis=1), p.argmax(axis=1) == labels, np.linspace(0, 1, 16))
        assert top_label_ece(labels, p) == pytest.approx(expected, abs=1e-12)
