"""Groups: images that tell of the same patient, the same lesion or the same moment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import regex
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ensemble_kit.core.alignment import spelled_as
from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.records import ImageTable, Ints, Strings
from ensemble_kit.data.images import case_note, id_of
from ensemble_kit.data.tables import read_table

LONGEST_SEARCH = 2.0
PAIR_COLUMNS = (("from_img", "to_img"), ("image_1", "image_2"), ("image_a", "image_b"))


def union_groups(
    image_ids: Strings, lesions: Strings, patients: Strings, pairs: Ints | None = None,
    more: Strings | None = None,
) -> Strings:  # fmt: skip
    """(n,) str group names: the connected components over patient, lesion and duplicate pairs.

    lesions, patients : (n,) str, ``""`` where unknown. pairs : (m, 2) int rows that belong
    together. more : (n,) str, a further grouping, ``""`` where unknown. A group is named by its
    smallest patient id, else of ``more``, else lesion id, else image id.
    """
    n = len(image_ids)
    edges = [np.empty((0, 2), np.int64) if pairs is None else np.asarray(pairs, np.int64)]
    kinds = {"image": image_ids, "lesion": lesions, "group": more, "patient": patients}
    for names in (lesions, patients, more):
        if names is None:
            continue
        rows = np.flatnonzero(names != "")
        codes = pd.factorize(names[rows].astype(object))[0]
        if len(rows):
            first = np.unique(codes, return_index=True)[1]
            edges.append(np.column_stack([rows, rows[first][codes]]))
    links = np.concatenate(edges)
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(n, n))
    component = connected_components(graph, directed=False)[1]
    return _named(component, {kind: ids for kind, ids in kinds.items() if ids is not None})


NO_GROUPS = (
    "no groups are known: every image counts as independent; where several show one lesion or "
    "patient, name the column that says so: --columns lesion=COLUMN or patient=COLUMN"
)


def groups_known(lesions: Strings, patients: Strings, groups: Strings) -> bool:
    """Whether a lesion or patient is named, or some group holds more than one image."""
    named = bool((lesions != "").any() or (patients != "").any())
    return named or len(pd.unique(groups.astype(object))) < len(groups)


def in_groups(table: ImageTable) -> tuple[str, str]:
    """``60 images in 40 groups`` and what intervals resample; without groups, that none are known
    and images."""
    images = count(len(table), "image")
    if groups_known(table.lesions, table.patients, table.groups):
        return f"{images} in {count(table.n_groups, 'group')}", "groups"
    return f"{images} without known groups", "images"


def independence(
    lesions: Strings, patients: Strings, groups: Strings, whole: str = "images"
) -> tuple[str, str]:
    """A warning where every image is a group of its own and no id says so, and a note where some
    images have neither patient nor lesion; ``""`` otherwise."""
    known = (lesions != "") | (patients != "")
    alone = int((~known).sum())
    if not known.any():
        return ("" if groups_known(lesions, patients, groups) else NO_GROUPS), ""
    if not alone:
        return "", ""
    return "", (
        f"{alone:,} of {len(known):,} {whole} have neither patient nor lesion: each of them counts "
        "as independent unless something else groups it"
    )


def read_pairs(path: Path, image_ids: Strings) -> tuple[Ints, list[str], list[str]]:
    """(m, 2) int rows of near-duplicate pairs, with notes and warnings: a table with two columns of
    image ids or file names, with or without a header line.

    Columns ``from_img, to_img``, ``image_1, image_2`` or ``image_a, image_b``, else the first two.
    A pair with an image outside the table is left out and told of; DataError if most are.
    """
    row_of = {str(name): row for row, name in enumerate(image_ids)}
    read = read_table(path, {name.lower() for name in row_of})
    frame = read.frame
    if frame.shape[1] < 2:
        raise DataError(f"{path}: needs two columns of image ids, a pair a row")
    chosen = next((p for p in PAIR_COLUMNS if set(p) <= set(frame.columns)), None)
    left, right = chosen or (str(frame.columns[0]), str(frame.columns[1]))
    notes = list(read.notes)
    if not chosen and read.headed:
        notes.append(f"{path.name}: the pairs are its columns {left} and {right}")
    sides = [frame[left].map(id_of).tolist(), frame[right].map(id_of).tolist()]
    spelled, changed = spelled_as(list(dict.fromkeys(sides[0] + sides[1])), image_ids)
    if changed:
        notes.append(case_note(path.name, "the data set's", changed))
    as_there = dict(zip(dict.fromkeys(sides[0] + sides[1]), spelled, strict=True))
    named = [(as_there[a], as_there[b]) for a, b in zip(*sides, strict=True)]
    known = [(row_of[a], row_of[b]) for a, b in named if a in row_of and b in row_of]
    strange = list(dict.fromkeys(n for pair in named for n in pair if n not in row_of))
    left_out = len(named) - len(known)
    if not known or left_out > len(named) / 2:
        none = "none" if not known else f"only {len(known):,}"
        raise DataError(
            f"{path}: {none} of its {len(named):,} pairs names two images of the data set (it "
            "has no "
            f"{some(strange)}); give ids as the data set has them, in columns from_img, to_img"
        )
    notes.append(f"{path.name}: {len(known):,} of {count(len(named), 'pair')} used")
    warnings = []
    if left_out:
        warnings.append(
            f"{path.name}: {count(left_out, 'pair')} left out, as the data set has no "
            f"{some(strange)}"
        )
    return np.array(known, dtype=np.int64), notes, warnings


def pattern_groups(pattern: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What a regular expression captures in each file's name (its whole match without a capture),
    ``""`` where it does not fit. Raises DataError where it fits none, is not valid, or takes more
    than ``LONGEST_SEARCH`` seconds for a name, as nested repeats may."""
    try:
        compiled = regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise DataError(f"--group-pattern {pattern!r} is no regular expression: {error}") from None
    found = []
    for name in names:
        try:
            match = compiled.search(
                name.rpartition("/")[2], timeout=LONGEST_SEARCH
            ) or compiled.search(name, timeout=LONGEST_SEARCH)
        except (TimeoutError, MemoryError, RecursionError):
            raise DataError(
                f"--group-pattern {pattern!r} tries too many ways to fit {name!r}: repeats within "
                "repeats, such as (a+)+, take ever longer; give each part one repeat"
            ) from None
        captured = [part for part in match.groups() if part] if match else []
        found.append("-".join(captured) if captured else match.group(0) if match else "")
    fits = sum(1 for name in found if name)
    if not fits:
        raise DataError(
            f"--group-pattern {pattern!r} fits none of the {len(names):,} file names, such as "
            f"{some(names, 3)}; give one whose brackets hold the patient"
        )
    groups = len({name for name in found if name})
    return found, [
        f"group: '{pattern}' fits {fits:,} of {count(len(names), 'image')}, "
        f"{count(groups, 'group')}; "
        "the others stand alone unless another column groups them"
    ]


def _named(component: Ints, named: Mapping[str, Strings]) -> Strings:
    """Smallest patient, group, lesion or image id of each component; the kind is added on a "
    "clash."""
    n_components = int(component.max(initial=-1)) + 1
    names = np.full(n_components, "", dtype=object)
    kinds = np.full(n_components, "", dtype=object)
    for kind, ids in reversed(list(named.items())):
        rows = np.flatnonzero((ids != "") & (kinds[component] == ""))
        codes, values = pd.factorize(ids[rows].astype(object), sort=True)
        least = np.full(n_components, len(values), np.int64)
        np.minimum.at(least, component[rows], codes)
        there = least < len(values)
        names[there], kinds[there] = values[least[there]], kind
    clash = pd.Series(names).duplicated(keep=False).to_numpy()
    names[clash] = [f"{k}:{v}" for k, v in zip(kinds[clash], names[clash], strict=True)]
    return np.asarray(names[component], dtype=np.str_)
