"""Reading large tables: processor seconds and memory of whole `check --no-images` processes.

    python benchmarks/tables.py [--rows 10000 100000 1000000] [--entries 4000 40000 400000]

``--rows``: a CSV of six columns (image, lesion of two images, patient of eight, class, age, sex).
``--entries``: ISIC 2024's layout, a table and an HDF5 file with a JPEG an entry, which is made
first (minutes at 400,000). Processor seconds are user + system, so other work does not count.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def table(folder: Path, n: int) -> None:
    """A CSV of n images."""
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    pd.DataFrame(
        {
            "image_id": [f"IMG_{k:07d}" for k in rows],
            "lesion_id": [f"L{k // 2:07d}" for k in rows],
            "patient_id": [f"P{k // 8:06d}" for k in rows],
            "dx": rng.choice(["nv", "mel", "bcc"], n)[rows // 2 * 2],
            "age": rng.integers(20, 90, n),
            "sex": rng.choice(["male", "female"], n),
        }
    ).to_csv(folder / "metadata.csv", index=False)


def container(folder: Path, n: int) -> None:
    """A table and an HDF5 file of n entries."""
    import h5py

    rng = np.random.default_rng(0)
    names = [f"ISIC_{k:07d}" for k in range(n)]
    content = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(content, "JPEG")
    pd.DataFrame(
        {
            "isic_id": names,
            "target": np.repeat(rng.random(n // 2) < 0.01, 2).astype(int),
            "patient_id": [f"IP_{k // 400:07d}" for k in range(n)],
            "age_approx": rng.integers(20, 90, n),
        }
    ).to_csv(folder / "train-metadata.csv", index=False)
    with h5py.File(folder / "train-image.hdf5", "w") as file:
        for name in names:
            file.create_dataset(name, data=np.void(content.getvalue()))


def measured(folder: Path) -> tuple[float, float]:
    """Processor seconds and peak memory (MB) of one check."""
    command = [sys.executable, str(ROOT / "cli.py"), "check", "--data", str(folder),
               "--no-images", "--no-progress"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"check of {folder} failed")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--entries", type=int, nargs="*", default=[4_000, 40_000, 400_000])
    given = parser.parse_args()
    print("| data | images | processor s | MB |\n|---|---|---|---|")
    for kind, make, sizes in (
        ("CSV", table, given.rows),
        ("ISIC 2024 with HDF5", container, given.entries),
    ):
        for n in sizes:
            with tempfile.TemporaryDirectory() as name:
                make(Path(name), n)
                seconds, memory = measured(Path(name))
                print(f"| {kind} | {n:,} | {seconds:.1f} | {memory:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
