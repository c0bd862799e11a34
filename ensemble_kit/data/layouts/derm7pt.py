"""Derm7pt (Kawahara et al. 2018): meta/meta.csv with a row a case, a clinical and a derm image.

The dermoscopic images are read; ``--columns image=clinic`` asks for the clinical ones. The split of
the publication (meta/train_indexes.csv …) becomes the column ``split``.
"""

from pathlib import Path

import pandas as pd

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place, header_of, tables_in
from ensemble_kit.data.layouts.reading import canonical
from ensemble_kit.data.tables import read_table

COLUMNS = {"case_num", "diagnosis", "derm", "clinic"}
SPLITS = {"train_indexes": "train", "valid_indexes": "val", "test_indexes": "test"}


def recognise(place: Place) -> Layout | None:
    tables = [t for t in place.tables if header_of(t) >= COLUMNS]
    if len(tables) != 1:
        return None
    root = place.root
    if place.named and place.root.name == "meta":
        root = place.root.parent
    extra = tuple(t for t in tables_in(tables[0].parent) if t.stem.lower() in SPLITS)
    return Layout("Derm7pt", root, tables[0], read, extra)


def read(layout: Layout, how: How) -> LayoutRows:
    table = read_table(layout.table)
    frame = table.frame
    split = _split(layout.extra, len(frame))
    if split is not None:
        frame = frame.assign(split=split)
    given = {"image": "derm", **how.columns}
    if "patient" not in given and "group" not in given:
        given["patient"] = "case_id" if "case_id" in frame.columns else "case_num"
    rows = canonical(frame, layout.table, How(given, how.level))
    hints = rows.frame["hint"] if "hint" in rows.frame else pd.Series("", index=rows.frame.index)
    inside = (layout.root / "images").is_dir()
    fixed = hints.map(lambda path: f"images/{path}" if path and inside else path)
    note = f"image: {given['image']} (a case has a derm and a clinic image; --columns image=…)"
    return LayoutRows(rows.frame.assign(hint=fixed), rows.told, (*table.notes, *rows.notes, note))


def _split(tables: tuple[Path, ...], n: int) -> list[str] | None:
    if not tables:
        return None
    split = [""] * n
    for path in tables:
        frame = read_table(path).frame
        for cell in frame[frame.columns[-1]]:
            if not cell.isdecimal() or int(cell) >= n:
                raise DataError(f"{path}: {cell!r} is no row of meta.csv (0 to {n - 1})")
            split[int(cell)] = SPLITS[path.stem.lower()]
    return split
