"""Memory of a command and its workers over many folds or trials: ``python -m tests.chaos.memory``.

Draws the curves to ``docs/memory.svg`` with ``--to``; prints slopes in MB a fold or trial.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from tests.chaos.processes import alive, start
from tests.chaos.workplace import make_workplace

Curve = list[tuple[int, float, float]]
"""Folds or trials done, MB of the command, MB of its processes together."""
EVERY = 0.5
WARM = 0.2
"""Share of the folds that is not counted: caches fill."""


def folds_done(place: Path) -> int:
    return len(list(place.glob("runs/long/**/done.json")))


def trials_done(place: Path) -> int:
    return len(list(place.glob("studies/store/long/folds/*")))


def watch(place: Path, words: Sequence[str], done: Callable[[Path], int], seconds: float) -> Curve:
    """Give a command; how much memory it takes after each fold or trial. seconds : after which it
    is ended; what was seen counts."""
    end = time.monotonic() + seconds
    started = start(place, words)
    heard = threading.Thread(target=started.process.communicate, daemon=True)
    heard.start()
    curve: Curve = []
    ended = False
    while started.process.poll() is None:
        if time.monotonic() > end and not ended:
            started.process.terminate()
            ended = True
        number = done(place)
        if number and (not curve or number > curve[-1][0]):
            sizes = {pid: _size(pid) for pid in alive(started.mark)}
            own = sizes.pop(started.process.pid, 0.0)
            curve.append((number, own, sum(sizes.values())))
        time.sleep(EVERY)
    heard.join()
    assert ended or started.process.returncode == 0, words
    return curve


def slopes(curve: Curve) -> tuple[float, float]:
    """MB a fold of the command and of its processes, by least squares after the first fifth."""
    rows = np.array(curve)
    rows = rows[rows[:, 0] >= WARM * rows[-1, 0]]
    own, workers = (float(np.polyfit(rows[:, 0], rows[:, k], 1)[0]) for k in (1, 2))
    return own, workers


def _size(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def draw(curves: dict[str, Curve], to: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "memory", "svg.fonttype": "none"}
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(4.2 * len(curves), 2.8), squeeze=False)
    for axis, (name, curve) in zip(axes[0], curves.items(), strict=True):
        rows = np.array(curve)
        axis.plot(rows[:, 0], rows[:, 1], label="command")
        axis.plot(rows[:, 0], rows[:, 2], label="its processes")
        axis.set(xlabel=name, ylabel="MB in memory", ylim=(0, None))
        axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(to, metadata={"Date": None})
    plt.close(figure)


def studies(folds: int, trials: int) -> dict[str, tuple[list[str], Callable[[Path], int]]]:
    cv = [
        "cv",
        "--study",
        "study.toml",
        "--run",
        "long",
        "--fine-tune-epochs",
        "1",
        "-q",
        "--unfreeze-depth",
        "1",
        "--batch-size",
        "8",
        "--repeats",
        str(-(-folds // 3)),
    ]
    tune = ["tune", "--study", "study.toml", "--name", "long", "--trials", str(trials), "-q",
            "--folds", "2", "--pruner", "none", "--set", "training.fine_tune_epochs=1", "--set",
            "training.batch_size=8"]  # fmt: skip
    tables = ["cv", "--study", "study.toml", "--features", "features.npz", "--run", "long", "-q",
              "--repeats", str(-(-folds // 3))]  # fmt: skip
    return {
        "folds of cv": (cv, folds_done), "folds of cv of features": (tables, folds_done),
        "trials of tune": (tune, trials_done),
    }  # fmt: skip


def command() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=50)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3600, help="of each curve at most")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--to", type=Path, help="SVG to draw")
    parser.add_argument("--numbers", type=Path, help="JSON of the curves, read where it is there")
    given = parser.parse_args()
    curves: dict[str, Curve] = {}
    if given.numbers and given.numbers.is_file():
        curves = json.loads(given.numbers.read_text(encoding="utf-8"))
    for name, (words, done) in studies(given.folds, given.trials).items():
        if given.only is not None and name not in given.only:
            continue
        with tempfile.TemporaryDirectory() as to:
            curves[name] = watch(make_workplace(Path(to) / "w"), words, done, given.seconds)
        if given.numbers:
            given.numbers.write_text(json.dumps(curves), encoding="utf-8")
    for name, curve in curves.items():
        own, workers = slopes(curve)
        print(f"{name}: {curve[-1][0]}; {own:+.3f} MB each of the command, {workers:+.3f} of its "
              f"processes; {curve[-1][1]:.0f} and {curve[-1][2]:.0f} MB at the end")  # fmt: skip
    if given.to:
        draw(curves, given.to)


if __name__ == "__main__":
    command()
