"""Coverage of the 95 % intervals by simulation: groups resampled against images resampled.

    python benchmarks/coverage.py [--sets 1000] [--replicates 400] [--figure docs/coverage.svg]

Each set has 150 lesions of 1–6 images, three classes, and scores that share most of their noise
within a lesion. The truth is the value in a population of 400,000 lesions of the same design.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.metrics.bootstrap import GroupBootstrap, interval
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.decisions import DecisionFigures
from ensemble_kit.metrics.losses import class_aucs
from ensemble_kit.metrics.ranking import RankingFigures

NAMES = ("a", "b", "c")
SHARES = np.array([0.5, 0.3, 0.2])
LESIONS, WITHIN = 150, 0.9
FIGURES = (("roc_auc_ovr", ""), ("roc_auc", "c"), ("balanced_accuracy", ""), ("accuracy", ""))


@dataclass(frozen=True)
class Coverage:
    """Share of sets whose interval holds the truth, by (metric, class)."""

    groups: dict[tuple[str, str], float]
    images: dict[tuple[str, str], float]


def draw(random: np.random.Generator, lesions: int) -> Cases:
    """A set of lesions; ``WITHIN`` of the variance of the noise is the lesion's own."""
    sizes = random.integers(1, 7, lesions)
    groups = np.repeat(np.arange(lesions), sizes)
    of_lesion = random.choice(3, size=lesions, p=SHARES)
    labels = of_lesion[groups]
    own = random.normal(size=(lesions, 3))[groups] * WITHIN**0.5
    x = own + random.normal(size=(len(groups), 3)) * (1 - WITHIN) ** 0.5
    x[np.arange(len(labels)), labels] += 1.2
    p = np.exp(1.5 * x)
    p /= p.sum(axis=1, keepdims=True)
    return Cases(labels, p, groups, lesions, NAMES, np.zeros(3, bool))


def truth(seed: int = 1, lesions: int = 400_000) -> dict[tuple[str, str], float]:
    cases = draw(np.random.default_rng(seed), lesions)
    aucs = class_aucs(cases.labels, cases.probabilities)
    right = cases.predicted == cases.labels
    recall = [right[cases.labels == c].mean() for c in range(3)]
    values = (aucs.mean(), aucs[2], np.mean(recall), right.mean())
    return dict(zip(FIGURES, map(float, values), strict=True))


def simulate(sets: int, replicates: int, seed: int = 0) -> Coverage:
    """Coverage over ``sets`` drawn sets."""
    goal = truth()
    held = np.zeros((2, len(FIGURES)))
    for number in range(sets):
        cases = draw(np.random.default_rng([seed, number]), LESIONS)
        image = Cases(
            cases.labels, cases.probabilities, np.arange(len(cases)), len(cases), NAMES,
            cases.malignant,
        )  # fmt: skip
        for row, unit in enumerate((cases, image)):
            drawn = figures(unit, replicates, number)
            point = figures(unit, 0, number)
            for column, key in enumerate(FIGURES):
                found = interval(float(point[key][0]), drawn[key])
                assert found.low is not None
                assert found.high is not None
                held[row, column] += found.low <= goal[key] <= found.high
    shares = held / sets
    return Coverage(
        dict(zip(FIGURES, shares[0], strict=True)), dict(zip(FIGURES, shares[1], strict=True))
    )


def figures(cases: Cases, replicates: int, seed: int) -> dict[tuple[str, str], np.ndarray]:
    """Replicates of the ranking and decision figures; the values themselves with 0."""
    ranking = RankingFigures(cases, pairs=False, micro=False)
    decisions = DecisionFigures(cases)
    if replicates == 0:
        blocks = [np.ones((cases.n_groups, 1))]
    else:
        blocks = list(GroupBootstrap(cases.n_groups, replicates, seed).blocks())
    weights = np.concatenate(blocks, axis=1)
    found = ranking(weights)[0] | decisions(weights)
    return {key: found[key] for key in FIGURES}


def draw_figure(coverage: Coverage, sets: int, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "coverage"
    import matplotlib.pyplot as plt

    names = [f"{metric} {name}".strip() for metric, name in FIGURES]
    place = np.arange(len(names))
    figure, axes = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    for label, shares, colour, marker in (
        ("groups resampled", coverage.groups, "#0072B2", "o"),
        ("images resampled", coverage.images, "#D55E00", "s"),
    ):
        values = np.array([shares[key] for key in FIGURES])
        error = 1.96 * np.sqrt(values * (1 - values) / sets)
        axes.errorbar(values, place, xerr=error, fmt=marker, color=colour, label=label)
    axes.axvline(0.95, color="0.4", linewidth=1)
    axes.axvspan(0.93, 0.97, color="0.92", zorder=0)
    axes.set(yticks=place, yticklabels=names, xlabel=f"coverage of 95 % intervals, {sets:,} sets")
    axes.invert_yaxis()
    axes.legend(frameon=False, loc="center left")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    coverage = simulate(asked.sets, asked.replicates)
    for key in FIGURES:
        name = " ".join(key).strip()
        print(f"{name:20} groups {coverage.groups[key]:.3f}  images {coverage.images[key]:.3f}")
    if asked.figure:
        draw_figure(coverage, asked.sets, asked.figure)


if __name__ == "__main__":
    main()
