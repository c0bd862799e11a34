"""Tables that are no text: parquet (an index is a column) and npz (one array a column)."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, reason, some
from ensemble_kit.core.records import Floats
from ensemble_kit.core.regular import check_regular

PROBABILITIES = ("probabilities", "probs", "prob", "predictions", "preds", "pred", "y_pred",
                 "y_prob", "y_score", "scores", "logits", "softmax", "outputs")  # fmt: skip
MOST_ROWS, MOST_COLUMNS = 20_000_000, 20_000
MOST_UNPACKED = 1 << 28
"""Bytes that an archive may hold beyond ``MOST_RATIO`` times its own size."""
MOST_RATIO = 50
MOST_OF_A_NAME = 1000
"""Bytes of the longest text that may have been saved as bytes."""
CLASSES = ("class_names", "classes", "columns")


def _unread(path: Path, kind: str, error: Exception) -> DataError:
    return DataError(
        f"{path}: cannot be read as {kind} ({reason(error).rstrip('.')}); write it again, or name "
        "it .csv if it is text"
    )


def read_parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Every cell a str; null is ``""`` in every type of column. Raises DataError."""
    try:
        check_extent(path, *parquet_extent(path))
        frame = pd.read_parquet(path)
    except ImportError:
        raise DataError(
            f"{path}: reading parquet needs pyarrow: pip install 'ensemble-kit[parquet]', or give "
            "a CSV"
        ) from None
    except (OSError, ValueError) as error:
        raise _unread(path, "parquet", error) from None
    notes = []
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
        names = [str(name) for name in frame.index.names if name is not None]
        notes.append(f"{path.name}: its index {some(names) or '(without a name)'} is a column")
        frame = frame.reset_index()
    if frame.empty:
        raise DataError(f"{path}: no rows; give one row an image")
    columns = {str(name): as_text(frame[name]) for name in frame.columns}
    if len(columns) < frame.shape[1]:
        raise DataError(f"{path}: two columns have one name; give every column one name")
    return pd.DataFrame(columns), notes


def parquet_extent(path: Path) -> tuple[int, int]:
    """(rows, columns) as the file's own description says, before anything is unpacked."""
    import pyarrow.parquet as pq

    said = pq.read_metadata(path)
    return said.num_rows, said.num_columns


def check_extent(path: Path, rows: int, columns: int) -> None:
    """Raise DataError for a table of more rows or columns than are read."""
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise DataError(
            f"{path}: {rows:,} rows and {columns:,} columns; at most {MOST_ROWS:,} rows and "
            f"{MOST_COLUMNS:,} columns are read: give the images and columns that are needed"
        )


def as_text(column: "pd.Series[Any]") -> "pd.Series[str]":
    """A column of any type as stripped str; null is ``""``, whole numbers have no point."""
    null = column.isna()
    kind = getattr(column.dtype, "kind", "O")
    if kind == "f":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        text = pd.Series([repr(v) for v in values.tolist()], index=column.index, dtype="str")
    elif kind == "O" and len(column) and any(isinstance(value, bytes) for value in column[~null]):
        text = column.map(_of_bytes).astype("str")
    else:
        text = column.astype(object).map(lambda value: str(value).strip()).astype("str")
    return text.mask(null, "").astype("str")


def _of_bytes(value: object) -> str:
    """Text that was saved as bytes; "" for what is none (an image, say)."""
    if not isinstance(value, bytes):
        return str(value).strip()
    try:
        return value.decode("utf-8").strip() if len(value) <= MOST_OF_A_NAME else ""
    except UnicodeDecodeError:
        return ""


def read_npz(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """One array of n rows a column; a matrix (probabilities, logits …) is a column a class, named
    by ``class_names`` or counted from 0. Object arrays are refused: they could run code."""
    arrays = open_npz(path)
    names = next((arrays[key] for key in CLASSES if key in arrays), None)
    sizes = {key: array.shape for key, array in arrays.items() if key not in CLASSES}
    wide = [key for key in PROBABILITIES if key in arrays and arrays[key].ndim == 2]
    wide = wide or [key for key, shape in sizes.items() if len(shape) == 2 and shape[1] > 1]
    n = len(arrays[wide[0]]) if wide else max((s[0] for s in sizes.values() if s), default=0)
    columns: dict[str, Any] = {}
    for key, array in arrays.items():
        if key in CLASSES or (wide and key == wide[0]):
            continue
        flat = array.reshape(len(array)) if array.ndim == 2 and array.shape[1] == 1 else array
        if flat.ndim == 1 and len(flat) == n:
            columns[key] = as_text(pd.Series(flat))
    if wide:
        matrix = _numbers(arrays[wide[0]], wide[0], path)
        heads = [str(k) for k in range(matrix.shape[1])]
        if names is not None and len(names) == matrix.shape[1]:
            heads = [str(name) for name in names.tolist()]
        for place, head in enumerate(heads):
            columns[head] = as_text(pd.Series(matrix[:, place]))
    if not columns or not n:
        raise DataError(
            f"{path}: no array with a row an image; it has "
            f"{some(f'{key} {shape}' for key, shape in sizes.items())}"
        )
    said = f"; the columns of {wide[0]} are the classes" if wide else ""
    return pd.DataFrame(columns), [f"{path.name}: arrays {some(arrays)} read as columns{said}"]


def _numbers(matrix: NDArray[Any], key: str, path: Path) -> Floats:
    try:
        return np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{path}: the array {key} holds {matrix.dtype}, not numbers: give a column a class"
        ) from None


def open_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an npz, never unpickled. Raises DataError."""
    try:
        check_regular(path, DataError)
        _check_unpacked(path)
        with np.load(path, allow_pickle=False) as opened:
            arrays = {key: np.asarray(opened[key]) for key in opened.files}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise DataError(
                f"{path}: holds arrays of Python objects, which are never loaded (they can run "
                "code): save plain numbers and text, np.savez(path, ids=ids.astype(str), …)"
            ) from None
        raise _unread(path, "npz", error) from None
    except DataError:
        raise
    except Exception as error:  # zipfile raises a handful of kinds for damaged archives
        raise _unread(path, "npz", error) from None
    odd = [f"{key} ({array.dtype})" for key, array in arrays.items() if array.dtype.kind in "cV"]
    if odd:
        raise DataError(f"{path}: {some(odd)} is neither real numbers nor text: save it as one")
    return arrays


def _check_unpacked(path: Path) -> None:
    """An archive of a few bytes must not fill the memory."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MOST_UNPACKED and unpacked > MOST_RATIO * path.stat().st_size:
        raise DataError(
            f"{path}: its arrays would be {unpacked:,} bytes, {MOST_RATIO} times the file and "
            "more, and are not unpacked; save the arrays with np.savez"
        )
