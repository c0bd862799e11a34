"""Images with a table: metadata.csv, HAM10000's, ISIC's ground truth, any table of paths."""

from pathlib import Path

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place, tables_in
from ensemble_kit.data.layouts.reading import add_extra, canonical
from ensemble_kit.data.tables import read_table


def recognise(place: Place) -> Layout | None:
    """metadata.csv, else HAM10000's, else the one ground truth, else the only table."""
    if not place.tables:
        return None
    if place.named:
        return of_table(place.named.parent, place.named, tables_in(place.named.parent))
    return of_table(place.root, _main(place.root, place.tables), place.tables)


def of_table(root: Path, table: Path, tables: list[Path]) -> Layout:
    if _is_ham(table):
        folders = [p for p in root.iterdir() if p.is_dir()]
        parts = [folder for folder in folders if "_images_part_" in folder.name.lower()]
        kind = "two image parts" if parts else "one image folder"
        return Layout(f"HAM10000, {kind}", root, table, read)
    if _is_truth(table):
        start = table.stem.lower().partition("groundtruth")[0]
        wanted = (f"{start}metadata", f"{start}lesiongroupings")
        extra = tuple(t for t in tables if t.stem.lower() in wanted)
        return Layout("ISIC ground truth", root, table, read, extra)
    return Layout("images with a metadata table", root, table, read)


def read(layout: Layout, how: How) -> LayoutRows:
    """The table's rows; a one-hot table is turned into labels."""
    found = read_table(layout.table)
    rows = canonical(found.frame, layout.table, how)
    rows = add_extra(rows, layout.extra, how)
    return LayoutRows(rows.frame, rows.told, (*found.notes, *rows.notes))


def _main(root: Path, tables: list[Path]) -> Path:
    for wanted in (_is_metadata, _is_ham, _is_truth):
        chosen = [table for table in tables if wanted(table)]
        if len(chosen) == 1:
            return chosen[0]
        if len(chosen) > 1:
            raise DataError(
                f"{root} has {some(table.name for table in chosen)}: one of them must hold the "
                "diagnoses; name it: --data FILE.csv"
            )
    if len(tables) == 1:
        return tables[0]
    raise DataError(
        f"{root} has {some(table.name for table in tables)}, none called metadata.csv, "
        "HAM10000_metadata.csv or …GroundTruth.csv; name the one with the diagnoses: "
        "--data FILE.csv"
    )


def _is_metadata(table: Path) -> bool:
    return table.stem.lower() == "metadata"


def _is_ham(table: Path) -> bool:
    return table.stem.lower() == "ham10000_metadata"


def _is_truth(table: Path) -> bool:
    return "groundtruth" in table.stem.lower()
