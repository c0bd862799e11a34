"""Ensembling: speed beside a plain reading of AutoGluon's EnsembleSelection, and the big tables.

python benchmarks/ensemble.py greedy                 # 50 members, 100 rounds, 10,015 × 7
python benchmarks/ensemble.py command CSV CSV …      # the whole command, wall time
python benchmarks/ensemble.py table CSV CSV …        # every method × calibrator, cross-fitted
python benchmarks/ensemble.py calibrators NPZ …      # calibrators by index halves (p, y)
python benchmarks/ensemble.py subsets CSV|NPZ …      # `auto` beside mean + temperature
                                                     # on every subset of tables, each NPZ alone
"""

import subprocess
import sys
import time
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import ImageTable, Predictions
from ensemble_kit.core.wording import in_words
from ensemble_kit.metrics.losses import top_label_ece
from ensemble_kit.metrics.registry import label_of, shown_in
from ensemble_kit.posthoc.conformal.sets import fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.convex.simplex import mean_log_loss, normalised, softmax
from ensemble_kit.posthoc.crossfit import Rows, crossfit_rows, rows_of
from ensemble_kit.posthoc.ensembling.greedy import GreedyOptions, select
from ensemble_kit.posthoc.ensembling.losses import selection_loss
from ensemble_kit.posthoc.selection.catalogue import CALIBRATORS, METHODS, Candidate
from ensemble_kit.posthoc.selection.fitted import fit_candidates
from ensemble_kit.posthoc.selection.fitting import ChainSpec, crossfit_chain
from ensemble_kit.posthoc.selection.scoreboard import Line, scoreboard
from ensemble_kit.study import EvaluationSpec
from ensemble_kit.workflows.members import Gathered, gather

N, C, M, ROUNDS = 10_015, 7, 50, 100
SCORES = {
    "log_loss": lambda y, p: -log_loss(y, p, labels=np.arange(C)),
    "accuracy": lambda y, p: accuracy_score(y, p.argmax(axis=1)),
    "balanced_accuracy": lambda y, p: balanced_accuracy_score(y, p.argmax(axis=1)),
    "roc_auc_ovr": lambda y, p: roc_auc_score(y, p, multi_class="ovr", labels=np.arange(C)),
}


def made_members() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    share = np.array([327, 514, 1099, 115, 1113, 6705, 142])
    labels = np.repeat(np.arange(C), share)
    shared = random.normal(0, 1.2, (N, C))
    members = []
    for _ in range(M):
        logits = shared + random.normal(0, random.uniform(0.5, 2.0), (N, C))
        logits[np.arange(N), labels] += random.uniform(1.0, 2.5)
        members.append(softmax(logits))
    return np.stack(members), labels


def peer(members: np.ndarray, labels: np.ndarray, score, rounds: int) -> list[int]:
    """AutoGluon's EnsembleSelection as its description has it: every round, score the average of
    the ensemble and each model with the metric; keep the best round."""
    total = np.zeros(members.shape[1:])
    taken, best = [], []
    for used in range(rounds):
        scores = np.array([score(labels, (total + p) / (used + 1)) for p in members])
        choice = int(np.flatnonzero(scores >= scores.max() - 1e-12)[0])
        total = total + members[choice]
        taken.append(choice)
        best.append(scores[choice])
    keep = int(np.flatnonzero(np.array(best) >= max(best) - 1e-12)[0]) + 1
    return taken[:keep]


def greedy() -> None:
    members, labels = made_members()
    print("| objective | ours, s | peer, s | ratio | same members |\n|---|---|---|---|---|")
    for objective, score in SCORES.items():
        rounds = ROUNDS if objective != "roc_auc_ovr" else 10
        started = time.perf_counter()
        loss = selection_loss(objective, members, labels)
        ours = select(loss, GreedyOptions(objective, rounds))
        mine = time.perf_counter() - started
        few = max(rounds // 10, 2)
        started = time.perf_counter()
        theirs = peer(members, labels, score, few)
        other = (time.perf_counter() - started) * rounds / few
        again = select(loss, GreedyOptions(objective, few)).taken
        same = list(again) == theirs
        note = "" if rounds == ROUNDS else f" ({rounds} rounds)"
        print(f"| {objective}{note} | {mine:.2f} | {other:.1f} | {other / mine:.0f} | {same} |")
        assert len(ours.taken) <= rounds
    print(f"\nThe peer ran a tenth of the rounds; its time is scaled. {M} members, {N:,} × {C}.")


def command(paths: list[str]) -> None:
    words = [word for path in paths for word in ("--predictions", path)]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "cli.py", "ensemble", *words, "--overwrite", "-q", "--name", "benchmark"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    print(f"the whole command, auto, 2,000 replicates: {time.perf_counter() - started:.1f} s")


def table(paths: list[str], replicates: int = 500) -> None:
    gathered = gather([], [Path(path) for path in paths])
    rows = rows_of(gathered.members, gathered.table.labels, gathered.folds)
    spec = EvaluationSpec(replicates=replicates)
    wanted = [
        *(Candidate(m, c) for m in METHODS if m != "ranks" for c in ("none", "temperature", "bias",
          "vector")),
        *(Candidate("mean", c) for c in CALIBRATORS if c not in ("none", "temperature", "bias",
          "vector")),
        Candidate("ranks", "none"), Candidate("ranks", "bias"),
    ]  # fmt: skip
    heads = tuple(label_of(metric) for metric in shown_in("headline"))
    classes = gathered.table.class_names
    print(f"| | {' | '.join(heads)} | log loss, in-sample minus cross-fitted | "
          f"coverage at 90 %: {' '.join(classes)} |")  # fmt: skip
    print("|---" * (len(heads) + 3) + "|")
    for name, p in zip(gathered.members.names, gathered.members.probabilities, strict=True):
        line = scoreboard(gathered.table, [(name, _named(gathered, p))], spec)[0]
        print(_row(line, "—", _coverage(rows, p)), flush=True)
    for pair in wanted:
        fit = partial(fit_candidates, candidates=(pair,))
        with threadpool_limits(limits=1):
            out = crossfit_rows(fit, rows).output[:, 0]
            inside = fit(rows).apply(rows.members)[:, 0]
        line, twin = scoreboard(
            gathered.table, [(str(pair), _named(gathered, out)), ("", _named(gathered, inside))],
            spec,
        )  # fmt: skip
        gap = twin.minus_first["log_loss"]
        print(_row(line, f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
                   _coverage(rows, out)), flush=True)  # fmt: skip


def _named(gathered: Gathered, p: np.ndarray) -> Predictions:
    return Predictions(gathered.members.image_ids, gathered.members.class_names, normalised(p))


def _row(line: Line, optimism: str, coverage: str) -> str:
    cells = [f"{e.value:.4f} [{e.low:.4f}, {e.high:.4f}]" for e in
             (line.figures[m] for m in shown_in("headline"))]  # fmt: skip
    return f"| {line.name} | {' | '.join(cells)} | {optimism} | {coverage} |"


def _coverage(rows: Rows, p: np.ndarray) -> str:
    hit = np.zeros(len(rows), dtype=bool)
    for k in np.unique(rows.fold):
        held = rows.fold == k
        sets = fit_sets(p[~held], rows.labels[~held], rows.groups[~held], SetSpec())
        hit[held] = sets.sets(p[held])[np.arange(held.sum()), rows.labels[held]]
    return " ".join(f"{hit[rows.labels == c].mean():.3f}" for c in range(rows.n_classes))


def subsets(paths: list[str], replicates: int = 200) -> None:
    """Log loss and ECE of `auto` with intervals, and its log loss minus mean + temperature's."""
    tables = [Path(p) for p in paths if not p.endswith(".npz")]
    sets = [s for m in range(len(tables), 1, -1) for s in combinations(tables, m)]
    print("| members | log loss | ECE(15) | mean + temperature | its ECE(15) | difference |")
    print("|---" * 6 + "|", flush=True)
    for chosen in sets:
        gathered = gather([], list(chosen))
        rows = rows_of(gathered.members, gathered.table.labels, gathered.folds)
        _beside_baseline(", ".join(p.stem for p in chosen), gathered.table, rows, replicates)
    for path in (Path(p) for p in paths if p.endswith(".npz")):
        file = np.load(path)
        labels, p = (file[k] for k in sorted(file.files, key=lambda k: file[k].ndim))
        ids = np.array([f"{i:05d}" for i in range(len(labels))])
        names = tuple(f"c{c:03d}" for c in range(p.shape[1]))
        none = np.full(len(ids), "")
        codes = labels.astype(np.int64).ravel()
        table = ImageTable(ids, ids, codes, names, none, none, none)
        fold = np.arange(len(labels)) % 5
        rows = Rows(
            normalised(p.astype(np.float64))[None], table.labels, np.arange(len(fold)), fold
        )
        _beside_baseline(path.stem, table, rows, replicates)


def _beside_baseline(name: str, table: ImageTable, rows: Rows, replicates: int) -> None:
    baseline = partial(fit_candidates, candidates=(Candidate("mean", "temperature"),))
    with threadpool_limits(limits=1):
        plain = crossfit_rows(baseline, rows).output[:, 0]
    named = [
        (word, Predictions(table.image_ids, table.class_names, normalised(p)))
        for word, p in (
            ("mean + temperature", plain),
            ("auto", crossfit_chain(rows, ChainSpec(), jobs=1).probabilities),
        )
    ]
    first, auto = scoreboard(table, named, EvaluationSpec(replicates=replicates))
    words = [
        in_words(line.figures[metric], 4)
        for line in (auto, first)
        for metric in ("log_loss", "ece")
    ]
    gap = in_words(auto.minus_first["log_loss"], 4, sign="+")
    print(f"| {name} | {' | '.join(words)} | {gap} |", flush=True)


def calibrators(paths: list[str]) -> None:
    for path in paths:
        file = np.load(path)
        keys = sorted(file.files, key=lambda k: file[k].ndim)
        labels, p = file[keys[0]].astype(np.int64).ravel(), file[keys[-1]].astype(np.float64)
        p = normalised(p)
        n = len(labels)
        half = (np.arange(n) >= n // 2).astype(np.int64)
        rows = Rows(p[None], labels, np.arange(n), half)
        print(f"\n| {Path(path).stem} | accuracy | log loss | ECE(15) | s |\n|---|---|---|---|---|")
        for name in CALIBRATORS:
            if name in ("dirichlet", "matrix") and p.shape[1] ** 2 >= n:
                print(f"| {name} | not run: {p.shape[1] ** 2:,} numbers from {n // 2:,} rows |||| ")
                continue
            started = time.perf_counter()
            fit = partial(fit_candidates, candidates=(Candidate("mean", name),))
            out = crossfit_rows(fit, rows.with_inner_folds()).output[:, 0]
            print(
                f"| {name} | {(out.argmax(axis=1) == labels).mean():.4f} | "
                f"{mean_log_loss(out, labels):.4f} | {top_label_ece(labels, out):.4f} | "
                f"{time.perf_counter() - started:.1f} |", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    part, *rest = sys.argv[1:] or ["greedy"]
    if part == "greedy":
        greedy()
    else:
        {"command": command, "table": table, "calibrators": calibrators, "subsets": subsets}[part](
            rest
        )
