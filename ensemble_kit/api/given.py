"""What is checked of the things given to a function, before any work."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path

from ensemble_kit.core.errors import SplitError, StudyError
from ensemble_kit.core.records import Folds
from ensemble_kit.workflows.finished import FinishedRun, open_run

Member = FinishedRun | Path | str
"""A run that was opened, its folder or name, or a file of predictions."""


def whole_number(name: str, value: object, least: int) -> None:
    """Raise StudyError where a value is no whole number from ``least`` on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise StudyError(f"{name} = {value!r}: give a whole number from {least} on")


def above_zero(name: str, value: float | None) -> None:
    """Raise StudyError where a number is not more than 0."""
    if value is not None and value <= 0:
        raise StudyError(f"{name} = {value!r}: give a number above 0")


def named(name: str | None) -> None:
    """Raise StudyError where a name is empty."""
    if name is not None and not name.strip():
        raise StudyError("name is empty: give one, or leave it out")


def check_table(name: str, value: object) -> None:
    """Raise StudyError where a value is no file, no DataFrame and no mapping of members to them."""
    if not (value is None or isinstance(value, (str, Path, Mapping)) or hasattr(value, "columns")):
        raise StudyError(f"{name} are a {type(value).__name__}: give a file or a DataFrame")


def check_given(images: object, folds: object) -> None:
    """Raise StudyError or SplitError for an empty path of images, or a list without folds."""
    if isinstance(images, str):
        place(images, "images")
    if folds is not None and not isinstance(folds, Folds) and not len(folds):  # type: ignore[arg-type]
        raise SplitError("folds is an empty list: give make_folds(...), one a repeat")


def place(value: "Path | str", name: str) -> Path:
    """A path; StudyError where it is an empty text, which would mean the working directory."""
    if not str(value).strip():
        raise StudyError(f"{name} is empty: give a path, or leave it out")
    return Path(value)


def several(members: "Sequence[Member] | Member") -> Sequence[Member]:
    """A run or file by itself is a list of one."""
    return [members] if isinstance(members, (FinishedRun, Path, str)) else members


def folder_of(run: Member, runs_dir: Path | str) -> Path:
    """The folder of a run, however it was given."""
    return run.folder if isinstance(run, FinishedRun) else open_run(run, runs_dir=runs_dir).folder
