"""Coverage of the 95 % intervals by simulation, before and after; which calibration error to head.

    python benchmarks/coverage.py [--sets 1000] [--replicates 400] [--designs NAME ...] [--keep DIR]

A design is a number of groups, their sizes and the share of the rarest class; scores share most
of their noise within a lesion. Two models: "calibrated" (probabilities true by construction, so the
error is 0) and "overconfident". The truth is the mean over eight populations of 40,000 groups
(4,000 patients). "before" is the percentile bootstrap (basic, for errors), "after" the jackknife-t
and the inverted test. With --keep every hundred sets are kept in a file, and a second call goes on
from there.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.metrics.bootstrap import GroupBootstrap, GroupJackknife, interval
from ensemble_kit.metrics.cases import Cases, cell_sums
from ensemble_kit.metrics.decisions import DecisionFigures
from ensemble_kit.metrics.inversion import folded_interval
from ensemble_kit.metrics.jackknife import BLOCKS, rare_first, t_interval
from ensemble_kit.metrics.losses import class_aucs
from ensemble_kit.metrics.ranking import RankingFigures
from ensemble_kit.metrics.registry import metric_of
from ensemble_kit.metrics.reliability import ReliabilityFigures
from ensemble_kit.metrics.smooth import SmoothError
from ensemble_kit.metrics.support import support_of

NAMES = ("a", "b", "c")
GAP = 1.2


@dataclass(frozen=True)
class Design:
    """groups, images a group (least, most), share of class c; "patients": images are in lesions of
    1–4 with a label each, and share noise in the patient and in the lesion."""

    name: str
    groups: int
    sizes: tuple[int, int] = (1, 6)
    rare: float = 0.2
    patients: bool = False
    errors: bool = True


DESIGNS = (
    Design("13 groups of the class", 300, rare=13 / 300),
    Design("22 groups of the class", 300, rare=22 / 300),
    Design("100 groups of the class", 600, rare=1 / 6),
    Design("150 lesions of 1-6", 150),
    Design("1,000 lesions of 1-6", 1000),
    Design("80 patients of 1-80", 80, (1, 80), patients=True),
)
PLAIN = (
    ("roc_auc", "c"), ("recall", "c"), ("roc_auc_ovr", ""), ("balanced_accuracy", ""),
    ("f1_macro", ""), ("accuracy", ""), ("log_loss", ""),
)  # fmt: skip
FOLDED = (("ece", ""), ("ece_equal_mass", ""), ("ece_classwise", ""), ("smooth_ece", ""))
OTHERS = (("l2_debiased", ""), ("ecce", ""))
CELLS = 200
PART = 100


def draw(random: np.random.Generator, design: Design, groups: int, calibrated: bool) -> Cases:
    """A set of groups; 90 % of the variance of the noise is shared in a lesion."""
    sizes = random.integers(design.sizes[0], design.sizes[1] + 1, groups)
    group = np.repeat(np.arange(groups), sizes)
    lesion = group
    if design.patients:
        lesion = np.cumsum(random.random(len(group)) < 0.4)
        lesion = np.unique(group * (len(group) + 1) + lesion, return_inverse=True)[1]
    shares = np.array([(1 - design.rare) * 0.625, (1 - design.rare) * 0.375, design.rare])
    n_lesions = int(lesion.max()) + 1
    labels = random.choice(3, size=n_lesions, p=shares)[lesion]
    of_patient = 0.3 if design.patients else 0.0
    x = random.normal(size=(groups, 3))[group] * of_patient**0.5
    x += random.normal(size=(n_lesions, 3))[lesion] * (0.9 - of_patient) ** 0.5
    x += random.normal(size=(len(group), 3)) * 0.1**0.5
    x[np.arange(len(labels)), labels] += GAP
    logits = GAP * x + np.log(shares) if calibrated else 2 * x
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return Cases(labels, p, group, groups, NAMES, np.zeros(3, bool))


class Errors:
    """The calibration errors of some cases and their signed gaps, with two more candidates:
    debiased l2 (Kumar et al. 2019) and the largest cumulative gap (Arrieta-Ibarra et al. 2022)."""

    def __init__(self, cases: Cases) -> None:
        self.binned, self.smooth = ReliabilityFigures(cases), SmoothError(cases)
        top = cases.probabilities.max(axis=1)
        right = cases.predicted == cases.labels
        cells = np.argsort(np.argsort(top, kind="stable")) * CELLS // len(top)
        self.cells = cell_sums(cells, CELLS, cases.groups, cases.n_groups, top - right)
        self.total = cases.sums(np.zeros(len(cases), np.int64), 1)
        self.binning = next(b for b in self.binned.binnings if b.kind == "mass")
        self.weights = np.bincount(self.binning.bins, minlength=15) / len(top)

    def gaps(self, weights: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        found = self.binned.gaps(weights) | self.smooth.gaps(weights)
        within = self.cells @ weights / (self.total @ weights)[0]
        found["ecce", ""] = np.cumsum(within, axis=0)
        shares = np.sqrt(np.maximum(self.weights, 1e-9))[:, None]
        found["l2_debiased", ""] = found["ece_equal_mass", ""] / shares
        return found


def value_of(key: tuple[str, str], gaps: np.ndarray, drawn: np.ndarray | None = None) -> float:
    if key[0] == "ecce":
        return float(np.abs(gaps).max())
    if key[0] == "l2_debiased":
        noise = 0.0 if drawn is None else ((drawn - gaps[:, None]) ** 2).sum(axis=0).mean()
        return float(np.sqrt(max(0.0, (gaps**2).sum() - noise)))
    return float(np.abs(gaps).sum())


def truth(design: Design, calibrated: bool, groups: int) -> dict[tuple[str, str], float]:
    """The mean over eight populations, whose own noise is then a twentieth of a set's or less."""
    found = [_truth(design, calibrated, groups, seed) for seed in range(1, 9)]
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


def _truth(
    design: Design, calibrated: bool, groups: int, seed: int
) -> dict[tuple[str, str], float]:
    cases = draw(np.random.default_rng(seed), design, groups, calibrated)
    ones = np.ones((cases.n_groups, 1))
    found = {key: float(v[0]) for key, v in DecisionFigures(cases)(ones).items()}
    aucs = class_aucs(cases.labels, cases.probabilities)
    found |= {("roc_auc", "c"): float(aucs[2]), ("roc_auc_ovr", ""): float(aucs.mean())}
    errors = {} if calibrated or not design.errors else Errors(cases).gaps(ones)
    for key in FOLDED + OTHERS if design.errors else ():
        found[key] = 0.0 if calibrated else value_of(key, errors[key][:, 0])
    return found


def simulate(
    design: Design, sets: int, replicates: int, calibrated: bool, seed: int = 0,
    population: int = 40_000, first: int = 0, goal: dict[tuple[str, str], float] | None = None,
) -> dict[tuple[str, str], np.ndarray]:  # fmt: skip
    """(sets, 4) by figure: held before, held after, value minus truth, p < 0.05 (NaN: none).

    The sets are those numbered ``first`` and on; ``goal`` is the truth where it is known already.
    """
    goal = goal or truth(design, calibrated, population // (10 if design.patients else 1))
    keys = (() if calibrated else PLAIN) + ((FOLDED + OTHERS) if design.errors else ())
    out = {key: np.full((sets, 4), np.nan) for key in keys}
    for number in range(sets):
        drawn_by = first + number
        cases = draw(np.random.default_rng([seed, drawn_by]), design, design.groups, calibrated)
        weights = np.concatenate(
            list(GroupBootstrap(cases.n_groups, replicates, drawn_by).blocks()), axis=1
        )
        ones = np.ones((cases.n_groups, 1))
        if not calibrated:
            _plain(cases, ones, weights, goal, out, number)
        if not design.errors:
            continue
        errors = Errors(cases)
        point, drawn = errors.gaps(ones), errors.gaps(weights)
        for key in FOLDED + OTHERS:
            gaps, resampled = point[key][:, 0], drawn[key]
            value = value_of(key, gaps, resampled)
            before = np.abs(resampled).sum(axis=0)
            if key[0] in ("ecce", "l2_debiased"):
                largest = key[0] == "ecce"
                before = (
                    np.abs(resampled).max(axis=0) if largest else (resampled**2).sum(axis=0) ** 0.5
                )
            low, high = 2 * value - np.quantile(before, [0.975, 0.025])
            low, high = max(0.0, min(low, value)), max(high, value)
            if key[0] == "l2_debiased":
                found = l2_interval(gaps, resampled)
            else:
                inverted = folded_interval(
                    [(gaps, resampled)], norm="max" if key[0] == "ecce" else "sum"
                )
                found = inverted.low, inverted.high, inverted.p_value
            out[key][number] = (
                low <= goal[key] <= high, found[0] <= goal[key] <= found[1],
                value - goal[key], found[2] < 0.05,
            )  # fmt: skip
    return out


def l2_interval(gaps: np.ndarray, drawn: np.ndarray) -> tuple[float, float, float]:
    """The inverted interval with the Euclidean norm."""
    noise = drawn - gaps[:, None]
    value = np.sqrt((gaps**2).sum())
    factors = np.linspace(0, 3, 301)
    linear, square = 2 * (gaps @ noise), (noise**2).sum(axis=0)
    sizes = np.sqrt(factors[:, None] ** 2 * value**2 + factors[:, None] * linear + square)
    share = (sizes <= value).mean(axis=1)
    kept = factors[(share > 0.025) & (share < 0.975)]
    p = float((1 + (sizes[0] >= value).sum()) / (1 + len(square)))
    return (kept.min() * value, kept.max() * value, p) if len(kept) else (0.0, 0.0, p)


def _plain(cases, ones, weights, goal, out, number) -> None:  # type: ignore[no-untyped-def]
    ranking = RankingFigures(cases, pairs=False, micro=False)
    decisions = DecisionFigures(cases)
    knife = GroupJackknife(cases.n_groups, BLOCKS, rare_first(cases))
    without = np.concatenate([knife.chunk(k) for k in range(knife.n_chunks)], axis=1)
    point, drawn, left = (ranking(w)[0] | decisions(w) for w in (ones, weights, without))
    for key in PLAIN:
        value, n = float(point[key][0]), support_of(key, cases).n_groups
        if n < 5:
            continue
        known = metric_of(key[0])
        assert known is not None
        old = interval(value, drawn[key])
        new = t_interval(value, left[key], n, scale=known.scale)
        held = [
            np.nan if e.low is None or e.high is None else e.low <= goal[key] <= e.high
            for e in (old, new)
        ]
        width = (
            np.nan
            if old.low is None or new.low is None
            else (
                (new.high - new.low) / max(old.high - old.low, 1e-9)  # type: ignore[operator]
            )
        )
        out[key][number] = (*held, value - goal[key], width)


def in_parts(
    design: Design, asked: argparse.Namespace, calibrated: bool
) -> Iterator[dict[tuple[str, str], np.ndarray]]:
    """The sets of a design a hundred at a time, from the files of ``--keep`` where they are."""
    goal = None
    for first in range(0, asked.sets, PART):
        sets = min(PART, asked.sets - first)
        words = f"{design.name} {calibrated} {asked.replicates} {asked.seed} {first} {sets}"
        kept = (
            asked.keep / (words.replace(" ", "_").replace(",", "") + ".npz") if asked.keep else None
        )
        if kept and kept.exists():
            with np.load(kept) as stored:
                yield {(name, _, last)[::2]: stored[key] for key in stored.files
                       for name, _, last in [key.partition("|")]}  # fmt: skip
            continue
        goal = goal or truth(design, calibrated, 40_000 // (10 if design.patients else 1))
        found = simulate(
            design, sets, asked.replicates, calibrated, asked.seed, first=first, goal=goal
        )
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(".part.npz")
            np.savez(part, **{"|".join(key): rows for key, rows in found.items()})  # type: ignore[arg-type]
            part.rename(kept)
        yield found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--designs", nargs="*", default=[d.name for d in DESIGNS])
    asked = parser.parse_args()
    print("design | model | figure | before | after | rmse | p < 0.05 or width after/before | sets")
    for design in DESIGNS:
        if not any(design.name.startswith(name) for name in asked.designs):
            continue
        for calibrated in (False, True) if design.errors else (False,):
            begun = time.perf_counter()
            parts = list(in_parts(design, asked, calibrated))
            found = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            model = "calibrated" if calibrated else "overconfident"
            for key, rows in found.items():
                used = rows[np.isfinite(rows[:, :2]).all(axis=1)]
                before, after, _, last = np.nanmean(used, axis=0)
                rmse = float(np.sqrt(np.nanmean(used[:, 2] ** 2)))
                name = " ".join(key).strip()
                print(
                    f"{design.name} | {model} | {name} | {before:.3f} | {after:.3f} | {rmse:.4f} | "
                    f"{last:.3f} | {len(used)}", flush=True,
                )  # fmt: skip
            print(f"# {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
