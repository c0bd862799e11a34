"""`check`: what a data set holds, whether it would spoil a run, and the folds it would make."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ensemble_kit.core.errors import (
    DataError,
    EnsembleKitError,
    SplitError,
    StudyError,
    count,
    some,
)
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.data.dataset import SAMPLE, DataSet
from ensemble_kit.data.decode import MEND_ALL
from ensemble_kit.data.depth import depth_note
from ensemble_kit.data.survey import Survey, dull_warnings, survey
from ensemble_kit.splits import audit_split, make_folds, read_folds_file
from ensemble_kit.splits.folds_file import read_image_list, read_sides
from ensemble_kit.study import DataSpec
from ensemble_kit.workflows.inputs import load_dataset


@dataclass(frozen=True, eq=False)
class Checked:
    """What was found. layout : how the data set was read. folds : None where a split was audited,
    or none could be drawn. problem : what would spoil a run, None for a sound data set. read : what
    was taken for what. seen : warnings of the pixels."""

    layout: str
    images: ImageTable
    survey: Survey
    folds: Folds | None
    problem: EnsembleKitError | None
    read: DataSet
    seen: tuple[str, ...] = ()


def check(
    data: Path | str | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    split: Path | None = None,
    split_test: Path | None = None,
    duplicates: Path | None = None,
    reading: DataSpec | None = None,
    no_images: bool = False,
    quick: bool = False,
    jobs: int = 2,
    tell: Tell = say_nothing,
) -> Checked:
    """Read a data set, look at every image, draw folds or audit a split made elsewhere.

    split : table that lists the training images (with ``split_test``), or a table with a column
    ``fold``, or ``split`` of train, val and test. quick : read image headers only. tell : hears
    "begin" (total), "step" (n). Raises DataError where the tables cannot be read; what else would
    spoil a run is in the result, so that all of it can be shown.
    """
    if split_test and not split:
        raise StudyError("--split-test needs --split, the training side")
    reading = reading or DataSpec()
    if duplicates:
        reading = reading.model_copy(update={"duplicates": str(duplicates)})
    read = load_dataset(data, reading, require_images=not no_images)
    table = read.table
    tell("begin", total=len(table))
    found = survey(table, quick=quick, jobs=jobs, on_progress=lambda n: tell("step", n=n))
    problem: EnsembleKitError | None = _unreadable(found)
    drawn = None
    try:
        if split:
            read = replace(read, notes=(*read.notes, *_audit(table, split, split_test)))
        else:
            drawn = make_folds(table, folds, seed)[0]
    except EnsembleKitError as error:
        problem = problem or error
    layout = "the built-in sample" if str(data) == SAMPLE else read.layout
    return Checked(layout, table, found, drawn, problem, read, tuple(_seen(found)))


def _seen(found: Survey) -> list[str]:
    """What looking at the pixels showed, as warnings."""
    seen = [depth_note(found.bits)] if found.bits != 16 else []
    return [*seen, *dull_warnings(found.constant, found.dark)]


def _unreadable(found: Survey) -> DataError | None:
    if not found.unreadable:
        return None
    return DataError(
        f"{count(len(found.unreadable), 'image')} of {found.n_images:,} cannot be used: "
        f"{some(found.unreadable)}; {MEND_ALL}"
    )


def _audit(table: ImageTable, split: Path, split_test: Path | None) -> list[str]:
    """What was read of the split; SplitError where it parts groups."""
    said: list[str] = []

    def tell(kind: str, told: str = "", notes: Sequence[str] = (), **facts: object) -> None:
        said.extend(filter(None, (told, *notes)))

    if split_test is not None:
        lists = [read_image_list(path, table, tell) for path in (split, split_test)]
        sides = {"training": lists[0], "test": lists[1]}
    else:
        found = read_sides(split, table, tell)
        if found is None:
            read_folds_file(split, table, tell)
            return said
        sides = {"training" if name == "train" else name: ids for name, ids in found.items()}
    there = [name for name, ids in sides.items() if len(ids)]
    for one, other in combinations(there, 2):
        audit = audit_split(table, sides[one], sides[other], (one, other))
        if audit.leaks:
            raise SplitError(audit.complaint())
    return said
