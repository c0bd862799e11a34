"""Groups: images that tell of the same patient, the same lesion or the same moment."""

from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ensemble_kit.core.alignment import row_numbers
from ensemble_kit.core.errors import DataError
from ensemble_kit.core.records import Ints, Strings
from ensemble_kit.data.csvfiles import read_rows
from ensemble_kit.data.images import strip_extension

PAIR_COLUMNS = (("from_img", "to_img"), ("image_1", "image_2"), ("image_a", "image_b"))


def union_groups(
    image_ids: Strings, lesions: Strings, patients: Strings, pairs: Ints | None = None
) -> Strings:
    """(n,) str group names: the connected components over patient, lesion and duplicate pairs.

    lesions, patients : (n,) str, ``""`` where unknown. pairs : (m, 2) int rows that belong
    together. A group is named by its smallest patient id, else lesion id, else image id.
    """
    n = len(image_ids)
    edges = [np.empty((0, 2), np.int64) if pairs is None else np.asarray(pairs, np.int64)]
    for names in (lesions, patients):
        rows = np.flatnonzero(names != "")
        _, first, codes = np.unique(names[rows], return_index=True, return_inverse=True)
        if len(rows):
            edges.append(np.column_stack([rows, rows[first][codes]]))
    links = np.concatenate(edges)
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(n, n))
    component = connected_components(graph, directed=False)[1]
    return _named(component, image_ids, lesions, patients)


def read_pairs(path: Path, image_ids: Strings) -> Ints:
    """(m, 2) int rows of near-duplicate pairs: a CSV with two columns of image ids or file names.

    Columns ``from_img, to_img``, ``image_1, image_2`` or ``image_a, image_b``, else the first two.
    A pair with an image outside the table is left out; DataError if that leaves none.
    """
    frame = read_rows(path)
    if frame.shape[1] < 2:
        raise DataError(f"{path}: needs two columns of image ids, a pair a row")
    chosen = next((p for p in PAIR_COLUMNS if set(p) <= set(frame.columns)), None)
    left, right = chosen or (frame.columns[0], frame.columns[1])
    row_of = row_numbers(image_ids)
    named = [
        (row_of.get(strip_extension(a)), row_of.get(strip_extension(b)))
        for a, b in zip(frame[left], frame[right], strict=True)
    ]
    known = [(a, b) for a, b in named if a is not None and b is not None]
    if not known:
        raise DataError(
            f"{path}: none of its {len(named)} pairs names two images of the data set; "
            "give a CSV of image ids with columns from_img, to_img"
        )
    return np.array(known, dtype=np.int64)


def _named(component: Ints, image_ids: Strings, lesions: Strings, patients: Strings) -> Strings:
    """Smallest patient, lesion or image id of each component; the kind is added on a clash."""
    n_components = int(component.max(initial=-1)) + 1
    names = np.full(n_components, "", dtype=object)
    kinds = np.full(n_components, "", dtype=object)
    for kind, ids in (("image", image_ids), ("lesion", lesions), ("patient", patients)):
        rows = np.flatnonzero(ids != "")
        rows = rows[np.argsort(ids[rows], kind="stable")[::-1]]
        names[component[rows]] = ids[rows]
        kinds[component[rows]] = kind
    unique, counts = np.unique(names.astype(str), return_counts=True)
    clash = np.isin(names.astype(str), unique[counts > 1])
    names[clash] = [f"{k}:{v}" for k, v in zip(kinds[clash], names[clash], strict=True)]
    return np.asarray(names[component], dtype=np.str_)
