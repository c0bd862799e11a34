"""What in a run's folder no command wrote: such folders are neither replaced nor removed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from ensemble_kit.core.errors import RunError, some
from ensemble_kit.runs import paths
from ensemble_kit.runs.manifest import is_run, read_manifest

NAMES = {value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str)}
"""Names of files that a run's folder, or that of a fold, may hold."""
FOLDERS = re.compile(
    rf"((repeat_\d+|variants/[^/]+)/)*(fold_\d+(/{paths.TENSORBOARD}(/.*)?)?)?"
    rf"|repeat_\d+|variants(/[^/]+)?|{paths.EXPLAIN}"
)
OF_MANY = re.compile(
    rf"(.*/)?oof_\d+\.csv|{paths.EXPLAIN}/[^/]+\.png"
    rf"|(.*/)?{paths.TENSORBOARD}/(.*/)?events\.out\.tfevents[^/]*"
)
"""Files of which there are several: out-of-fold rows of further draws, heat maps, TensorBoard's."""
PASSING = re.compile(
    r"(.*/)?(\.[^/]*(\.lock|-part-[^/]*|\.weights\.h5|\.keras|\.part)|\.lock|\.in-use"
    r"|\.DS_Store|Thumbs\.db|desktop\.ini|[^/]+~)|(.*/)?\.[^/]+/.*"
)
"""Locks, what was begun, what systems and editors leave, and hidden folders."""


def check_replaceable(folder: Path, option: str = "--name") -> None:
    """Raise RunError where a folder must not be replaced or removed: it is no run, or holds files
    that no command wrote. option : that names the folder, for the sentence."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not is_run(folder):
        raise RunError(f"{folder} is there and is no run: give another {option}")
    if foreign := sorted(foreign_files(folder)):
        raise RunError(
            f"{folder} holds what no command of this program wrote ({some(foreign, 3)}): move it "
            "elsewhere, then give the command again"
        )


def foreign_files(folder: Path) -> Iterator[str]:
    """Files below a run's folder, relative, that neither its manifest nor any command knows."""
    try:
        known = set(read_manifest(folder).files)
    except RunError:  # damaged: by their names alone
        known = set()
    for place, folders, names in os.walk(folder):
        inside = PurePath(place).relative_to(folder).as_posix()
        inside = "" if inside == "." else inside
        ours = bool(FOLDERS.fullmatch(inside))
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in names + links:
            file = f"{inside}/{name}" if inside else name
            usual = name in NAMES or bool(OF_MANY.fullmatch(file))
            if not (file in known or PASSING.fullmatch(file) or (ours and usual)):
                yield file
