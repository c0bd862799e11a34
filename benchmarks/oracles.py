"""The oracle table of docs/metrics.md: each figure of real predictions by ours and by another.

python benchmarks/oracles.py ../shared/data/ham10000-oof/swinv2_focal.csv
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn import metrics as sk

from ensemble_kit.metrics.cases import make_cases
from ensemble_kit.metrics.delong import clustered_auc
from ensemble_kit.metrics.isic import isic_scores
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.workflows.matching import read_matched

GOLDEN = Path(__file__).parents[1] / "tests" / "oracles" / "isic_task3.json"


def looped_ece(scores: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    total = 0.0
    for k in range(bins):
        inside = (scores > k / bins) & (scores <= (k + 1) / bins)
        if inside.any():
            total += abs(scores[inside].mean() - right[inside].mean()) * inside.mean()
    return float(total)


def naive_delong(scores: np.ndarray, positive: np.ndarray) -> float:
    up, down = scores[positive], scores[~positive]
    wins = (up[:, None] > down[None]) + 0.5 * (up[:, None] == down[None])
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    return float((v10.var(ddof=1) / len(up) + v01.var(ddof=1) / len(down)) ** 0.5)


def main() -> None:
    path = Path(sys.argv[1])
    matched = read_matched([path])
    cases = make_cases(matched.table, matched.members[0][1])
    ours = {
        key: float(value[0]) for key, value in Scorer(cases, curves=True).point().figures.items()
    }
    y, p, called = cases.labels, cases.probabilities, cases.predicted
    one_hot = np.eye(cases.n_classes)[y]
    mel = cases.class_names.index("mel")
    flipped = sk.roc_auc_score(y != mel, -p[:, mel], max_fpr=0.2)
    rows = [
        ("accuracy", ours["accuracy", ""], sk.accuracy_score(y, called)),
        ("balanced_accuracy", ours["balanced_accuracy", ""], sk.balanced_accuracy_score(y, called)),
        ("f1_macro", ours["f1_macro", ""], sk.f1_score(y, called, average="macro")),
        ("f1_weighted", ours["f1_weighted", ""], sk.f1_score(y, called, average="weighted")),
        ("cohen_kappa", ours["cohen_kappa", ""], sk.cohen_kappa_score(y, called)),
        ("cohen_kappa_quadratic", ours["cohen_kappa_quadratic", ""],
         sk.cohen_kappa_score(y, called, weights="quadratic")),
        ("matthews_corrcoef", ours["matthews_corrcoef", ""], sk.matthews_corrcoef(y, called)),
        ("log_loss", ours["log_loss", ""], sk.log_loss(y, p)),
        ("brier_score", ours["brier_score", ""],
         sk.brier_score_loss(y, p, labels=np.arange(p.shape[1]), scale_by_half=False)),
        ("roc_auc_ovr", ours["roc_auc_ovr", ""], sk.roc_auc_score(y, p, multi_class="ovr")),
        ("roc_auc_ovo", ours["roc_auc_ovo", ""], sk.roc_auc_score(y, p, multi_class="ovo")),
        ("average_precision_macro", ours["average_precision_macro", ""],
         sk.average_precision_score(one_hot, p)),
        ("roc_auc_tpr80, mel", ours["roc_auc_tpr80", "mel"],
         0.02 + 0.18 / 0.5 * (flipped - 0.5)),
        ("top_2_accuracy", ours["top_2_accuracy", ""], sk.top_k_accuracy_score(y, p, k=2)),
    ]  # fmt: skip
    table = [(*row, "scikit-learn") for row in rows]
    table.append(("ece", ours["ece", ""], looped_ece(p.max(axis=1), called == y), "a loop"))
    alone = clustered_auc(p[:, mel], y == mel, np.arange(len(y))).variance ** 0.5
    table.append(("DeLong's s.e., mel", alone, naive_delong(p[:, mel], y == mel), "all pairs"))
    golden, found = json.loads(GOLDEN.read_text())[path.stem], isic_scores(cases)
    name = "isic-challenge-scoring"
    expected = golden["aggregate"]["balanced_accuracy"]
    table.append(("balanced accuracy", found.balanced_accuracy, expected, name))
    for figure, value in golden["macro_average"].items():
        table.append((f"macro {figure}", found.macro_average[figure], value, name))
    worst = max(
        abs(found.per_category[c][f] - value)
        for f, values in golden["per_category"].items() for c, value in values.items()
    )  # fmt: skip
    print("| figure | ours | oracle | difference | oracle's source |\n|---|---|---|---|---|")
    for figure, own, other, source in table:
        print(f"| {figure} | {own:.12f} | {other:.12f} | {abs(own - other):.1e} | {source} |")
    print(f"\nlargest difference of the 63 figures by class: {worst:.1e} (isic-challenge-scoring)")


if __name__ == "__main__":
    main()
