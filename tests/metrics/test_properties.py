import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.scorer import Scorer
from tests.metrics.examples import drawn_cases

seeds = st.integers(0, 10_000)


def figures(cases: Cases) -> dict[tuple[str, str], float]:
    return {key: float(value[0]) for key, value in Scorer(cases).point().figures.items()}


def close(ours: dict, theirs: dict, tolerance: float = 1e-9) -> None:  # type: ignore[type-arg]
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert value == pytest.approx(theirs[key], abs=tolerance, nan_ok=True), key


@settings(max_examples=15, deadline=None)
@given(seeds, st.booleans())
def test_the_order_of_rows_does_not_matter(seed: int, ties: bool) -> None:
    cases = drawn_cases(seed, 30, 3, ties)
    order = np.random.default_rng(seed).permutation(len(cases))
    close(figures(cases), figures(cases.take(order)), 1e-7)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_the_order_of_classes_does_not_matter(seed: int) -> None:
    cases = drawn_cases(seed, 30, 4)
    order = np.random.default_rng(seed).permutation(4)
    place = np.argsort(order)
    moved = Cases(
        place[cases.labels], cases.probabilities[:, order], cases.groups, cases.n_groups,
        tuple(cases.class_names[k] for k in order), cases.malignant[order],
    )  # fmt: skip
    ours, theirs = figures(cases), figures(moved)
    del ours["cohen_kappa_quadratic", ""], theirs["cohen_kappa_quadratic", ""]
    close(ours, theirs, 1e-7)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_monotone_transforms_leave_ranking_alone(seed: int) -> None:
    cases = drawn_cases(seed, 40, 2)
    p = cases.probabilities[:, 1] ** 3
    bent = Cases(
        cases.labels, np.stack([1 - p, p], axis=1), cases.groups, cases.n_groups,
        cases.class_names, cases.malignant,
    )  # fmt: skip
    ours, theirs = figures(cases), figures(bent)
    ranking = ("roc_auc", "average_precision", "roc_auc_tpr80", "specificity_at_sensitivity_90")
    for metric in ranking:
        for name in "ab":
            assert ours[metric, name] == pytest.approx(theirs[metric, name], abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(seeds, st.booleans())
def test_a_weight_is_a_copy(seed: int, ties: bool) -> None:
    cases = drawn_cases(seed, 30, 3, ties)
    weights = np.random.default_rng(seed).integers(1, 4, cases.n_groups)
    rows = np.repeat(np.arange(len(cases)), weights[cases.groups])
    ours = Scorer(cases)(weights[:, None].astype(float)).figures
    theirs = Scorer(cases.take(rows)).point().figures
    for key, value in ours.items():
        loose = key[0].startswith(("calibration", "smooth")) or "equal_mass" in key[0]
        if not loose:
            assert value[0] == pytest.approx(theirs[key][0], abs=1e-9, nan_ok=True), key


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_brier_parts_add_up(seed: int) -> None:
    found = figures(drawn_cases(seed, 40, 3))
    for name in ("", "a", "b", "c"):
        parts = (
            found["brier_reliability", name]
            - found["brier_resolution", name]
            + found["brier_uncertainty", name]
            + found["brier_within_bin", name]
        )
        assert parts == pytest.approx(found["brier_score", name], abs=1e-12)


def test_a_perfect_classifier() -> None:
    labels = np.arange(30) % 3
    cases = Cases(labels, np.eye(3)[labels], np.arange(30), 30, ("a", "b", "c"), np.zeros(3, bool))
    found = figures(cases)
    for metric in ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr", "roc_auc_ovo"):
        assert found[metric, ""] == 1
    for metric in ("brier_score", "ece", "mce", "ece_classwise"):
        assert found[metric, ""] == 0
    assert found["roc_auc_tpr80", "a"] == pytest.approx(0.2)
