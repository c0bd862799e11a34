"""`cv` against the plain Keras script a user would write, side by side in one run.

    python benchmarks/cross_validation.py --data DIR --weights FILE [--depths 0 1 2 14]
        [--peer-folds 1] [--peer-epochs 2]

Both train 5 folds of 5 + 5 epochs at 150 px without augmentation, and each time is that of the
whole process: start-up, decoding, training, predicting, saving. Folds of the peer are alike, and
so are the epochs of a phase: it trains ``--peer-folds`` with ``--peer-epochs`` of each phase and
the rest is multiplied. "again" is a second run of ours of the same study with another dropout and
rate (depths 0 and 1): the stores are there. "bfloat16" is ours from nothing with ``--precision
bfloat16``, its ratio that to the float32 peer. At depth 0 both train the head for 10 epochs.
Files are read once before the first clock. "bare" is what cannot be spared: one forward pass over
the images and the training steps of the last blocks on an array in memory, at the rates measured
here in this run. With everything trained (depth 14) ours is stopped after its first fold and
multiplied in the same way. Prints a table of seconds and ratios.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
FOLDS, EPOCHS, BATCH, WHOLE = 5, 5, 32, 14
SETTINGS = ["--folds", str(FOLDS), "--batch-size", str(BATCH), "--augment", "none",
            "--early-stopping", "validation", "--no-progress", "-q"]  # fmt: skip


def command(options: argparse.Namespace, depth: int, store: Path, run: str) -> list[str]:
    return [
        sys.executable, str(HERE.parent / "cli.py"), "cv", "--data", options.data,
        "--weights", options.weights, "--image-size", str(options.size),
        "--unfreeze-depth", str(depth), "--head-epochs", str(EPOCHS if depth else 2 * EPOCHS),
        "--store", str(store), "--runs-dir", str(store / "runs"), "--run", run, *SETTINGS,
    ]  # fmt: skip


def ours(options: argparse.Namespace, depth: int, store: Path, run: str, *extra: str) -> float:
    script = [*command(options, depth, store, run), "--fine-tune-epochs", str(EPOCHS), *extra]
    began = time.perf_counter()
    subprocess.run(script, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - began


def ours_by_a_fold(options: argparse.Namespace, depth: int, store: Path, run: str) -> float:
    """Seconds of all folds, from a run of ``--peer-epochs`` stopped after its first fold."""
    epochs = options.peer_epochs
    script = [*command(options, depth, store, run), "--fine-tune-epochs", str(epochs)]
    began = time.perf_counter()
    process = subprocess.Popen(script, start_new_session=True, stdout=subprocess.DEVNULL)
    finished = store / "runs" / run / "fold_0/done.json"
    while not finished.is_file():
        if process.poll() is not None:
            raise SystemExit("the run ended before its first fold was finished")
        time.sleep(0.1)
    elapsed = time.perf_counter() - began
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    seconds = json.loads(finished.read_text())["seconds"]
    watching = seconds["training"] - seconds["head"] - seconds["fine_tune"]
    epoch = (seconds["fine_tune"] + watching) / epochs
    unrun = (EPOCHS - epochs) * epoch
    return float(elapsed + unrun + (FOLDS - 1) * (seconds["all"] + unrun))


def peer(options: argparse.Namespace, depth: int, folds_csv: Path) -> float:
    images = Path(options.data) / "images"
    script = [
        sys.executable, str(HERE / "peers" / "notebook_keras.py"), "--folds-csv", str(folds_csv),
        "--images", str(images), "--weights", options.weights, "--size", str(options.size),
        "--depth", str(depth), "--folds", str(options.peer_folds),
        "--epochs", str(EPOCHS), str(EPOCHS), "--measured", str(options.peer_epochs),
    ]  # fmt: skip
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    return float(seconds["import"] + sum(seconds["folds"]) * FOLDS / options.peer_folds)


def bare(options: argparse.Namespace, depth: int, images: int) -> float:
    """Seconds of one forward pass and of all steps of the last blocks, in a process of its own."""
    script = [
        sys.executable, str(Path(__file__)), "--bare", str(depth), "--data", options.data,
        "--weights", options.weights, "--size", str(options.size),
    ]  # fmt: skip
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    rates = json.loads(done.stdout.splitlines()[-1])
    trained = images * (FOLDS - 1) * EPOCHS
    return float(images / rates["forward"] + (trained / rates["suffix"] if depth else 0))


def bare_rates(options: argparse.Namespace, seconds: float = 8.0) -> dict[str, float]:
    """Images/s of a forward pass and of training the last blocks, on arrays of noise."""
    import numpy as np

    from ensemble_kit.study import StudySpec
    from ensemble_kit.training.model_cache import open_model_cache

    depth = options.bare
    spec = StudySpec().override(
        {"model": {"image_size": options.size, "weights": options.weights, "unfreeze_depth": depth}}
    )
    cache = open_model_cache(spec, Path(options.weights), 7, 0)
    noise = np.random.default_rng(0)
    pixels = noise.integers(0, 256, (16, options.size, options.size, 3)).astype(np.uint8)
    prefix = cache.staged.outputs_at((depth,) if depth else (0,))
    rates = {"forward": _rate(lambda: prefix.predict_on_batch(pixels), len(pixels), seconds)}
    if depth:
        cache.staged.freeze(train_tail=True)
        suffix = cache.compiled("suffix")
        inside = noise.normal(size=(BATCH, *suffix.input_shape[1:])).astype(np.float32)
        targets = np.eye(7, dtype=np.float32)[np.arange(BATCH) % 7]
        rates["suffix"] = _rate(lambda: suffix.train_on_batch(inside, targets), BATCH, seconds)
    return rates


def _rate(step, size: int, seconds: float) -> float:
    for _ in range(3):
        step()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
        done += size
    return done / (time.perf_counter() - began)


def row(options: argparse.Namespace, depth: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        if depth == WHOLE:
            first, again, short = ours_by_a_fold(options, depth, store, "first"), None, None
        else:
            first = ours(options, depth, store, "first")
            other = ("--dropout", "0.5", "--head-lr", "2e-3")
            again = ours(options, depth, store, "again", *other) if depth < 2 else None
            short = ours(options, depth, store / "other", "short", "--precision", "bfloat16")
        folds_csv = store / "runs/first/folds.csv"
        theirs = peer(options, depth, folds_csv)
        images = len(folds_csv.read_text().splitlines()) - 1
    cells = [str(depth), f"{theirs:,.0f}", f"{first:,.0f}", f"{theirs / first:.1f}"]
    for seconds in (again, short):
        cells += ["", ""] if seconds is None else [f"{seconds:,.0f}", f"{theirs / seconds:.1f}"]
    if depth == WHOLE:
        return "| " + " | ".join([*cells, "", ""]) + " |"
    least = bare(options, depth, images)
    return "| " + " | ".join([*cells, f"{least:,.0f}", f"{first / least:.2f}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--depths", type=int, nargs="+", default=[0, 1, 2, WHOLE])
    parser.add_argument("--peer-folds", type=int, default=1)
    parser.add_argument("--peer-epochs", type=int, default=2)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare is not None:
        print(json.dumps(bare_rates(options)))
        return
    head = ("depth", "peer, s", "ours, s", "ratio", "again, s", "ratio", "bfloat16, s", "ratio",
            "bare, s", "ours to bare")  # fmt: skip
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for path in Path(options.data).rglob("*.jpg"):
        path.read_bytes()
    for depth in options.depths:
        print(row(options, depth), flush=True)


if __name__ == "__main__":
    main()
