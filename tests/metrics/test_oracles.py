"""scikit-learn has most of the figures: ours must be the same, with weights too."""

import numpy as np
import pytest
from scipy.stats import gmean
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from ensemble_kit.metrics.cases import MALIGNANT, Cases
from ensemble_kit.metrics.losses import point_scores
from ensemble_kit.metrics.scorer import Scorer
from tests.metrics.examples import drawn_cases

CASES = [drawn_cases(0), drawn_cases(1, ties=True), drawn_cases(2, 60, 2), drawn_cases(3, 200, 7)]


def weighted(cases: Cases, seed: int) -> tuple[dict[tuple[str, str], float], np.ndarray]:
    """Our figures under integer weights of groups, and the weight of each row."""
    random = np.random.default_rng(seed)
    weights = np.ones(cases.n_groups)
    if seed:
        weights = random.integers(0, 4, cases.n_groups).astype(float)
        weights[: 2 * cases.n_classes] += 1
    found = Scorer(cases, curves=True)(weights[:, None]).figures
    return {key: float(value[0]) for key, value in found.items()}, weights[cases.groups]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("cases", CASES, ids=["plain", "ties", "binary", "seven"])
def test_overall_figures(cases: Cases, seed: int) -> None:
    ours, w = weighted(cases, seed)
    y, p, called = cases.labels, cases.probabilities, cases.predicted
    theirs = {
        "accuracy": sk.accuracy_score(y, called, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called, sample_weight=w),
        "g_mean": gmean(sk.recall_score(y, called, average=None, sample_weight=w)),
        "f1_macro": sk.f1_score(y, called, average="macro", sample_weight=w),
        "f1_weighted": sk.f1_score(y, called, average="weighted", sample_weight=w),
        "cohen_kappa": sk.cohen_kappa_score(y, called, sample_weight=w),
        "cohen_kappa_quadratic": sk.cohen_kappa_score(
            y, called, weights="quadratic", sample_weight=w
        ),
        "matthews_corrcoef": sk.matthews_corrcoef(y, called, sample_weight=w),
        "log_loss": sk.log_loss(y, p, sample_weight=w),
        "brier_score": sk.brier_score_loss(
            np.eye(p.shape[1])[y] if p.shape[1] > 2 else y,
            p if p.shape[1] > 2 else p[:, 1],
            sample_weight=w, scale_by_half=False,
        ),
    }  # fmt: skip
    one_hot = np.eye(cases.n_classes)[y]
    theirs["average_precision_macro"] = sk.average_precision_score(one_hot, p, sample_weight=w)
    theirs["roc_auc_micro"] = sk.roc_auc_score(one_hot, p, average="micro", sample_weight=w)
    theirs["average_precision_micro"] = sk.average_precision_score(
        one_hot, p, average="micro", sample_weight=w
    )
    if cases.n_classes > 2:
        theirs["roc_auc_ovr"] = sk.roc_auc_score(y, p, multi_class="ovr", sample_weight=w)
        if seed == 0:
            theirs["roc_auc_ovo"] = sk.roc_auc_score(y, p, multi_class="ovo")
            if len(np.unique(p)) > 0.9 * p.size:
                theirs["top_2_accuracy"] = sk.top_k_accuracy_score(y, p, k=2)
    for name, value in theirs.items():
        assert ours[name, ""] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("cases", CASES, ids=["plain", "ties", "binary", "seven"])
def test_figures_of_each_class(cases: Cases, seed: int) -> None:
    ours, w = weighted(cases, seed)
    views = [
        (name, cases.probabilities[:, c], cases.labels == c, cases.predicted == c)
        for c, name in enumerate(cases.class_names)
    ]
    if cases.has_malignant_view:
        score = cases.probabilities[:, cases.malignant].sum(axis=1)
        views.append((MALIGNANT, score, cases.malignant[cases.labels], score >= 0.5))
    for name, score, truth, called in views:
        theirs = {
            "precision": sk.precision_score(truth, called, sample_weight=w, zero_division=np.nan),
            "recall": sk.recall_score(truth, called, sample_weight=w),
            "specificity": sk.recall_score(~truth, ~called, sample_weight=w),
            "npv": sk.precision_score(~truth, ~called, sample_weight=w),
            "f1": sk.f1_score(truth, called, sample_weight=w),
            "roc_auc": sk.roc_auc_score(truth, score, sample_weight=w),
            "average_precision": sk.average_precision_score(truth, score, sample_weight=w),
            "brier_score": sk.brier_score_loss(truth, np.minimum(score, 1), sample_weight=w),
        }
        fpr, tpr, _ = sk.roc_curve(truth, score, sample_weight=w, drop_intermediate=False)
        for percent in (90, 95):
            allowed = 1 - percent / 100 + 1e-9
            theirs[f"sensitivity_at_specificity_{percent}"] = tpr[fpr <= allowed].max()
            reached = tpr >= percent / 100 - 1e-9
            theirs[f"specificity_at_sensitivity_{percent}"] = 1 - fpr[reached].min()
        # ISIC 2024: scikit-learn's partial AUC of the flipped problem, McClish undone
        flipped = sk.roc_auc_score(~truth, -score, max_fpr=0.2, sample_weight=w)
        theirs["roc_auc_tpr80"] = 0.5 * 0.2**2 + (0.2 - 0.5 * 0.2**2) / 0.5 * (flipped - 0.5)
        for metric, value in theirs.items():
            assert ours[metric, name] == pytest.approx(value, abs=1e-9, nan_ok=True), (metric, name)


@pytest.mark.parametrize("seed", [0, 1])
def test_roc_and_precision_curves_at_the_grid(seed: int) -> None:
    cases = CASES[1]
    weights = np.random.default_rng(seed).integers(1, 4, cases.n_groups).astype(float)
    w = weights[cases.groups]
    curves = Scorer(cases, curves=True)(weights[:, None]).curves
    grid = np.linspace(0, 1, 101)
    for code, name in enumerate(cases.class_names):
        truth, score = cases.labels == code, cases.probabilities[:, code]
        fpr, tpr, _ = sk.roc_curve(truth, score, sample_weight=w, drop_intermediate=False)
        for x, y in zip(grid, curves["roc", name][:, 0], strict=True):
            left = tpr[fpr <= x + 1e-9].max()
            expected = max(left, np.interp(x, fpr, tpr))
            assert y == pytest.approx(expected, abs=1e-9)
        precision, recall, _ = sk.precision_recall_curve(truth, score, sample_weight=w)
        for x, y in zip(grid[1:], curves["pr", name][1:, 0], strict=True):
            assert y == pytest.approx(precision[recall >= x - 1e-9][-1], abs=1e-9)


def test_calibration_slope_and_intercept_are_logistic_regression() -> None:
    cases = CASES[0]
    found = Scorer(cases).point().figures
    x = np.log(cases.probabilities / (1 - cases.probabilities))
    for code, name in enumerate(cases.class_names):
        truth = cases.labels == code
        fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, [code]], truth)
        assert found["calibration_slope", name][0] == pytest.approx(fit.coef_[0, 0], abs=1e-5)
        shift = found["calibration_intercept", name][0]
        fitted = 1 / (1 + np.exp(-(x[:, code] + shift)))
        assert fitted.sum() == pytest.approx(truth.sum(), abs=1e-6)


def test_replicates_of_the_slope_follow_exact_refits() -> None:
    cases = drawn_cases(5, 400, 3)
    random = np.random.default_rng(0)
    weights = random.poisson(1, (cases.n_groups, 12)).astype(float)
    found = Scorer(cases)(weights).figures
    x = np.log(cases.probabilities / (1 - cases.probabilities))
    exact = np.empty(12)
    for k in range(12):
        fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        fit.fit(x[:, [2]], cases.labels == 2, sample_weight=weights[cases.groups, k])
        exact[k] = fit.coef_[0, 0]
    errors = np.abs(found["calibration_slope", "c"] - exact)
    assert errors.max() < 0.1 * exact.std()


@pytest.mark.parametrize("cases", CASES, ids=["plain", "ties", "binary", "seven"])
def test_point_scores_are_the_same_figures(cases: Cases) -> None:
    found = Scorer(cases).point().figures
    for name, value in point_scores(cases.labels, cases.probabilities).items():
        assert value == pytest.approx(found[name, ""][0], abs=1e-12), name
