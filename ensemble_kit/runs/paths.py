"""The names of a run folder's files. No other room spells one."""

from pathlib import Path

from ensemble_kit.core.places import protect

MANIFEST, STUDY = "manifest.json", "study.toml"
protect(MANIFEST, "a run's folder")
FOLDS, IMAGES, OOF = "folds.csv", "images.csv", "oof.csv"
PROBE = "probe.csv"
"""Out-of-fold rows of the linear probe on the frozen features, in a fold's folder and the run's."""
METRICS, CURVES, COMPARISON = "metrics.csv", "curves.json", "comparison.json"
ENSEMBLE, CALIBRATION, CONFORMAL = "ensemble.json", "calibration.json", "conformal.json"
NESTED_MEMBERS = "nested_members.json"
"""What an ensemble's figures are with members fitted anew without the fold being judged."""
SETS, TUNING, REPORT = "sets.csv", "tuning.json", "report.json"
OOF_AVERAGE, REPEATS = "oof_average.csv", "repeats.csv"
"""Where folds were drawn several times: the average of the draws, and the figures of each."""

MODEL, HISTORY, PREDICTIONS, DONE = "model.keras", "history.csv", "predictions.csv", "done.json"
"""Files of a fold's folder."""
TABLE_MODEL, ENCODERS = "table_model.npz", "encoders.json"
"""Model of a fold that is fitted to a table (features, metadata), and how its columns are coded."""
METADATA_HEAD = "metadata_head.npz"
"""What a network's metadata adds to its scores, beside the same encoders."""
WITHOUT_METADATA = "without_metadata.csv"
"""Out-of-fold rows of the linear model without its metadata, in a fold's folder and the run's."""
FEATURES = "features.npy"
"""Pooled features of the images a fold held out, in the order of its predictions."""
IDENTITY_VIEW, OLD_IDENTITY_VIEW = "identity_view.csv", "unturned.csv"
"""Written beside the predictions of a fold when those are means over several views;
the old name is read in runs made before."""
TENSORBOARD = "tensorboard"

ISSUES, NEAR_DUPLICATES = "issues.csv", "near_duplicates.csv"
"""Labels that a run's probabilities speak against, and pairs across groups that look the same."""

EDITABLE = (ISSUES, NEAR_DUPLICATES)
"""Written to be gone through by a person, so that a changed one is no sign of damage."""

COSTS, ACTIONS = "costs.json", "actions.csv"
"""What the actions of least expected cost cost, and the action of each image."""

VARIANTS = "variants.json"
"""Figures of the study trained on fractions of the data, and with folds by image."""

EXTERNAL = "external.json"
"""What a validation on other data found."""
EXPLAIN = "explain"
EXPLAIN_INDEX = f"{EXPLAIN}/index.json"
MANIFESTS = f"[!.]*/{MANIFEST}"
"""Pattern of the manifests below a folder of runs; folders being made start with a dot."""


def fold_folder(folder: Path, repeat: int, fold: int) -> Path:
    """``fold_0`` … of the first draw of folds, ``repeat_1/fold_0`` … of the next."""
    return (folder if repeat == 0 else folder / repeat_name(repeat)) / f"fold_{fold}"


def variant_folder(folder: Path, name: str) -> Path:
    """Where a variant of a run keeps its folds."""
    return folder / "variants" / name


def fold_folders(folder: Path) -> list[tuple[int, Path]]:
    """(fold, its folder) of the first draw of folds, by number, as far as they are there."""
    numbered = [(path.name.removeprefix("fold_"), path) for path in folder.glob("fold_*")]
    return sorted((int(text), path) for text, path in numbered if text.isdecimal())


def fold_column(repeat: int) -> str:
    """Column of ``folds.csv``: ``fold`` of the first draw, ``fold_1`` … of the next."""
    return "fold" if repeat == 0 else f"fold_{repeat}"


def repeat_name(repeat: int) -> str:
    """Folder of a draw of folds after the first, and its column in ``repeats.csv``."""
    return f"repeat_{repeat}"


def oof_of_repeat(repeat: int) -> str:
    """File of the out-of-fold rows of one draw of folds, where there are several."""
    return f"oof_{repeat}.csv"


def repeat_of(file: str) -> int | None:
    """The draw of folds whose out-of-fold rows a file holds; None for other files."""
    number = file.removeprefix("oof_").removesuffix(".csv")
    return int(number) if number.isdecimal() and file == oof_of_repeat(int(number)) else None


def overlay(file: str) -> str:
    """A heat map of ``explain`` relative to the run folder."""
    return f"{EXPLAIN}/{file}"


def scratch_weights(folder: Path, pid: int) -> Path:
    """Where a process keeps a fold's best weights while it trains."""
    return folder / f".best-{pid}.weights.h5"


def scratch_model(folder: Path, pid: int) -> Path:
    """Where a process writes a fold's model before it is renamed."""
    return folder / f".{pid}.keras"


def scratch_files(folder: Path) -> list[Path]:
    """What processes that were killed left in a fold's folder."""
    return [*folder.glob(".best-*.weights.h5"), *folder.glob(".*.keras")]


def run_lock(folder: Path) -> Path:
    """Held by the one process that works on a run."""
    return folder.parent / f".{folder.name}.lock"
