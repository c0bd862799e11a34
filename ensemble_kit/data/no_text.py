"""Files that are no text under the name of a table: told by how they begin."""

from pathlib import Path

from ensemble_kit.core.errors import DataError

BINARY_KINDS = {
    b"\x1f\x8b": "compressed by gzip; unpack it (gunzip)",
    b"BZh": "compressed by bzip2; unpack it", b"\xfd7zXZ": "compressed by xz; unpack it",
    b"(\xb5/\xfd": "compressed by zstd; unpack it",
    b"PK\x03\x04": "a zip archive, perhaps a spreadsheet; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of old; save the sheet as CSV",
    b"PAR1": "parquet; let its name end in .parquet", b"\x93NUMPY": "a numpy array; save an .npz",
    b"\x89HDF": "HDF5; name the table beside it", b"%PDF": "a PDF; save the table as CSV",
    b"SQLite": "a database; save its table as CSV", b"\x89PNG": "a picture; give the table",
    b"\xff\xd8\xff": "a picture; give the table",
}  # fmt: skip
"""How files begin that are no text -> what they are, and what to do."""


def refuse_binary(path: Path, content: bytes) -> None:
    """Raise DataError where a file begins like one that is no text."""
    kind = next((kind for mark, kind in BINARY_KINDS.items() if content.startswith(mark)), "")
    if kind:
        raise DataError(f"{path} is no text table: it is {kind}")
