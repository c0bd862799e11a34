"""Which command reads which file, and one try of a damaged file."""

import csv
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.formulas import EQUAL
from tests.chaos.giving import Outcome, faults, give, seen
from tests.chaos.mutations import Mutation
from tests.chaos.workplace import QUICK

OUT = ["--runs-dir", "out", "--name", "x", *QUICK]
REPORT = ["--out", "out/p.html"]
TRUSTED = [*REPORT, "--trust-changed-files"]
FOLDS = ["--folds-file", "folds.csv"]
JOURNAL = "search"

READERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "a.csv": (("evaluate", "--predictions", "a.csv", *OUT),
              ("evaluate", "--predictions", "b.csv", "--truth", "a.csv", *OUT),
              ("ensemble", "a.csv", "b.csv", *FOLDS, *OUT)),
    "a.parquet": (("evaluate", "--predictions", "a.parquet", *OUT),),
    "a.npz": (("evaluate", "--predictions", "a.npz", *OUT),),
    "truth.csv": (("evaluate", "--predictions", "b.csv", "--truth", "truth.csv", *OUT),),
    "folds.csv": (("evaluate", "--predictions", "b.csv", *FOLDS, *OUT),
                  ("cv", "--study", "study.toml", "--dry-run", *FOLDS)),
    "pairs.csv": (("check", "--folds", "3", "--data", "data", "--duplicates", "pairs.csv"),),
    "map.csv": (("check", "--folds", "3", "--data", "data", "--map-labels", "map.csv"),),
    "costs.csv": (("evaluate", "--predictions", "b.csv", "--costs", "costs.csv", *OUT),),
    "split.csv": (("check", "--folds", "3", "--data", "data", "--split", "split.csv"),),
    "people.csv": (("predict", "m", "--metadata", "people.csv", "--out", "out/p.csv", "-q"),),
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
    **{f"runs/a/{name}": (("report", "a", *REPORT), ("report", "a", *TRUSTED), ("runs",),
                          ("runs", "show", "a"),
                          ("ensemble", "runs/a", "runs/b", *OUT), ("check", "--run", "a", "-q"))
       for name in ("manifest.json", "metrics.csv", "curves.json", "folds.csv", "images.csv",
                    "oof.csv", "study.toml")},
    **{f"runs/e/{name}": (("report", "e", "--compare", "a", *REPORT), ("report", "e", *TRUSTED),
                          ("runs", "show", "e"))
       for name in ("ensemble.json", "calibration.json", "conformal.json", "sets.csv",
                    "manifest.json")},
}  # fmt: skip
TABLE = ("cv", "--study", "study.toml", "--set", "evaluation.replicates=20", "-q")
NEW_RUN = ("--run", "x", "--runs-dir", "out")
NEW = ("--features", "features.npz", "--out", "out/p.csv", "-q")
READERS |= {
    "features.npz": (("predict", "f", *NEW),
                     ("validate", "f", "--data", "a.csv", "--features", "features.npz",
                      "--allow-overlap", "--name", "x", *QUICK),
                     (*TABLE, "--features", "features.npz", *NEW_RUN)),
    "features.csv": ((*TABLE, "--features", "features.csv", *NEW_RUN),),
    "features.parquet": (("predict", "f", "--features", "features.parquet", "--out", "out/p.csv"),),
    **{f"runs/f/fold_0/{name}": (("predict", "f", *NEW), ("runs", "show", "f"),
                                 ("report", "f", *REPORT),
                                 (*TABLE, "--features", "features.npz", "--run", "f"))
       for name in ("done.json", "predictions.csv", "table_model.npz")},
    **{f"runs/m/fold_0/{name}": (("predict", "m", "--metadata", "people.csv", "--out", "out/p.csv"),
                                 (*TABLE, "--metadata", "age,sex", "--metadata-only", "--run", "m"))
       for name in ("done.json", "encoders.json", "table_model.npz", "predictions.csv")},
}  # fmt: skip
TRAINED: dict[str, tuple[tuple[str, ...], ...]] = {
    **{f"data/images/{name}": (("predict", "t", f"data/images/{name}", "--out", "out/p.csv"),)
       for name in ("I00.jpg", "I01.png", "I02.tif", "I03.webp")},
    "own.keras": (("cv", "--study", "study.toml", "--dry-run", "--backbone", "own.keras"),
                  ("backbones", "own.keras")),
    "own.weights.h5": (("cv", "--study", "study.toml", "--dry-run", "--weights",
                        "own.weights.h5"),),
    **{f"runs/t/fold_0/{name}": (("predict", "t", "data/images/I00.jpg", "--out", "out/p.csv"),
                                 ("export", "t", "--to", "out/k", "-q"),
                                 ("explain", "t", "--images", "2", "-q"),
                                 ("runs", "show", "t"), ("report", "t", *REPORT))
       for name in ("model.keras", "done.json", "features.npy", "history.csv")},
    **dict.fromkeys(
        ("store/pixels", "store/activations", "store/speeds.json"),
        (("store", "list"), ("store", "verify", "--no-progress"),
         ("cv", "--study", "study.toml", "--dry-run")),
    ),
    "k/bundle.json": (("export", "t", "--to", "k"),),
    "studies/store/s/trials.journal": ((JOURNAL, "s"),),
    "studies/store/s/tuning.json": (("cv", "--study", "studies/s.best.toml", "--dry-run"),),
    "studies/s.best.toml": (("cv", "--study", "studies/s.best.toml", "--dry-run"),),
}  # fmt: skip
"""Of a folder that :func:`make_trained` made. A folder of the store stands for any file in it."""
PLACES = ("out", "store")
"""Folders in which the commands above may write."""


@dataclass(frozen=True)
class Trial:
    """A damaged file and the command that reads it."""

    file: str
    words: tuple[str, ...]
    damage: tuple[Mutation, ...]


def attempt(folder: Path, trial: Trial) -> tuple[Outcome, list[str]]:
    """Damage the file, give the command, make all as it was; the outcome and its faults."""
    path = _file(folder, trial)
    _whole(folder)
    content, before, times = path.read_bytes(), seen(folder), path.stat()
    for mutation in trial.damage:
        content = mutation.apply(content)
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    if trial.words[0] == JOURNAL:
        outcome = _search_opened(folder / trial.file)
    else:
        outcome = give(folder, trial.words)
    named = "" if path.name != Path(trial.file).name else trial.file
    found = faults(outcome, named, (*PLACES, *_added_to(trial.words)))
    found += _formulas(folder, outcome.written)
    _restore(folder, path, before)
    return outcome, found


def _formulas(folder: Path, written: Sequence[str]) -> list[str]:
    """Cells of the tables that were written which a spreadsheet would run."""
    found = []
    for path in (folder / name for name in written if name.endswith(".csv")):
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                cells = [cell for row in csv.reader(file) for cell in row if cell[:1] in EQUAL]
            found += [f"{path.name} holds the formula {cell!r}" for cell in cells[:1]]
    return found


def _added_to(words: Sequence[str]) -> tuple[str, ...]:
    """Where else a command may write: the run it goes on with or adds a file to."""
    if words[0] == "validate":
        return ("runs/x", "reports/x.html")
    run = next((word for word in words if word in ("a", "f", "m", "t")), "")
    if not run or words[0] not in ("cv", "check", "explain"):
        return ()
    return (f"runs/{run}/", f"runs/.{run}.lock")


def _file(folder: Path, trial: Trial) -> Path:
    """The file of a trial; of a folder, one of its files, by the damage."""
    path = folder / trial.file
    if not path.is_dir():
        return path
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.stat().st_size)
    return files[
        min(int(trial.damage[0].place * len(files)), len(files) - 1) if trial.damage else 0
    ]


def _whole(folder: Path) -> Path:
    """A copy of the folder as it was made, beside it."""
    kept = folder.with_name(f"{folder.name}.whole")
    if not kept.is_dir():
        shutil.copytree(folder, kept, symlinks=True)
    return kept


def make_whole(folder: Path) -> None:
    """The folder as it was made, after a process that ended amid a trial."""
    kept = _whole(folder)
    shutil.rmtree(folder)
    shutil.copytree(kept, folder, symlinks=True)


def _restore(folder: Path, damaged: Path, before: dict[str, tuple[int, int]]) -> None:
    kept = _whole(folder)
    damaged.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(kept / damaged.relative_to(folder), damaged)
    after = seen(folder)
    for name in {*before, *after}:
        if name not in before:
            (folder / name).unlink()
        elif before[name] != after.get(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept / name, folder / name)
    shutil.rmtree(folder / "out", ignore_errors=True)


def _search_opened(journal: Path) -> Outcome:
    """What `tune --resume` does before it starts anything."""
    from ensemble_kit.core.errors import EnsembleKitError
    from ensemble_kit.tuning.storage import StoragePlace, open_storage
    from ensemble_kit.tuning.trials import read_trials

    began, code, said = time.process_time(), 0, ""
    try:
        import optuna

        storage = open_storage(StoragePlace(journal.parent))
        for found in optuna.get_all_study_names(storage):
            read_trials(optuna.load_study(study_name=found, storage=storage))
    except EnsembleKitError as error:
        code, said = 2, f"error: {error}"
    except Exception as error:
        code, said = 1, f"{type(error).__name__}: {error}"
    return Outcome(code, "", said, time.process_time() - began, ())


def choices(trained: bool = False) -> Sequence[tuple[str, tuple[str, ...]]]:
    """Files and the commands that read them. trained : of :func:`make_trained`'s folder too."""
    readers = (READERS, TRAINED) if trained else (READERS,)
    return [
        (file, words) for table in readers for file, commands in table.items() for words in commands
    ]
