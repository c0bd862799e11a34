"""Counts of images, groups and folds; the leakage certificate; the flow of images."""

from collections import Counter
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import StudyError, count
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.groups import groups_known
from ensemble_kit.metrics.slices import banded
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Table
from ensemble_kit.reporting.view.data import ClassInfo, Data, FlowStep
from ensemble_kit.study.vocabulary import Vocabulary, read_vocabulary

MOST_LEVELS = 30


def build_data(source: ReportedRun) -> Data:
    table, folds = source.run.table, source.run.folds
    sizes = np.bincount(table.group_codes)
    return Data(
        source=Path(source.study.data.path).name,
        images=len(table),
        groups=table.n_groups,
        lesions=_named(table.lesions),
        patients=_named(table.patients),
        n_folds=folds.n_folds,
        crossing_groups=crossing_groups(source),
        group_rule=_group_rule(table),
        groups_known=groups_known(table.lesions, table.patients, table.groups),
        folds_digest=source.run.manifest.folds_digest
        or (folds.digest if folds.n_folds > 1 else ""),
        data_digest=source.run.manifest.data_digest or table.digest,
        group_sizes=tuple(sorted((int(s), int(n)) for s, n in Counter(sizes.tolist()).items())),
        classes=_classes(source),
        flow=_flow(source),
        characteristics=_characteristics(table),
    )


def crossing_groups(source: ReportedRun) -> int:
    """Groups with images in more than one fold."""
    folds = source.run.folds
    pairs = np.unique(np.stack([source.run.table.group_codes, folds.fold]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())


def _classes(source: ReportedRun) -> tuple[ClassInfo, ...]:
    table, folds, cases = source.run.table, source.run.folds, source.cases
    full_names = _full_names(source)
    found = []
    for code, name in enumerate(table.class_names):
        own = table.labels == code
        by_fold = np.bincount(folds.fold[own], minlength=folds.n_folds)
        found.append(
            ClassInfo(
                name=name,
                full_name=full_names[code],
                images=int(own.sum()),
                groups=cases.groups_with[name][0],
                by_fold=tuple(int(n) for n in by_fold) if folds.n_folds > 1 else (),
                malignant=bool(cases.malignant[code]),
            )
        )
    return tuple(found)


def _full_names(source: ReportedRun) -> tuple[str, ...]:
    """By the study's vocabulary; none where its file is no longer there."""
    try:
        vocabulary = read_vocabulary(source.study.data.vocabulary)
    except StudyError:
        vocabulary = Vocabulary()
    return vocabulary.full_names(source.run.table.class_names)


def _group_rule(table: ImageTable) -> str:
    parts = []
    if _named(table.patients):
        parts.append("the patient")
    if _named(table.lesions):
        parts.append("the lesion")
    if not parts:
        known = groups_known(table.lesions, table.patients, table.groups)
        return "the groups given" if known else "single images (no patient or lesion is named)"
    return " and ".join(parts) + ", and near-duplicates where a list of them was given"


def _flow(source: ReportedRun) -> tuple[FlowStep, ...]:
    run, table = source.run, source.run.table
    known = groups_known(table.lesions, table.patients, table.groups)
    excluded = run.manifest.facts.get("exclusions", {})
    removed = (
        tuple(f"{why}: {n}" for why, n in excluded.items()) if isinstance(excluded, dict) else ()
    )
    people = f" of {count(_named(table.patients), 'patient')}" if _named(table.patients) else ""
    steps = [
        FlowStep(
            title=count(len(table), "labelled image"),
            lines=(
                f"{count(table.n_groups, 'group')}{people}" if known else "no groups are known",
                f"{table.n_classes} classes",
            ),
            removed=removed,
        )
    ]
    if run.folds.n_folds > 1:
        sizes = np.bincount(run.folds.fold, minlength=run.folds.n_folds)
        crossing = crossing_groups(source)
        steps.append(
            FlowStep(
                title=f"{run.folds.n_folds} folds" + (", whole groups" if known else ""),
                lines=(
                    f"{sizes.min():,} to {sizes.max():,} images a fold",
                    f"{crossing} of {table.n_groups:,} groups in two folds"
                    if known
                    else "every image counts as independent",
                ),
            )
        )
    what = "predicted out of fold" if run.folds.n_folds > 1 else "predicted"
    steps.append(
        FlowStep(title=f"{len(run.predictions):,} images {what}", lines=("each exactly once",))
    )
    steps.append(
        FlowStep(
            title="Figures with group intervals" if known else "Figures with intervals",
            lines=(
                f"{source.spec.replicates:,} resamples of {table.n_groups:,} "
                + ("groups" if known else "images"),
            ),
        )
    )
    return tuple(steps)


def _characteristics(table: ImageTable) -> Table:
    """Images of each class at each level of the metadata columns."""
    rows = []
    for column, values in table.slices.items():
        levels = banded(column, values)
        names = np.unique(levels)
        if not 1 < len(names) <= MOST_LEVELS:
            continue
        for level in names:
            counts = np.bincount(table.labels[levels == level], minlength=table.n_classes)
            rows.append((column, str(level), int(counts.sum()), *(int(n) for n in counts)))
    return Table(columns=("column", "level", "images", *table.class_names), rows=tuple(rows))


def _named(names: Strings) -> int:
    """How many different names there are, the empty one left out."""
    return len(set(names.tolist()) - {""})
