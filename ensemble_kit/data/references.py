"""Where the bytes of an image are: a file, or an entry of an HDF5, npz or parquet file.

A reference is text relative to the data set's root: ``images/a.jpg``, ``train.h5::ISIC_1``,
``set.npz::train_images::17``, ``part.parquet::image::17``. Rows of arrays are given as
lossless PNG, so the same pixels have one digest however they lie.
"""

import errno
import io
import os
import stat
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble_kit.core.errors import DataError

MARK = "::"
CONTAINERS = (".h5", ".hdf5", ".npz", ".parquet", ".pq")
_LOCK = threading.RLock()


def container_of(reference: str) -> str:
    """The file that holds the image, relative to the root; ``""`` where it is a file of its own."""
    head, mark, _ = reference.partition(MARK)
    return head if mark and head.lower().endswith(CONTAINERS) else ""


def read_image(root: Path | str, reference: str) -> bytes:
    """The encoded image. Raises OSError where a file cannot be read, DataError for an entry."""
    inside = container_of(reference)
    if not inside:
        return read_file(Path(root) / reference)
    path = Path(root) / inside
    parts = reference.split(MARK)[1:]
    found = _regular(path)
    with _LOCK:
        if path.suffix.lower() in (".h5", ".hdf5"):
            return _hdf5_entry(str(path), found.st_mtime_ns, MARK.join(parts))
        if path.suffix.lower() == ".npz":
            array = _npz_array(str(path), found.st_mtime_ns, parts[0])
            return as_png(array[int(parts[1])])
        return _parquet_cell(str(path), found.st_mtime_ns, parts[0], int(parts[1]))


def read_file(path: Path, most: int = -1) -> bytes:
    """The first ``most`` bytes of a regular file, all by default. A pipe, device, socket or folder
    is an OSError, not waited for."""
    _regular(path)
    with path.open("rb") as file:
        return file.read(most)


def _regular(path: Path) -> os.stat_result:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a pipe, device, socket or folder, no regular file", str(path))
    return found


def identity(root: Path | str, reference: str) -> tuple[int, ...]:
    """Size, modification and change time of the file that holds the image; () where it is not."""
    try:
        found = (Path(root) / (container_of(reference) or reference)).stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def as_png(array: NDArray[Any]) -> bytes:
    """An (h, w), (h, w, 1) or (h, w, 3) array of uint8 or uint16 as PNG, without loss."""
    pixels = np.asarray(array)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3):
        raise DataError(
            f"an array of {pixels.dtype} {pixels.shape} is no image: give uint8 (h, w) or (h, w, 3)"
        )
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)
    return content.getvalue()


@lru_cache(maxsize=4)
def _hdf5(path: str, changed: int) -> Any:
    try:
        import h5py
    except ImportError:
        raise DataError(f"{path}: reading HDF5 needs h5py: pip install h5py") from None
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: cannot be read as HDF5 ({error})") from None


def hdf5_names(path: Path) -> set[str]:
    """Names of the entries of an HDF5 file."""
    with _LOCK:
        return set(_hdf5(str(path), path.stat().st_mtime_ns))


def _hdf5_entry(path: str, changed: int, name: str) -> bytes:
    file = _hdf5(path, changed)
    if name not in file:
        raise DataError(f"{path} has no entry {name}")
    value = file[name][()]
    if isinstance(value, bytes):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "V" or array.dtype.kind == "S":
        return bytes(array.tobytes())
    if array.dtype == np.uint8 and array.ndim == 1:
        return array.tobytes()
    return as_png(array)


@lru_cache(maxsize=2)
def _npz_array(path: str, changed: int, name: str) -> NDArray[Any]:
    with np.load(path, allow_pickle=False) as opened:
        return np.asarray(opened[name])


@lru_cache(maxsize=2)
def _parquet_file(path: str, changed: int) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


@lru_cache(maxsize=4)
def _parquet_group(path: str, changed: int, column: str, group: int) -> list[Any]:
    table = _parquet_file(path, changed).read_row_group(group, columns=[column])
    return list(table.column(0).to_pylist())


def _parquet_cell(path: str, changed: int, column: str, row: int) -> bytes:
    meta = _parquet_file(path, changed).metadata
    for group in range(meta.num_row_groups):
        n = meta.row_group(group).num_rows
        if row < n:
            value = _parquet_group(path, changed, column, group)[row]
            value = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(value, bytes):
                raise DataError(f"{path}: row {row} has no image bytes in {column!r}")
            return value
        row -= n
    raise DataError(f"{path}: no row {row}")
