"""DDI, Diverse Dermatology Images (Daneshjou et al. 2022): ddi_metadata.csv and PNG images.

The label is ``malignant`` (True, False) as in its publication; ``--columns label=disease`` asks
for the 78 diseases. No patients are known.
"""

from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place, header_of
from ensemble_kit.data.layouts.tables import read as read_rows

NAMES = {"true": "malignant", "false": "benign", "1": "malignant", "0": "benign"}


def recognise(place: Place) -> Layout | None:
    tables = [t for t in place.tables if {"ddi_file", "malignant"} <= header_of(t)]
    if len(tables) != 1:
        return None
    return Layout("DDI", place.root, tables[0], read)


def read(layout: Layout, how: How) -> LayoutRows:
    if "label" in how.columns:
        return read_rows(layout, how)
    rows = read_rows(layout, How({**how.columns, "label": "malignant"}, how.level))
    dx = rows.frame["dx"].str.lower().map(lambda value: NAMES.get(value, value))
    note = "label: malignant, True and False written as malignant and benign (not disease)"
    return LayoutRows(rows.frame.assign(dx=dx), rows.told, (*rows.notes, note))
