"""Members of an ensemble, gathered from runs and from files and checked to belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.errors import PredictionsError, SplitError, count, some
from ensemble_kit.core.records import Bools, Folds, ImageTable, Predictions
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.posthoc.crossfit import Members
from ensemble_kit.runs.folder import read_probe, read_run
from ensemble_kit.runs.paths import PROBE, oof_of_repeat
from ensemble_kit.runs.tables import find_oof_of_repeat, read_folds
from ensemble_kit.splits import check_folds, make_folds
from ensemble_kit.study import DataSpec
from ensemble_kit.workflows.joining import check_once
from ensemble_kit.workflows.matching import (
    Given,
    inherited_warning,
    match,
    read_given,
    warnings_of_file,
)


@dataclass(frozen=True, eq=False)
class Member:
    """One member as found. table and folds are None where its file knows no labels."""

    name: str
    origin: str
    predictions: Predictions
    table: ImageTable | None = None
    folds: Folds | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def take(self, rows: Bools) -> "Member":
        """The member on some of its images."""
        p = self.predictions
        kept = Predictions(p.image_ids[rows], p.class_names, p.probabilities[rows])
        f = self.folds
        return replace(
            self,
            predictions=kept,
            table=None if self.table is None else self.table.take(rows),
            folds=None
            if f is None
            else Folds(f.image_ids[rows], f.groups[rows], f.fold[rows], f.n_folds, f.seed),
        )


@dataclass(frozen=True, eq=False)
class Gathered:
    """Members with one truth and one set of outer folds, all in the same order of images.

    warnings : those of the members' runs come first. optimistic : members whose run warns of
    optimistic figures (epochs chosen on the rows they are judged on, settings tuned on them).
    """

    table: ImageTable
    folds: Folds
    members: Members
    origins: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    optimistic: tuple[str, ...] = ()


def gather(
    runs: Sequence[Path],
    predictions: Sequence[Path],
    truth: Path | None = None,
    folds_file: Path | None = None,
    align: bool = False,
    seed: int = 0,
    probes: Sequence[Path] = (),
    asked: Asked | None = None,
    data: DataSpec | None = None,
) -> Gathered:
    """Read members from run folders and prediction files.

    truth, folds_file, asked, data : of the files, as ``evaluate`` takes them
    (:func:`~ensemble_kit.workflows.matching.read_given`).
    probes : run folders whose linear probe on the frozen features is a member too.

    Images, labels and classes must agree; ``align`` keeps the images that all have. Different
    folds are accepted only where every member's respect the groups: new outer folds are then drawn
    with ``seed``. Raises PredictionsError or SplitError naming what differs.
    """
    check_once(runs, "run")
    check_once(probes, "probe")
    sources = [source for folder in runs for source in _from_run(folder)]
    sources += [_from_probe(folder) for folder in probes]
    given = read_given(predictions, truth, asked, data) if predictions else Given((), ())
    sources += [_from_table(given, place, folds_file, align) for place in range(len(given.tables))]
    if not sources:
        raise PredictionsError("an ensemble needs members: name runs or give --predictions files")
    sources = _named_apart(sources)
    read = [*given.notes, *(note for source in sources for note in source.notes)]
    notes = list(dict.fromkeys(read))
    for source in sources:
        _check_classes(source, sources[0])
    sources, more = _same_images(sources, align)
    table, folds, warnings, redrawn = _one_truth(sources, seed)
    first = table.class_names
    tables = [_in_columns(s, first).in_order_of(table.image_ids) for s in sources]
    members = Members(
        tuple(source.name for source in sources),
        table.image_ids,
        first,
        np.stack([p.probabilities for p in tables]),
    )
    origins = tuple(source.origin for source in sources)
    inherited = list(dict.fromkeys(text for s in sources for text in s.warnings))
    inherited += _same_members(members)
    return Gathered(
        table,
        folds,
        members,
        origins,
        tuple(notes + more + redrawn),
        tuple(inherited + warnings),
        tuple(s.name for s in sources if any("optimistic" in text for text in s.warnings)),
    )


def _same_members(members: Members) -> list[str]:
    """A warning for each member whose probabilities are another's."""
    stack, names = members.probabilities, members.names
    return [
        f"{names[k]} gives the probabilities of {names[first]} for every image: it is one model, "
        "which an average counts twice"
        for k in range(len(names))
        for first in [j for j in range(k) if np.array_equal(stack[j], stack[k])][:1]
    ]


def _from_run(folder: Path) -> list[Member]:
    """The run; in its place each of its repeats where their probabilities are stored apart."""
    run = read_run(folder)
    found = []
    draws = read_folds(folder, run.table.class_names, run.table.root)[1]
    for repeat, folds in enumerate(draws):
        stored = find_oof_of_repeat(folder, repeat)
        if stored is not None:
            p, origin = stored.in_order_of(run.table.image_ids), folder / oof_of_repeat(repeat)
            found.append(Member(f"{run.name} repeat {repeat}", str(origin), p, run.table, folds))
    found = found or [Member(run.name, str(folder), run.predictions, run.table, run.folds)]
    warnings = tuple(inherited_warning(run.name, text) for text in run.manifest.warnings)
    return [replace(source, warnings=warnings) for source in found]


def _from_probe(folder: Path) -> Member:
    """The linear probe of a run, named ``run:probe``."""
    run = read_run(folder)
    predictions = read_probe(folder).in_order_of(run.table.image_ids)
    origin = str(folder / PROBE)
    return Member(f"{run.name}:probe", origin, predictions, run.table, run.folds)


def _from_table(given: Given, place: int, folds_file: Path | None, align: bool) -> Member:
    """One table of predictions; without labels or truth of its own it follows the other members."""
    table, name = given.tables[place], given.names[place]
    if table.labels is None and given.known is None:
        warnings = (*warnings_of_file(Path(table.source)), *table.warnings)
        return Member(name, table.source, table.predictions, notes=table.notes, warnings=warnings)
    alone = replace(given, tables=(table,), names=(name,))
    matched = match(alone, folds_file, align=align and given.known is not None)
    predictions = matched.members[0][1]
    return Member(
        name, table.source, predictions, matched.table, matched.folds, matched.notes,
        matched.warnings,
    )  # fmt: skip


def _named_apart(sources: list[Member]) -> list[Member]:
    taken: dict[str, int] = {}
    named = []
    for source in sources:
        taken[source.name] = taken.get(source.name, 0) + 1
        again = taken[source.name]
        named.append(source if again == 1 else replace(source, name=f"{source.name} ({again})"))
    return named


def _same_images(sources: list[Member], align: bool) -> tuple[list[Member], list[str]]:
    sets = [set(source.predictions.image_ids.tolist()) for source in sources]
    common = set.intersection(*sets)
    if all(len(s) == len(common) for s in sets):
        return sources, []
    for source, ids in zip(sources[1:], sets[1:], strict=True):
        apart = sorted(sets[0] ^ ids)
        if apart and not align:
            raise PredictionsError(
                f"{sources[0].origin} and {source.origin} have different images: {some(apart)} in "
                "only one of them; give --align to keep the images that all members have"
            )
    if not common:
        raise PredictionsError("the members have no image in common: are they of one data set?")
    kept = [s.take(np.isin(s.predictions.image_ids, sorted(common))) for s in sources]
    most = max(len(ids) for ids in sets)
    shared = count(len(common), "image")
    return kept, [f"aligned: {shared} that all members have, of up to {most:,}"]


def _one_truth(sources: list[Member], seed: int) -> tuple[ImageTable, Folds, list[str], list[str]]:
    known = [s for s in sources if s.table is not None and s.folds is not None]
    if not known:
        raise PredictionsError(
            f"no labels in {some(s.origin for s in sources)}: an ensemble is fitted to labels; "
            "give files with a label column, or --truth"
        )
    reference = min(known, key=lambda s: s.table.n_groups if s.table else 0)
    table, folds = reference.table, reference.folds
    assert table is not None
    assert folds is not None
    ids = table.image_ids
    fold_of: list[tuple[Member, Folds]] = []
    warnings: list[str] = []
    for source in sources:
        if source.table is None or source.folds is None:
            warnings.append(f"{source.origin} has no labels or folds: taken to be out of fold")
            continue
        order = align_rows(source.predictions.image_ids, ids)
        _check_labels(reference, table, source, source.table.take(order))
        if apart := _other_groups(reference, source, table):
            warnings.append(
                f"members disagree about the groups: {apart}; those of {reference.name}, the "
                "larger, are used for folds and intervals"
            )
        if source.folds.n_folds == 1:
            warnings.append(f"{source.origin} does not say its folds: taken to be out of fold")
        else:
            fold = source.folds.fold[order]
            fold_of.append((source, Folds(ids, table.groups, fold, source.folds.n_folds)))
    if not fold_of:
        raise SplitError(
            f"no folds in {some(s.origin for s in sources)} (or one fold only): cross-fitting "
            "needs at least two; give a column 'fold' or --folds-file"
        )
    if all(np.array_equal(f.fold, fold_of[0][1].fold) for _, f in fold_of):
        for source, other in fold_of:
            _check_folds(reference, source, table, other, "")
        return table, fold_of[0][1], warnings, []
    for source, other in fold_of:
        first = fold_of[0][0].origin
        why = f"{source.origin} has other folds than {first}, and they do not respect the groups: "
        _check_folds(reference, source, table, other, why)
    n_folds = max(f.n_folds for _, f in fold_of)
    redrawn = make_folds(table, n_folds, seed)[0]
    note = (
        f"the members were made with different folds, all of which respect the groups; {n_folds} "
        f"new outer folds were drawn by group (seed {seed}) for everything fitted here"
    )
    return table, redrawn, warnings, [note]


def _check_folds(
    reference: Member, source: Member, table: ImageTable, folds: Folds, why: str
) -> None:
    """Raise SplitError where folds part groups, or where members mean other groups by them."""
    try:
        check_folds(table, folds)
    except SplitError as error:
        apart = _other_groups(reference, source, table)
        if not apart:
            raise SplitError(f"{why}{error}") from None
        raise SplitError(
            f"{reference.origin} and {source.origin} disagree about the groups: {apart}; give "
            "--truth with one table of patients and lesions for all members, and members whose "
            "folds keep those groups whole"
        ) from None


def _other_groups(reference: Member, source: Member, table: ImageTable) -> str:
    """Images of one group in the table that are several in a member, in words; "" for none."""
    theirs = source.table
    if theirs is None or source.folds is None:
        return ""
    theirs = theirs.take(align_rows(theirs.image_ids, table.image_ids))
    frame = pd.DataFrame({"ours": table.groups, "theirs": theirs.groups, "image": table.image_ids})
    several = frame.groupby("ours")["theirs"].nunique()
    names = several.index[several > 1]
    said = []
    for name in names[:2]:
        rows = frame[frame["ours"] == name].drop_duplicates("theirs")[:2]
        images, groups = " and ".join(rows["image"]), " and ".join(rows["theirs"])
        said.append(
            f"{images} are one ({name}) in {reference.name} and two ({groups}) in {source.name}"
        )
    rest = f"; so {len(names) - 2:,} more groups" if len(names) > 2 else ""
    return "; ".join(said) + rest


def _check_labels(reference: Member, table: ImageTable, source: Member, theirs: ImageTable) -> None:
    ours_named = np.char.lower(np.array(table.class_names)[table.labels])
    theirs_named = np.char.lower(np.array(theirs.class_names)[theirs.labels])
    differing = table.image_ids[ours_named != theirs_named]
    if len(differing):
        raise PredictionsError(
            f"{reference.origin} and {source.origin} disagree about the labels of "
            f"{some(differing)}: members are judged against one truth; mend the labels or give "
            "--truth"
        )


def _check_classes(source: Member, first: Member) -> None:
    theirs, ours = (s.predictions.class_names for s in (source, first))
    differing = sorted({name.lower() for name in ours} ^ {name.lower() for name in theirs})
    if differing:
        raise PredictionsError(
            f"{first.origin} and {source.origin} have different classes: {some(differing)} in only "
            "one of them; give predictions of the same classes"
        )
    never = source.predictions.probabilities.max(axis=0, initial=0.0) == 0.0
    if never.any():
        raise PredictionsError(
            f"{source.origin}: probability 0 of {some(np.array(theirs)[never])} in every row: a "
            "class never predicted cannot be weighed or calibrated; drop the column and its "
            "images, or the member"
        )


def _in_columns(source: Member, names: tuple[str, ...]) -> Predictions:
    p = source.predictions
    place = {name.lower(): column for column, name in enumerate(p.class_names)}
    columns = [place[name.lower()] for name in names]
    return Predictions(p.image_ids, names, p.probabilities[:, columns])
