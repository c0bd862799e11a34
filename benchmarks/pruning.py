"""How often the best trial is stopped wrongly, and how much training is saved: a simulation.

    python benchmarks/pruning.py [--searches 1000] [--optuna 40] [--scenes 1,3]

Each search draws 20 trials in a realistic mix
(a fifth diverge or hardly learn, half are plainly worse, the rest lie close to the best), gives
every group a difficulty of its own that all trials share, a heavy-tailed loss beside it, and each
fold of each trial a chance of training. "Wrong" counts the searches in which the trial of least
expected loss was stopped; "saved" is the share of folds not trained; "regret" the expected loss of
the trial chosen minus that of the best.
"""

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
from scipy.stats import binomtest

from ensemble_kit.tuning.losses import FoldLoss
from ensemble_kit.tuning.pruning import MIN_GAIN, figure_error, judge, make_rival

FOLDS, TRIALS = 5, 20
optuna.logging.set_verbosity(optuna.logging.CRITICAL)


@dataclass(frozen=True)
class Scene:
    """Calibrated on the three models of HAM10000 that were at hand: their losses differ by 0.9-1.1
    nats between groups (standard deviation), and by 0.005-0.048 between folds.

    groups : of all folds. chance : standard deviation of a fold's training, nats. close : the
    trials near the best lie within this many nats of it."""

    name: str
    groups: int
    chance: float
    close: float


SCENES = (
    Scene("300 groups, calm", 300, 0.01, 0.05),
    Scene("1,000 groups, calm", 1_000, 0.01, 0.05),
    Scene("1,000 groups, restless", 1_000, 0.03, 0.05),
    Scene("1,000 groups, all close", 1_000, 0.02, 0.02),
    Scene("7,470 groups, calm", 7_470, 0.005, 0.05),
    Scene("7,470 groups, restless", 7_470, 0.02, 0.05),
    Scene("7,470 groups, very restless", 7_470, 0.035, 0.05),
)

Trial = list[FoldLoss]
Stop = Callable[[Trial, list[Trial]], bool]


def draw_search(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, list[Trial]]:
    """Expected loss (T,) of each trial and its fold losses, in the order tried."""
    kinds = rng.choice(3, TRIALS, p=[0.2, 0.5, 0.3])
    bad, worse = rng.uniform(0.3, 1.2, TRIALS), rng.uniform(0.05, 0.3, TRIALS)
    excess = np.choose(kinds, [bad, worse, rng.uniform(0, scene.close, TRIALS)])
    excess -= excess.min()
    sizes = 1 + rng.poisson(0.35, scene.groups)
    hard = rng.gamma(0.6, 1.0, scene.groups)
    fold = rng.integers(0, FOLDS, scene.groups)
    trials = []
    for gap in excess:
        own = rng.gamma(0.5, 0.5, scene.groups) - 0.25
        chance = rng.normal(0, scene.chance, FOLDS)
        loss = 0.2 + hard + gap * (0.4 + hard) + own * (1 + hard) + chance[fold]
        trials.append([_fold_loss(loss[fold == k], sizes[fold == k]) for k in range(FOLDS)])
    return excess * (0.4 + 0.6), trials


def _fold_loss(losses: np.ndarray, sizes: np.ndarray) -> FoldLoss:
    rows = int(sizes.sum())
    value = float((losses * sizes).sum() / rows)
    return FoldLoss(value, (losses - value) * sizes / rows, rows)


def mean_of(trial: Trial) -> float:
    return float(np.average([f.value for f in trial], weights=[f.rows for f in trial]))


class Paired:
    """Our rule; the rival is kept until another trial is complete."""

    def __init__(self, min_gain: float) -> None:
        self._min_gain = min_gain
        self._seen: list[Trial] = []

    def __call__(self, known: Trial, complete: list[Trial]) -> bool:
        same = len(complete) == len(self._seen) and complete[0] is self._seen[0]
        if not same:
            best = min(complete, key=mean_of)
            self._rival = make_rival(best, [trial for trial in complete if trial is not best])
            self._seen = complete
        return judge(known, self._rival, min_gain=self._min_gain).prune


paired, harm_alone = Paired(MIN_GAIN), Paired(-1.0)


def naive(known: Trial, complete: list[Trial]) -> bool:
    """The same test without any correction: 5 % at every look, sampling of groups alone."""
    best = min(complete, key=mean_of)
    share = np.array([f.rows for f in known]) / sum(f.rows for f in known)
    pairs = list(zip(known, best, strict=False))
    excess = float(share @ [a.value - b.value for a, b in pairs])
    variance = share**2 @ [float(((a.influence - b.influence) ** 2).sum()) for a, b in pairs]
    return bool(excess / np.sqrt(variance) > 1.645)


class OptunaRule:
    """A pruner of Optuna's fed with fold scores, as a user would."""

    def __init__(self, make: Callable[[], optuna.pruners.BasePruner]) -> None:
        self._make = make

    def __call__(self, known: Trial, complete: list[Trial]) -> bool:
        pruner = self._make()
        study = optuna.create_study(pruner=pruner)
        for trial in complete:
            values = {k: f.value for k, f in enumerate(trial)}
            study.add_trial(optuna.create_trial(value=mean_of(trial), intermediate_values=values))
        asked = study.ask()
        for k, f in enumerate(known):
            asked.report(f.value, k)
        return asked.should_prune()


RULES: dict[str, Stop] = {
    "harm or futility (ours)": paired,
    "harm alone": harm_alone,
    "paired, uncorrected 5 %": naive,
    "Optuna median": OptunaRule(lambda: optuna.pruners.MedianPruner(n_startup_trials=4)),
    "Optuna Wilcoxon p < 0.1": OptunaRule(lambda: optuna.pruners.WilcoxonPruner(p_threshold=0.1)),
}


def run_search(trials: list[Trial], stop: Stop) -> tuple[list[int], int]:
    """Places of the complete trials and folds trained; the first trial always completes."""
    complete, trained = [], 0
    for place, trial in enumerate(trials):
        for folds in range(1, FOLDS + 1):
            trained += 1
            if folds == FOLDS:
                complete.append(place)
            elif complete and stop(trial[:folds], [trials[c] for c in complete]):
                break
    return complete, trained


@dataclass(frozen=True)
class Found:
    """Over all searches: how many stopped their best trial, folds trained, regret (nats), regret
    in standard errors of the best trial's figure less that of a search that stops nothing."""

    searches: int
    wrong: int
    saved: float
    regret: float
    of_stopping: float

    def __str__(self) -> str:
        low, high = binomtest(self.wrong, self.searches).proportion_ci(method="wilson")
        return (
            f"{self.wrong / self.searches:.1%} [{low:.1%}, {high:.1%}] | {self.saved:.0%} | "
            f"{self.regret:.4f} | {self.of_stopping:+.4f}"
        )


def simulate(scene: Scene, rules: dict[str, Stop], searches: int) -> dict[str, Found]:
    """Every rule on the same drawn searches."""
    wrong, trained = dict.fromkeys(rules, 0), dict.fromkeys(rules, 0)
    regret, relative = dict.fromkeys(rules, 0.0), dict.fromkeys(rules, 0.0)
    for seed in range(searches):
        truth, trials = draw_search(scene, np.random.default_rng([seed, scene.groups]))
        best = int(np.argmin(truth))
        error = figure_error(trials[best])
        scores = np.array([mean_of(trial) for trial in trials])
        unstopped = truth[int(np.argmin(scores))] - truth[best]
        for name, rule in rules.items():
            complete, folds = run_search(trials, rule)
            wrong[name] += best not in complete
            trained[name] += folds
            own = truth[min(complete, key=lambda place: scores[place])] - truth[best]
            regret[name] += own / searches
            relative[name] += (own - unstopped) / error / searches
    whole = searches * TRIALS * FOLDS
    return {
        name: Found(searches, wrong[name], 1 - trained[name] / whole, regret[name], relative[name])
        for name in rules
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=1000)
    parser.add_argument("--optuna", type=int, default=40, help="searches for Optuna's pruners")
    parser.add_argument("--scenes", default="", help="numbers of scenes, from 0; default all")
    options = parser.parse_args()
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    wanted = [int(n) for n in options.scenes.split(",") if n] or range(len(SCENES))
    optuna_rules = {n: r for n, r in RULES.items() if isinstance(r, OptunaRule)}
    ours = {n: r for n, r in RULES.items() if n not in optuna_rules}
    heads = ("scene", "rule", "best trial stopped", "folds saved", "regret", "of stopping, se")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for number in wanted:
        for rules, searches in ((ours, options.searches), (optuna_rules, options.optuna)):
            if searches:
                for name, found in simulate(SCENES[number], rules, searches).items():
                    print(f"| {SCENES[number].name} | {name} | {found} |", flush=True)


if __name__ == "__main__":
    main()
