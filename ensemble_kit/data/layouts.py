"""Recognising how a data set lies on disk."""

from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.errors import DataError, some

TABLES = (".csv", ".tab", ".tsv")
HOW = (
    "a data folder holds images/ and metadata.csv (image_id, dx, …), HAM10000_metadata.csv with "
    "its images, or an ISIC ground truth CSV with its images; see docs/data.md, or use "
    "`--data sample`"
)


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    name : in words. root : folder the image paths are relative to. table : CSV with the diagnoses.
    extra : CSVs with further columns by image (ISIC's metadata, lesion groupings).
    """

    name: str
    root: Path
    table: Path
    extra: tuple[Path, ...] = ()


def find_layout(path: Path) -> Layout:
    """Recognise a data folder, or a data set named by its CSV. Raises DataError if it is none."""
    if path.is_file():
        if path.suffix.lower() not in TABLES:
            raise DataError(f"{path} is not a folder or a CSV file: {HOW}")
        return _of_table(path.parent, path, _tables(path.parent))
    if not path.is_dir():
        raise DataError(f"{path} does not exist: {HOW}")
    tables = _tables(path) or [table for folder in _folders(path) for table in _tables(folder)]
    if not tables:
        raise DataError(f"{path} has no CSV with the diagnoses: {HOW}")
    return _of_table(path, _main_table(path, tables), tables)


def _main_table(root: Path, tables: list[Path]) -> Path:
    """metadata.csv, else HAM10000's, else the one ground truth, else the only CSV."""
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


def _of_table(root: Path, table: Path, tables: list[Path]) -> Layout:
    if _is_ham(table):
        parts = [folder for folder in _folders(root) if "_images_part_" in folder.name.lower()]
        kind = "two image parts" if parts else "one image folder"
        return Layout(f"HAM10000, {kind}", root, table)
    if _is_truth(table):
        start = table.stem.lower().partition("groundtruth")[0]
        extra = [
            t for t in tables if t.stem.lower() in (f"{start}metadata", f"{start}lesiongroupings")
        ]
        return Layout("ISIC ground truth", root, table, tuple(extra))
    return Layout("images with a metadata table", root, table)


def _is_metadata(table: Path) -> bool:
    return table.stem.lower() == "metadata"


def _is_ham(table: Path) -> bool:
    return table.stem.lower() == "ham10000_metadata"


def _is_truth(table: Path) -> bool:
    return "groundtruth" in table.stem.lower()


def _tables(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in TABLES and p.is_file())


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
