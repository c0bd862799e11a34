"""ISIC 2024 (SLICE-3D): train-metadata.csv and one HDF5 file of JPEG bytes, an entry an image."""

from pathlib import Path

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place
from ensemble_kit.data.layouts.tables import of_table
from ensemble_kit.data.layouts.tables import recognise as recognise_tables
from ensemble_kit.data.references import MARK, hdf5_names

ENDINGS = (".h5", ".hdf5")


def recognise(place: Place) -> Layout | None:
    """A table beside exactly one HDF5 file of a like name (train-metadata, train-image), or the
    only one of each."""
    files = [p for p in sorted(place.root.iterdir()) if _holds_images(p)]
    if not files or (place.named and not place.images):
        return None
    tables = [place.named] if place.named else list(place.tables)
    pairs = [
        (t, f)
        for t in tables
        for f in files
        if t and t.stem.lower().partition("-")[0] == f.stem.lower().partition("-")[0]
    ]
    if len(pairs) > 1:
        named = [(t, f) for t, f in pairs if "metadata" in t.stem.lower()]
        trained = [(t, f) for t, f in named if t.stem.lower().startswith("train")]
        pairs = named if len(named) == 1 else trained
    if len(pairs) != 1:
        main = recognise_tables(place) if len(files) == 1 else None
        if main is None:
            raise DataError(
                f"{place.root} has {some(f.name for f in files)}: name the table of one: --data "
                "FILE.csv"
            )
        pairs = [(main.table, files[0])]
    table, file = pairs[0]
    return Layout("ISIC 2024: a table and one HDF5 file", place.root, table, read, (file,))


def _holds_images(path: Path) -> bool:
    """An HDF5 file, but not Keras' weights."""
    name = path.name.lower()
    return name.endswith(ENDINGS) and not name.endswith(".weights.h5") and path.is_file()


def read(layout: Layout, how: How) -> LayoutRows:
    rows = _table_rows(layout, how)
    file = layout.extra[0]
    ids = rows.frame["image_id"]
    there = hdf5_names(file)
    missing = ids[~ids.isin(there)]
    if len(missing):
        raise DataError(
            f"{file}: no entry for {some(missing)} ({count(len(there), 'entry', 'entries')} "
            "there): "
            "every row needs an entry of its image id; give the file that belongs to "
            f"{layout.table.name}"
        )
    references = [f"{file.name}{MARK}{name}" for name in ids.tolist()]
    note = f"image: bytes from the entries of {file.name}"
    return LayoutRows(rows.frame.assign(reference=references), rows.told, (*rows.notes, note))


def _table_rows(layout: Layout, how: How) -> LayoutRows:
    table: Path = layout.table
    plain = of_table(table.parent, table, [table])
    return plain.read(plain, how)
