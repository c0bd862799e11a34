"""Which command reads which file, and one try of a damaged file."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.giving import Outcome, faults, give
from tests.chaos.mutations import Mutation
from tests.chaos.workplace import QUICK

OUT = ["--runs-dir", "out", "--name", "x", *QUICK]
REPORT = ["--out", "out/p.html"]
FOLDS = ["--folds-file", "folds.csv"]

READERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "a.csv": (("evaluate", "--predictions", "a.csv", *OUT),
              ("ensemble", "a.csv", "b.csv", *FOLDS, *OUT)),
    "a.parquet": (("evaluate", "--predictions", "a.parquet", *OUT),),
    "a.npz": (("evaluate", "--predictions", "a.npz", *OUT),),
    "truth.csv": (("evaluate", "--predictions", "b.csv", "--truth", "truth.csv", *OUT),),
    "folds.csv": (("evaluate", "--predictions", "b.csv", *FOLDS, *OUT),
                  ("cv", "--study", "study.toml", "--dry-run", *FOLDS)),
    "pairs.csv": (("check", "--folds", "3", "--data", "data", "--duplicates", "pairs.csv"),),
    "map.csv": (("check", "--folds", "3", "--data", "data", "--map-labels", "map.csv"),),
    "study.toml": (("cv", "--study", "study.toml", "--dry-run"),
                   ("tune", "--study", "study.toml", "--dry-run")),
    "words.toml": (("cv", "--study", "study.toml", "--dry-run"),),
    "data/metadata.csv": (("check", "--folds", "3", "--data", "data"),
                          ("cv", "--study", "study.toml", "--dry-run")),
    "data/images/I00.jpg": (("check", "--folds", "3", "--data", "data"),),
    "data/images/I01.png": (("check", "--folds", "3", "--data", "data"),),
    "data/images/I02.tif": (("check", "--folds", "3", "--data", "data"),),
    "data/images/I03.webp": (("check", "--folds", "3", "--data", "data"),),
    "numbers.json": (("report", "numbers.json", *REPORT),),
    **{f"runs/a/{name}": (("report", "a", *REPORT), ("runs",), ("runs", "show", "a"))
       for name in ("manifest.json", "metrics.csv", "curves.json", "folds.csv", "images.csv",
                    "oof.csv", "study.toml")},
    **{f"runs/e/{name}": (("report", "e", "--compare", "a", *REPORT), ("runs", "show", "e"))
       for name in ("ensemble.json", "calibration.json", "conformal.json", "sets.csv",
                    "manifest.json")},
}  # fmt: skip
PLACES = ("out", "store")
"""Folders in which the commands above may write."""


@dataclass(frozen=True)
class Trial:
    """A damaged file and the command that reads it."""

    file: str
    words: tuple[str, ...]
    damage: tuple[Mutation, ...]


def attempt(folder: Path, trial: Trial) -> tuple[Outcome, list[str]]:
    """Damage the file, give the command, mend the file; the outcome and its faults."""
    path = folder / trial.file
    whole, times = path.read_bytes(), path.stat()
    content = whole
    for mutation in trial.damage:
        content = mutation.apply(content)
    path.write_bytes(content)
    try:
        outcome = give(folder, trial.words)
    finally:
        path.write_bytes(whole)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = faults(outcome, trial.file, PLACES)
    for place in PLACES:
        shutil.rmtree(folder / place, ignore_errors=True)
    return outcome, found


def choices() -> Sequence[tuple[str, tuple[str, ...]]]:
    return [(file, words) for file, commands in READERS.items() for words in commands]
