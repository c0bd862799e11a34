"""How time, memory and files grow from 1,000 to 400,000 images: whole processes, drawn data.

    python benchmarks/scale.py [--rows 1000 10000 100000 400000] [--train-up-to 100000]

Each size is a table and one HDF5 file of drawn 32-pixel JPEGs (two classes, 2 % positive, two
images a lesion, eight a patient, as in the largest public sets). Commands: `check`; `cv` of two
folds with the compact network, head alone, one view, up to ``--train-up-to`` images (it fills the
pixel and the activation store); `evaluate` of drawn predictions and `report` of the run. Processor
seconds are user + system of the process and its children, so other work does not count; memory is
the largest single process.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def draw(folder: Path, n: int) -> None:
    """Table, HDF5 file and predictions of n images."""
    import h5py

    folder.mkdir()
    rng = np.random.default_rng(0)
    names = np.array([f"ISIC_{k:07d}" for k in range(n)])
    target = np.repeat(rng.random(n // 2) < 0.02, 2).astype(int)
    table = pd.DataFrame(
        {
            "isic_id": names,
            "target": target,
            "patient_id": [f"IP_{k // 8:07d}" for k in range(n)],
            "age_approx": rng.integers(20, 90, n),
        }
    )
    (folder / "data").mkdir()
    table.to_csv(folder / "data" / "train-metadata.csv", index=False)
    with h5py.File(folder / "data" / "train-image.hdf5", "w") as file:
        for name, label in zip(names, target, strict=True):
            pixels = rng.integers(60, 180, (32, 32, 3), dtype=np.uint8)
            pixels[8:24, 8:24, 0] += np.uint8(60 * label)
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, "JPEG", quality=80)
            file.create_dataset(name, data=np.void(content.getvalue()))
    score = 1 / (1 + np.exp(4 - 2 * target - rng.normal(0, 1, n)))
    pd.DataFrame(
        {
            "image": names,
            "patient_id": table.patient_id,
            "label": np.where(target == 1, "malignant", "benign"),
            "benign": 1 - score,
            "malignant": score,
        }
    ).to_csv(folder / "predictions.csv", index=False)


def measured(*arguments: str) -> tuple[float, float, float]:
    """Processor seconds, wall seconds and MB of one command and its children."""
    code = (
        "import resource,subprocess,sys;"
        "done=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL);"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(u.ru_utime+u.ru_stime,u.ru_maxrss,done.returncode)"
    )
    call = [sys.executable, "-c", code, sys.executable, str(ROOT / "cli.py"), *arguments]
    began = time.perf_counter()
    done = subprocess.run(call, capture_output=True, text=True, env=dict(os.environ))
    wall = time.perf_counter() - began
    seconds, peak, code_ = done.stdout.split()
    if code_ != "0":
        raise SystemExit(f"{' '.join(arguments[:2])}: exit code {code_}\n{done.stderr[-2000:]}")
    return float(seconds), wall, float(peak) * 1024 / 1e6


def size_of(folder: Path) -> float:
    """MB of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000, 400_000])
    parser.add_argument("--train-up-to", type=int, default=100_000)
    options = parser.parse_args()
    print("| images | command | processor s | by the clock, s | MB | written, MB |")
    print("|---|---|---|---|---|---|")
    for n in options.rows:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "drawn"
            draw(folder, n)
            data, runs, store = folder / "data", folder / "runs", folder / "store"

            def line(command: str, found: tuple[float, float, float], written: float, n=n) -> None:
                seconds, wall, peak = found
                print(f"| {n:,} | {command} | {seconds:.1f} | {wall:.1f} | {peak:,.0f} "
                      f"| {written:,.1f} |", flush=True)  # fmt: skip

            line("check, folds drawn", measured("check", "--data", str(data), "--no-images"), 0)
            if n <= options.train_up_to:
                training = ("cv", "--data", str(data), "--folds", "2", "--run", "trained",
                            "--runs-dir", str(runs), "--store", str(store), "--quiet",
                            "--backbone", "compact", "--weights", "none", "--image-size", "32",
                            "--unfreeze-depth", "0", "--augment", "none")  # fmt: skip
                found = measured(*training)
                line("cv, two folds, head alone", found, size_of(store))
            predictions = str(folder / "predictions.csv")
            found = measured("evaluate", "--predictions", predictions, "--name", "drawn",
                             "--runs-dir", str(runs))  # fmt: skip
            line("evaluate", found, size_of(runs / "drawn"))
            page = folder / "page.html"
            found = measured("report", "drawn", "--runs-dir", str(runs), "--out", str(page))
            line("report", found, page.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
