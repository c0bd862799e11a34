"""Commands that are ended at random moments, and what each must have made in the end."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TRAINING = ("--fine-tune-epochs", "1", "--unfreeze-depth", "1", "--batch-size", "8", "-q")
SAME = ("oof.csv", "folds.csv", "images.csv", "metrics.csv", "curves.json", "probe.csv", "sets.csv",
        "study.toml", "external.json", "explain/index.json")  # fmt: skip
"""Files of a run that do not tell the time."""
Made = dict[str, bytes | str]


@dataclass(frozen=True)
class Command:
    """words : as given on the command line. made : what it made in a folder. trained : whether it
    needs a run that `cv` trained. waits : a pattern of files; the time of the signal counts from
    when the first is there."""

    words: Sequence[str]
    made: Callable[[Path], Made]
    trained: bool = False
    waits: str = ""


def run_files(name: str) -> Callable[[Path], Made]:
    def made(place: Path) -> Made:
        folder = place / "runs" / name
        return {file: (folder / file).read_bytes() for file in SAME if (folder / file).is_file()}

    return made


def one_file(name: str) -> Callable[[Path], Made]:
    return lambda place: {name: (place / name).read_bytes()}


def stored(place: Path) -> Made:
    """The run and every decoded pixel and stored activation."""
    made = run_files("k")(place)
    for path in sorted((place / "store").rglob("*")):
        if path.is_file() and path.suffix in (".float16", ".float32", ".u8", ".b2"):
            made[str(path.relative_to(place))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return made


def searched(place: Path) -> Made:
    """The best study and the values of the trials, without their times."""
    text = (place / "studies/k.best.toml").read_text(encoding="utf-8")
    record = json.loads((place / "studies/store/k/tuning.json").read_text(encoding="utf-8"))
    done = [t for t in record["trials"] if t["state"] == "COMPLETE"]
    values = sorted((t["value"], sorted(t["params"].items())) for t in done)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {"best": "\n".join(lines), "trials": json.dumps(values)}


def bundle(place: Path) -> Made:
    """The bundle's facts without what is measured in seconds or said of the date."""
    facts = json.loads((place / "k/bundle.json").read_text(encoding="utf-8"))
    return {"classes": json.dumps(facts["class_names"]), "files": json.dumps(sorted(
        path.name for path in (place / "k").iterdir()))}  # fmt: skip


COMMANDS: Mapping[str, Command] = {
    "cv": Command(("cv", "--study", "study.toml", "--run", "k", *TRAINING), run_files("k")),
    "store fill": Command(
        ("cv", "--study", "study.toml", "--run", "k", *TRAINING), stored, waits="store/*/*"
    ),
    "cv of features": Command(
        ("cv", "--study", "study.toml", "--features", "features.npz", "--run", "k", "-q"),
        run_files("k"),
    ),
    "tune": Command(
        ("tune", "--study", "study.toml", "--name", "k", "--trials", "2", "--resume", "-q",
         "--set", "training.fine_tune_epochs=1", "--set", "training.batch_size=8"), searched,
    ),
    "evaluate": Command(
        ("evaluate", "--predictions", "a.csv", "--name", "k", "-q", "--replicates", "200"),
        run_files("k"),
    ),
    "ensemble": Command(
        ("ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--name", "k", "-q",
         "--replicates", "200"), run_files("k"),
    ),
    "report": Command(("report", "a", "--out", "k.html"), one_file("k.html")),
    "predict": Command(
        ("predict", "t", "--data", "data/images", "--out", "k.csv", "--batch-size", "2", "-q"),
        one_file("k.csv"), trained=True,
    ),
    "validate": Command(
        ("validate", "t", "--data", "data", "--allow-overlap", "--name", "k", "--replicates", "50",
         "-q"), run_files("k"), trained=True,
    ),
    "export": Command(("export", "t", "--to", "k", "-q"), bundle, trained=True),
    "explain": Command(("explain", "t", "--images", "6", "-q"), run_files("t"), trained=True),
}  # fmt: skip
