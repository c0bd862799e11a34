"""The classes of another data set in a model's own words: a table of from and to."""

from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import Bools, ImageTable
from ensemble_kit.data.tables import read_rows

IGNORE = "ignore"


def read_class_map(path: Path) -> dict[str, str]:
    """``from`` -> ``to`` of a CSV with these two columns, lower-case; ``to`` may be ``ignore``."""
    frame = read_rows(path)
    if not {"from", "to"} <= set(frame.columns):
        raise DataError(
            f"{path}: it has the columns {some(frame.columns)}; a map of classes has the columns "
            "from and to"
        )
    pairs = {
        str(a).lower(): str(b).lower() for a, b in zip(frame["from"], frame["to"], strict=True)
    }
    if len(pairs) < len(frame):
        raise DataError(f"{path}: a class is mapped twice; give every class one row")
    return pairs


def with_classes_of(
    table: ImageTable,
    class_names: tuple[str, ...],
    mapping: dict[str, str] | None = None,
    source: Path | None = None,
) -> tuple[ImageTable, Bools]:
    """The images whose class the model knows, labelled in its classes, and which rows they are.

    mapping : their class -> the model's, or ``ignore``; classes not in it keep their name. source :
    its file, which errors name.
    Raises DataError for a class that is mapped to none the model knows.
    """
    known = {name.lower(): code for code, name in enumerate(class_names)}
    target = [(mapping or {}).get(name.lower(), name.lower()) for name in table.class_names]
    present = set(np.unique(table.labels).tolist())
    strange = [
        f"{name!r}" + (f" (mapped to {to!r})" if to != name.lower() else "")
        for code, (name, to) in enumerate(zip(table.class_names, target, strict=True))
        if code in present and to not in known and to != IGNORE
    ]
    named = "" if source is None else f"{source}: "
    if strange:
        how = "--labels MAP.csv" if source is None else "a row of this map"
        raise DataError(
            f"{named}class {some(strange)} is none the model knows ({some(class_names, 20)}): map "
            f"it with {how} (columns from and to; to may be ignore)"
        )
    codes = np.array([known.get(to, -1) for to in target], dtype=np.int64)[table.labels]
    kept = codes >= 0
    if not kept.any():
        raise DataError(
            f"{named}every image has a class that is ignored, so nothing is left to validate on: "
            "map a class to one the model knows"
        )
    part = table.take(kept)
    return (
        ImageTable(
            image_ids=part.image_ids,
            groups=part.groups,
            labels=codes[kept],
            class_names=class_names,
            lesions=part.lesions,
            patients=part.patients,
            paths=part.paths,
            slices=part.slices,
            root=part.root,
        ),
        kept,
    )
