"""A 20-trial search against the same trials trained by the plain Keras script.

    python benchmarks/search.py --data DIR --weights FILE [--trials 20] [--nested]
        [--precision bfloat16] [--keep FOLDER]

Ours is the wall time of `tune`, from no stores to the best study: 5 folds, image sizes 96 to 150,
depths 0 to 2, paired pruning. The peer trains all folds of every trial, in the same precision and
without validation, as ours does. It is timed on one fold of two trials, at the smallest and at the
largest size, both with the median depth drawn; the time of the others lies on the line through the
two, in the number of pixels. Our head is solved, as by default, where the script trains it for
three epochs (``--head sgd``: ours too). Prints both, the ratio, and what was pruned after which
fold.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.data.dataset import load_table
from ensemble_kit.splits import make_folds

HERE = Path(__file__).parent
FOLDS, EPOCHS = 5, (3, 3)
STUDY = """
name = "search"
[split]
folds = 5
[model]
weights = '{weights}'
image_size = 128
aspect = "stretch"
unfreeze_depth = 1
dropout = 0.3
[training]
head = "{head}"
head_epochs = 3
fine_tune_epochs = 3
augment = "none"
early_stopping = "none"
schedule = "cosine"
class_weights = 0.5
precision = "{precision}"
[search.space]
image_size = [96, 128, 150]
unfreeze_depth = {{ low = 0, high = 2 }}
dropout = {{ low = 0.0, high = 0.6 }}
{head_lr}
fine_tune_lr = {{ low = 3e-5, high = 1e-3, log = true }}
"""

HEAD_LR = "head_lr = { low = 1e-4, high = 1e-2, log = true }"


def ours(options: argparse.Namespace, folder: Path, *extra: str) -> float:
    command = [
        sys.executable, str(HERE.parent / "cli.py"), "tune", "--study", str(folder / "search.toml"),
        "--data", options.data, "--trials", str(options.trials), "--studies-dir", str(folder),
        "--store", str(folder / "store"), "--jobs", str(options.jobs), "--no-progress", *extra,
    ]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def peer_fold(options: argparse.Namespace, folds_csv: Path, size: int, depth: int) -> float:
    command = [
        sys.executable, str(HERE / "peers" / "notebook_keras.py"), "--folds-csv", str(folds_csv),
        "--images", str(Path(options.data) / "images"), "--weights", options.weights,
        "--size", str(size), "--depth", str(depth), "--folds", "1",
        "--epochs", *map(str, EPOCHS), "--measured", "2", "--search", "--precision",
        "mixed_bfloat16" if options.precision == "bfloat16" else "float32",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["folds"][0])


def peer(options: argparse.Namespace, folder: Path, trials: list[dict]) -> float:
    """Seconds of all folds of all trials."""
    table = load_table(options.data)
    folds = make_folds(table, FOLDS, 0)[0]
    labels = np.array(table.class_names)[table.labels]
    folds_csv = folder / "folds.csv"
    rows = {"image": table.image_ids, "label": labels, "fold": folds.fold}
    pd.DataFrame(rows).to_csv(folds_csv, index=False)
    drawn = [t["params"] for t in trials if "image_size" in t["params"]]
    sizes = np.array([params["image_size"] for params in drawn])
    depth = int(np.median([params["unfreeze_depth"] for params in drawn]))
    ends = (sizes.min(), sizes.max())
    seconds = [peer_fold(options, folds_csv, int(size), depth) for size in ends]
    print(f"peer, one fold at depth {depth}: {seconds[0]:.0f} s at {ends[0]} px, "
          f"{seconds[1]:.0f} s at {ends[1]} px", flush=True)  # fmt: skip
    slope, start = np.polyfit(np.square(ends), seconds, 1)
    return float(FOLDS * (slope * sizes**2 + start).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--head", choices=("probe", "sgd"), default="probe", help="of ours")
    parser.add_argument("--nested", action="store_true", help="then the nested estimate too")
    parser.add_argument("--keep", help="folder to leave stores and studies in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        weights = Path(options.weights).resolve()
        head_lr = "" if options.head == "probe" else HEAD_LR
        study = STUDY.format(
            weights=weights, precision=options.precision, head=options.head, head_lr=head_lr
        )
        (folder / "search.toml").write_text(study, encoding="utf-8")
        seconds = ours(options, folder)
        found = json.loads((folder / "store/search/tuning.json").read_text())["trials"]
        after = Counter(t["pruned_after"] for t in found if t["state"] == "PRUNED")
        print("pruned after folds:", dict(sorted(after.items())), flush=True)
        theirs = peer(options, folder, found)
        print(f"| ours, s | peer, s | ratio |\n|---|---|---|\n| {seconds:,.0f} | {theirs:,.0f} | "
              f"{theirs / seconds:.1f} |", flush=True)  # fmt: skip
        if options.nested:
            print(f"nested: {ours(options, folder, '--resume', '--nested'):,.0f} s more")


if __name__ == "__main__":
    main()
