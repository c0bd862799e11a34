"""Metadata of new images: a table with a row an image, read as the columns of a data set are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
import pandas as pd

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.core.regular import check_regular
from ensemble_kit.data.binary_tables import as_text
from ensemble_kit.data.columns import ALIASES, plain
from ensemble_kit.data.images import id_of
from ensemble_kit.data.metadata import ages, tidy
from ensemble_kit.data.tables import read_rows

GivenMetadata = Union[Path, str, "pd.DataFrame", ImageTable]


@dataclass(frozen=True, eq=False)
class NewMetadata:
    """frame : columns as their table calls them, cells as str, ``""`` where missing; index: ids of
    the images, unique. source : what errors call it."""

    frame: pd.DataFrame
    source: str

    @property
    def image_ids(self) -> Strings:
        return np.asarray(self.frame.index.to_numpy(dtype=object), np.str_)

    @property
    def digest(self) -> str:
        return digest_of(self.frame.to_csv())

    def column_of(self, name: str) -> str:
        """The table's column for one of a run, by its name or a usual one; "" where there is none.

        A run calls age, sex and site so, whatever its own table called them.
        """
        aliases = (name, *ALIASES.get(name, ()))
        plainly = {plain(column): str(column) for column in reversed(list(self.frame.columns))}
        if name in self.frame.columns:
            return name
        return next((plainly[a] for a in map(plain, aliases) if a in plainly), "")

    def columns(self, names: Sequence[str], image_ids: Sequence[str]) -> dict[str, Strings]:
        """The columns asked for, name -> (m,) str, by id; ``""`` for images without a row and
        for a column that is not there."""
        found = {}
        for name in names:
            column = self.column_of(name)
            if column:
                cells = self.frame[column].reindex(list(image_ids)).fillna("")
                found[name] = np.asarray(cells.to_numpy(dtype=object), np.str_)
            else:
                found[name] = np.full(len(image_ids), "", np.str_)
        return found

    def without_row(self, image_ids: Sequence[str]) -> list[str]:
        known = set(self.frame.index)
        return [name for name in image_ids if name not in known]


def read_new_metadata(given: GivenMetadata) -> NewMetadata:
    """A CSV, parquet or DataFrame (index or column of image ids), or a data set read before.

    Ids may carry folder and file ending. Raises DataError for a table without ids, ids that are
    missing, and ids listed twice.
    """
    if isinstance(given, ImageTable):
        columns = {name: np.asarray(column) for name, column in given.slices.items()}
        return NewMetadata(pd.DataFrame(columns, index=given.image_ids.tolist()), "the data")
    if not isinstance(given, (str, Path, pd.DataFrame)):
        raise DataError(
            f"metadata are {type(given).__name__}: give a file or a DataFrame of image ids"
        )
    source = "the metadata" if isinstance(given, pd.DataFrame) else str(given)
    if isinstance(given, pd.DataFrame):
        frame = given if isinstance(given.index, pd.RangeIndex) else given.reset_index()
        frame = pd.DataFrame({str(name): as_text(frame[name]) for name in frame.columns})
    else:
        if not Path(given).exists():
            raise DataError(f"{source}: there is no such file; give a table of metadata")
        check_regular(Path(given), DataError)
        frame = read_rows(Path(given))
    ids = _id_column(frame, source, isinstance(given, pd.DataFrame))
    frame = frame.rename(columns={ids: "image_id"})
    frame["image_id"] = [id_of(str(name)) for name in frame["image_id"]]
    if (frame["image_id"] == "").any():
        raise DataError(f"{source}: a row without an image id; name each row's image")
    twice = frame["image_id"][frame["image_id"].duplicated()].unique().tolist()
    if twice:
        raise DataError(f"{source}: {some(twice)} listed more than once; give one row an image")
    frame, _ = tidy(frame)
    for name in [c for c in frame.columns if plain(c) in ALIASES["age"]]:
        frame[name] = ages(tidy(frame[["image_id", name]].set_axis(["image_id", "age"], axis=1))[0],
                           source)[0]  # fmt: skip
    return NewMetadata(frame.set_index("image_id"), source)


def _id_column(frame: pd.DataFrame, source: str, indexed: bool) -> str:
    plainly = {plain(column): str(column) for column in reversed(list(frame.columns))}
    found = next((plainly[a] for a in ("ids", *ALIASES["image_id"]) if a in plainly), "")
    if not found and indexed and str(frame.columns[0]) in ("index", "level_0"):
        found = str(frame.columns[0])
    if not found:
        raise DataError(
            f"{source}: no column of image ids ({some(ALIASES['image_id'], 4)} …); it has "
            f"{some(map(str, frame.columns))}"
        )
    return found
