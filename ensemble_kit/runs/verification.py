"""Whether the files of a run folder are those that the run wrote."""

from collections.abc import Iterable
from pathlib import Path

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.errors import RunError
from ensemble_kit.runs import paths
from ensemble_kit.runs.manifest import Manifest

HEAVY = (".keras", ".npy", ".npz")
"""Endings of files that are compared when they are loaded, not whenever a run is read."""
READ = (
    paths.METRICS, paths.CURVES, paths.COMPARISON, paths.ENSEMBLE, paths.CALIBRATION,
    paths.CONFORMAL, paths.SETS, paths.TUNING, paths.PROBE, paths.OOF_AVERAGE, paths.REPEATS,
    paths.COSTS, paths.ACTIONS, paths.VARIANTS, paths.EXTERNAL,
)  # fmt: skip
"""Files that commands read where they are there, so that one the run did not write is a forgery."""
MAKE_ANEW = "restore it or make the run again"


def changed_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Names of files that are not as the manifest recorded them, or that it does not know of.

    Those that a person edits, heat maps (an interrupted `explain` is gone on with; the page
    compares them) and weights aside. A missing file is no change where figures can be
    computed without it, or where it lies in a fold's folder; else RunError.
    """
    always = dict.fromkeys((paths.FOLDS, paths.IMAGES, paths.OOF))
    recorded = [
        name
        for name in manifest.files
        if name not in paths.EDITABLE and not name.startswith(f"{paths.EXPLAIN}/")
    ]
    found = []
    for name in {**always, **dict.fromkeys(recorded)}:
        path = folder / name
        if not path.is_file():
            if "/" not in name and name != paths.METRICS:
                raise RunError(f"{path} is missing; the run is damaged: make it again")
        elif not name.endswith(HEAVY) and manifest.files.get(name) != sha256_of_file(path):
            found.append(name)
    found += [name for name in READ if name not in manifest.files and (folder / name).is_file()]
    return tuple(found)


def check_files(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Raise RunError for the first of some files that is missing or not as it was recorded."""
    for name in names:
        path = folder / name
        if not path.is_file():
            raise RunError(f"{path} is missing; the run is damaged: make it again")
        if manifest.files.get(name) != sha256_of_file(path):
            raise RunError(not_as_written(folder, (name,)))


def not_as_written(folder: Path, names: tuple[str, ...]) -> str:
    """The sentence for files that :func:`changed_files` found."""
    more = f" (nor are {len(names) - 1} more)" if len(names) > 1 else ""
    return (
        f"{folder / names[0]} is not the file the run wrote (its sha256 differs from the "
        f"manifest's){more}; {MAKE_ANEW}"
    )
