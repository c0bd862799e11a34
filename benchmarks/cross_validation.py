"""`cv` against the plain Keras script a user would write, side by side in one run.

    python benchmarks/cross_validation.py --data DIR --weights FILE [--depths 0 1 2 14]
        [--peer-folds 1]

Both train 5 folds of 5 + 5 epochs at 150 px without augmentation, and each time is that of the
whole process: start-up, decoding, training, predicting, saving. The peer's folds are alike, so
`--peer-folds 1` measures one and multiplies. "again" is a second run of ours of the same study with
another dropout and rate: the stores are there. Prints a table of ratios.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SETTINGS = ["--folds", "5", "--head-epochs", "5", "--fine-tune-epochs", "5", "--augment", "none",
            "--early-stopping", "validation", "--no-progress", "-q"]  # fmt: skip


def ours(options: argparse.Namespace, depth: int, store: Path, run: str, *extra: str) -> float:
    command = [
        sys.executable, str(HERE.parent / "cli.py"), "cv", "--data", options.data,
        "--weights", options.weights, "--image-size", str(options.size), "--unfreeze-depth",
        str(depth), "--store", str(store), "--runs-dir", str(store / "runs"), "--run", run,
        *SETTINGS, *extra,
    ]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def peer(options: argparse.Namespace, depth: int, folds_csv: Path) -> float:
    images = Path(options.data) / "images"
    command = [
        sys.executable, str(HERE / "peers" / "notebook_keras.py"), "--folds-csv", str(folds_csv),
        "--images", str(images), "--weights", options.weights, "--size", str(options.size),
        "--depth", str(depth), "--folds", str(options.peer_folds),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    return float(seconds["import"] + sum(seconds["folds"]) * 5 / options.peer_folds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--depths", type=int, nargs="+", default=[0, 1, 2, 14])
    parser.add_argument("--peer-folds", type=int, default=1)
    options = parser.parse_args()
    print("| depth | peer, s | ours, s | ratio | again, s | ratio |\n|---|---|---|---|---|---|")
    for depth in options.depths:
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder)
            first = ours(options, depth, store, "first")
            again = float("nan")
            if depth != 14:
                again = ours(
                    options, depth, store, "again", "--dropout", "0.5", "--head-lr", "2e-3"
                )
            theirs = peer(options, depth, store / "runs" / "first" / "folds.csv")
        print(
            f"| {depth} | {theirs:,.0f} | {first:,.0f} | {theirs / first:.1f} | {again:,.0f} | "
            f"{theirs / again:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
