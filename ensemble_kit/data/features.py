"""Features made elsewhere: one row of numbers an image, from any framework."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.core.regular import check_regular
from ensemble_kit.data.binary_tables import open_npz
from ensemble_kit.data.columns import ALIASES, plain
from ensemble_kit.data.images import id_of
from ensemble_kit.data.tables import read_numbers

IDS = ("ids", "image_ids", *ALIASES["image_id"])
MATRICES = ("x", "features", "embeddings")


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """image_ids : (n,) str, unique. x : (n, F) float32, finite. names : F names."""

    image_ids: Strings
    x: NDArray[np.float32]
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        return digest_of([str(name) for name in self.image_ids], self.names, self.x)


def read_features(given: "Path | str | pd.DataFrame") -> FeatureTable:
    """Features of an npz (arrays ``ids`` and ``x``), a parquet or CSV (an id column, else numbers)
    or a DataFrame (index or id column).

    Ids may carry folder and file ending. Raises DataError for ids that are missing or doubled,
    text, and NaN or infinite values.
    """
    source = "the features" if isinstance(given, pd.DataFrame) else str(given)
    ids, x, names = _read(given, source)
    empty = int(sum(name in ("", "nan", "None") for name in ids))
    if empty:
        raise DataError(f"{source}: {count(empty, 'row')} without an id; name each row's image")
    unique, times = np.unique(ids, return_counts=True)
    if len(unique) < len(ids):
        raise DataError(
            f"{source}: {some(unique[times > 1])} listed more than once; give one row an image"
        )
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise DataError(
            f"{source}: NaN or infinite values in the rows of {some(ids[bad])} (or beyond 3e38): "
            "features are "
            "finite numbers; fill or drop them"
        )
    return FeatureTable(ids, x, names)


def without_constant(features: FeatureTable, source: str) -> tuple[FeatureTable, str]:
    """The columns that differ between images, and a sentence on those left out, or "".

    Raises DataError where all are the same in every row.
    """
    same = features.x.max(axis=0) == features.x.min(axis=0)
    if same.all():
        raise DataError(
            f"{source}: every column has one value in every row: such features say nothing; give "
            "others"
        )
    if not same.any():
        return features, ""
    names = np.array(features.names)
    n = int(same.sum())
    told = (
        f"{count(n, 'column')} of {source} ({some(names[same], 3)}) left out: one value in every "
        "row"
    )
    kept = FeatureTable(features.image_ids, features.x[:, ~same], tuple(names[~same].tolist()))
    return kept, told


def columns_of(features: FeatureTable, names: Sequence[str], source: str) -> FeatureTable:
    """The columns that a model was fitted to, by their names. Raises DataError where some are not
    there. Columns that are merely numbered (x0, x1 …, as an npz has them) go by their place."""
    if features.names == tuple(names):
        return features
    place = {name: k for k, name in enumerate(features.names)}
    if absent := [name for name in names if name not in place]:
        raise DataError(
            f"{source}: {count(len(features.names), 'column')}, of which the model's "
            f"{some(absent, 3)} is none: give features made as those of training were "
            f"({count(len(names), 'column')})"
        )
    x = np.ascontiguousarray(features.x[:, [place[name] for name in names]])
    return FeatureTable(features.image_ids, x, tuple(names))


def rows_of(features: FeatureTable, image_ids: Sequence[str], source: str) -> NDArray[np.float32]:
    """(m, F) of some images, by id. Raises DataError naming those without a row."""
    place = {name: k for k, name in enumerate(features.image_ids.tolist())}
    if absent := [name for name in image_ids if name not in place]:
        raise DataError(
            f"{source}: no features for {some(absent)}: every image needs one row; add the rows, "
            "or leave the images out"
        )
    return features.x[[place[name] for name in image_ids]]


def features_of(table: ImageTable, features: FeatureTable, source: str) -> FeatureTable:
    """The rows of a table's images, in its order; images must be the same. Raises DataError."""
    ours, theirs = set(table.image_ids.tolist()), set(features.image_ids.tolist())
    if missing := sorted(ours - theirs):
        raise DataError(
            f"{source}: no features for {some(missing)}: every image needs one row; add the rows, "
            "or drop the images from the data"
        )
    if extra := sorted(theirs - ours):
        raise DataError(
            f"{source}: {some(extra)} not in the data set: features and data must have the same "
            "images; drop the rows"
        )
    if np.array_equal(features.image_ids, table.image_ids):
        return features
    order = np.argsort(features.image_ids)
    rows = order[np.searchsorted(features.image_ids[order], table.image_ids)]
    return FeatureTable(table.image_ids, features.x[rows], features.names)


def _read(
    given: "Path | str | pd.DataFrame", source: str
) -> tuple[Strings, NDArray[np.float32], tuple[str, ...]]:
    if isinstance(given, pd.DataFrame):
        return _of_frame(given, source)
    if not isinstance(given, (str, Path)):
        raise DataError(f"features are a {type(given).__name__}: give a file or a DataFrame")
    path = Path(given)
    kind = path.suffix.lower()
    if kind not in (".npz", ".parquet", ".csv"):
        raise DataError(f"{source}: features are an .npz, .parquet or .csv file; give one of those")
    if not path.exists():
        raise DataError(f"{source}: there is no such file; give a file of features")
    check_regular(path, DataError)
    if kind == ".npz":
        return _of_arrays(open_npz(path), source)
    try:
        frame = pd.read_parquet(path) if kind == ".parquet" else read_numbers(path, _id_column)
    except ImportError:
        raise DataError(
            f"{source}: reading parquet needs pyarrow: pip install 'ensemble-kit[parquet]', or "
            "give an npz"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{source}: cannot be read ({str(error).splitlines()[0]}); make it again"
        ) from None
    return _of_frame(frame, source)


def _id_column(names: list[str]) -> str:
    """The column of ids by its name, else the first."""
    return next((name for name in names if plain(name) in IDS), names[0] if names else "")


def _of_arrays(
    arrays: dict[str, NDArray[Any]], source: str
) -> tuple[Strings, NDArray[np.float32], tuple[str, ...]]:
    ids = next((arrays[name] for name in IDS if name in arrays), None)
    x = next((arrays[name] for name in MATRICES if name in arrays), None)
    if ids is None or x is None:
        raise DataError(
            f"{source}: needs the arrays ids (n,) and x (n, F); it has {some(sorted(arrays))}"
        )
    if ids.ndim != 1 or x.ndim != 2 or len(ids) != len(x) or 0 in x.shape:
        raise DataError(
            f"{source}: ids {ids.shape} and x {x.shape} do not fit: give ids (n,) and x (n, F)"
        )
    if x.dtype.kind not in "fiub":
        raise DataError(f"{source}: x holds {x.dtype}, not numbers; give float32")
    names = tuple(f"x{k}" for k in range(x.shape[1]))
    return _ids(ids), _float32(x), names


def _of_frame(
    frame: pd.DataFrame, source: str
) -> tuple[Strings, NDArray[np.float32], tuple[str, ...]]:
    if not frame.columns.is_unique:
        raise DataError(f"{source}: two columns have one name; give every column one name")
    named = [c for c in frame.columns if plain(str(c)) in IDS]
    numbered = isinstance(frame.index, pd.RangeIndex)
    if named:
        ids, frame = frame[named[0]], frame.drop(columns=named[0])
    elif not numbered:
        ids = frame.index.to_series()
    else:
        raise DataError(
            f"{source}: no column of image ids ({some(IDS[:4])} …); it has {some(frame.columns)}"
        )
    if frame.empty:
        raise DataError(f"{source}: no rows or no columns of numbers; give one row an image")
    kinds = [getattr(kind, "kind", "O") for kind in frame.dtypes]
    text = [str(c) for c, kind in zip(frame.columns, kinds, strict=True) if kind not in "fiub"]
    if text:
        raise DataError(
            f"{source}: column {some(text)} holds text: features are numbers; drop it, or give it "
            "as metadata"
        )
    with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
        x = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    ids = ids.where(ids.notna(), "")
    return _ids(ids.to_numpy()), _float32(x), tuple(map(str, frame.columns))


def _ids(values: NDArray[Any]) -> Strings:
    read = [v.decode() if isinstance(v, bytes) else str(v).strip() for v in values.tolist()]
    return np.array([id_of(name) for name in read], dtype=np.str_)


def _float32(x: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(x, dtype=np.float32)
