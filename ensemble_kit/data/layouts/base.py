"""What every layout gives: where its tables are and how they become rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

TABLES = (".csv", ".tab", ".tsv", ".txt", ".parquet", ".pq", ".npz")
HOW = (
    "a data folder holds images/ and metadata.csv (image_id, dx, …), a folder a class, "
    "HAM10000_metadata.csv with its images, or an ISIC ground truth CSV with its images; see "
    "docs/data.md, or use `--data sample`"
)


@dataclass(frozen=True)
class How:
    """How the user wants a data set read: see the study's section [data].

    columns : role -> column. level : of diagnosis_1, diagnosis_2 …; 0 the finest.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    level: int = 0


@dataclass(frozen=True, eq=False)
class LayoutRows:
    """The rows of a data set as read, in the order of its file.

    frame : str columns image_id, dx, lesion_id, patient_id (``""`` unknown), every metadata column
    and perhaps ``group``; ``reference`` where the layout knows the image of each row, ``hint``
    where its table gives a path. told : what was taken for what. labels : other label columns.
    """

    frame: pd.DataFrame
    told: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    name : in words. root : folder the image references are relative to. table : file (or folder)
    with the diagnoses. read : makes the rows. extra : tables with further columns by image.
    """

    name: str
    root: Path
    table: Path
    read: Callable[["Layout", How], LayoutRows]
    extra: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Place:
    """A folder to be recognised; named : the table the user named in it, if any. images : whether
    they are wanted too, so that files beside a named table are looked at."""

    root: Path
    named: Path | None = None
    images: bool = True

    @cached_property
    def tables(self) -> list[Path]:
        """Tables of the folder, else those of its folders."""
        if self.named:
            return [self.named]
        return tables_in(self.root) or [t for f in self.folders for t in tables_in(f)]

    @cached_property
    def folders(self) -> list[Path]:
        return sorted(p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith("."))


def tables_in(folder: Path) -> list[Path]:
    return sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in TABLES and p.is_file() and p.stem.lower() != "classes"
        and not p.stem.lower().startswith(("readme", "license"))
    )  # fmt: skip


def header_of(table: Path) -> set[str]:
    """Names of a text table's columns, lower-case; empty where the first line cannot be read."""
    if table.suffix.lower() in (".parquet", ".pq", ".npz"):
        return set()
    try:
        with table.open("rb") as file:
            first = file.readline(1 << 16).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return set()
    for mark in ",;\t|":
        if mark in first:
            return {cell.strip().strip('"').lower() for cell in first.split(mark)}
    return {first.strip().lower()}
