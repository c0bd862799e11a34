"""How long a report takes, all in, and how large it is.

    python benchmarks/report.py [--images 10015] [--folds 5] [--replicates 2000]

Makes a run of the size of HAM10000 (random probabilities, drawn pictures), then measures, each in
a process of its own: `report` of a run with its numbers (the usual case), `report` that has to
compute them first, the page rebuilt from its numbers, and `report --help`.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.runs.paths import CURVES, METRICS
from ensemble_kit.study import EvaluationSpec, StudySpec
from ensemble_kit.workflows.evaluating import Evaluated, write_evaluated

NAMES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
SHARES = (0.033, 0.051, 0.110, 0.011, 0.111, 0.670, 0.014)
ROOT = Path(__file__).parents[1]


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        run = make_run(Path(place), options.images, options.folds, options.replicates)
        made = time.perf_counter() - began
        page = Path(place) / "page.html"
        numbers = page.with_suffix(".json")
        whole = timed("report", run, "--out", page, "--numbers", numbers, "--images", 40)
        size, bare = sizes(page)
        again = timed("report", numbers, "--out", page)
        for name in (METRICS, CURVES):
            (run / name).unlink()
        alone = timed("report", run, "--out", page, "--images", 40)
        start = min(timed("report", "--help") for _ in range(3))
    print(f"{options.images:,} images, {len(NAMES)} classes, {options.folds} folds, "
          f"{options.replicates:,} replicates, 40 thumbnails")  # fmt: skip
    print(f"{'making and evaluating the run (not the report)':52}{made:8.2f} s")
    print(f"{'report, numbers recorded with the run':52}{whole:8.2f} s")
    print(f"{'report, numbers computed first':52}{alone:8.2f} s")
    print(f"{'page rebuilt from its numbers':52}{again:8.2f} s")
    print(f"{'report --help':52}{start:8.2f} s")
    print(f"{'page':52}{size / 1e6:8.2f} MB")
    print(f"{'page without its images':52}{bare / 1e6:8.2f} MB")


def make_run(place: Path, n: int, n_folds: int, replicates: int) -> Path:
    """A finished run folder with pictures on disk."""
    random = np.random.default_rng(0)
    sizes = random.choice([1, 2, 3, 4], n, p=[0.75, 0.18, 0.05, 0.02])
    group = np.repeat(np.arange(n), sizes)[:n]
    labels = random.choice(len(NAMES), n, p=SHARES)[group].astype(np.int64)
    logits = random.normal(0, 1.2, (n, len(NAMES)))
    logits[np.arange(n), labels] += 3.0
    p = np.exp(logits)
    ids = np.array([f"image_{i:06d}" for i in range(n)])
    pictures = place / "pictures"
    pictures.mkdir()
    content = random.integers(0, 255, (450, 600, 3), dtype=np.uint8)
    Image.fromarray(content).resize((60, 45)).resize((600, 450)).save(pictures / "one.jpg")
    groups = np.array([f"lesion_{g:06d}" for g in group])
    table = ImageTable(
        ids, groups, labels, NAMES, groups, np.array([""] * n), np.array(["one.jpg"] * n),
        root=str(pictures),
    )  # fmt: skip
    folds = Folds(ids, groups, group % n_folds, n_folds)
    predictions = Predictions(ids, NAMES, p / p.sum(axis=1, keepdims=True))
    spec = EvaluationSpec(replicates=replicates)
    study = StudySpec(name="bench", evaluation=spec)
    numbers = evaluate(table, folds, predictions, spec)
    return write_evaluated(
        place / "runs", Evaluated(study, table, folds, predictions, numbers, seed=0)
    )


def timed(*words: object) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "cli.py", *map(str, words)], cwd=ROOT, check=True, capture_output=True
    )
    return time.perf_counter() - began


def sizes(page: Path) -> tuple[int, int]:
    """Bytes of the page, and without its embedded pictures."""
    text = page.read_text(encoding="utf-8")
    pictures = sum(len(found) for found in re.findall(r"data:image/[^\"]*", text))
    return len(text.encode("utf-8")), len(text.encode("utf-8")) - pictures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=10_015, help="images of the run")
    parser.add_argument("--folds", type=int, default=5, help="folds of the run")
    parser.add_argument("--replicates", type=int, default=2_000, help="bootstrap replicates")
    return parser.parse_args()


if __name__ == "__main__":
    main()
