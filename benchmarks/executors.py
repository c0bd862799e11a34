"""What an executor costs a fold: the same five folds by one process, by two, by Dask and by Ray.

    python benchmarks/executors.py [--epochs 20] [--skip ray] [--tasks]

All read the same stores, filled before the clock starts, so that only starting, handing over and
training are timed. Each way is run twice, in turn; the smaller time counts. "beyond" is what a fold
takes more than with two processes of this machine, starting left out.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from ensemble_kit.study import Study, StudySpec
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.preparing import Resources
from ensemble_kit.training.workers import Workers
from ensemble_kit.workflows.cross_validation import cross_validate

FOLDS, ROUNDS, TASKS = 5, 2, 20
WAYS = {
    "1 process": ("local", 1),
    "2 processes": ("local", 2),
    "dask, 2 workers": ("dask", 2),
    "ray, 2 workers": ("ray", 2),
}
BASE = "2 processes"
WIDTHS = {"start": 10, "folds": 12, "all": 10}


def study_of(executor: str, epochs: int) -> StudySpec:
    return Study(
        data={"path": "sample"},
        split={"folds": FOLDS},
        model={"backbone": "compact", "weights": "none", "image_size": 64, "unfreeze_depth": 2},
        training={"fine_tune_epochs": epochs, "views": 2, "batch_size": 32},
        evaluation={"replicates": 0},
        cluster={"executor": executor},
    )


def timed(executor: str, jobs: int, epochs: int, place: Path, name: str) -> dict[str, float]:
    """Seconds of one run: until the workers are there, of the folds, in all; digest of its rows."""
    marks: dict[str, float] = {}

    def tell(kind: str, **facts: object) -> None:
        marks.setdefault(kind, time.perf_counter())

    began = time.perf_counter()
    run = cross_validate(
        None, study_of(executor, epochs), name=name, runs_dir=place / "runs",
        resources=Resources(place / "store", jobs=jobs), tell=tell,
    )  # fmt: skip
    ended = time.perf_counter()
    return {
        "start": marks["forecast"] - marks["begin"],
        "folds": marks["evaluating"] - marks["forecast"],
        "all": ended - began,
        "rows": hash((run.folder / "oof.csv").read_bytes()),
    }


def handed_over(executor: str, jobs: int, place: Path) -> list[float]:
    """Seconds: until the workers are there, of a first task (its process begun), of a later one, of
    the end."""
    marks = [time.perf_counter()]
    cluster = ClusterSpec(executor=executor)
    with Workers(jobs, place / "events", lambda event: None, cluster, (place,)) as workers:
        marks.append(time.perf_counter())
        workers.finish([workers.submit(os.getpid) for _ in range(jobs)])
        marks.append(time.perf_counter())
        for _ in range(TASKS):
            workers.finish([workers.submit(os.getpid)])
        marks.append(time.perf_counter())
    ended = time.perf_counter()
    began, there, first, later = marks
    return [there - began, first - there, (later - first) / TASKS, ended - later]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--tasks", action="store_true")
    asked = parser.parse_args()
    ways = {name: way for name, way in WAYS.items() if way[0] not in asked.skip}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if asked.tasks:
            print(f"{'':18}{'start, s':>10}{'first, s':>10}{'later, s':>10}{'end, s':>10}")
            for name, way in ways.items():
                print(f"{name:18}" + "".join(f"{s:>10.3f}" for s in handed_over(*way, place)))
            return
        timed("local", 1, asked.epochs, place, "filled")
        found = {
            name: [timed(*ways[name], asked.epochs, place, f"{n}-{number}") for n in range(ROUNDS)]
            for number, name in enumerate(ways)
        }
    best = {name: min(runs, key=lambda run: run["folds"]) for name, runs in found.items()}
    print(f"{'':18}{'start, s':>10}{'5 folds, s':>12}{'all, s':>10}{'beyond, s a fold':>18}")
    for name, run in best.items():
        beyond = (run["folds"] - best[BASE]["folds"]) / FOLDS
        print(
            f"{name:18}{run['start']:>10.1f}{run['folds']:>12.1f}{run['all']:>10.1f}{beyond:>18.2f}"
        )
    same = {run["rows"] for name, runs in found.items() if ways[name][1] == 2 for run in runs}
    print(
        f"oof.csv of all runs with two workers: {'the same bytes' if len(same) == 1 else 'DIFFER'}"
    )


if __name__ == "__main__":
    main()
