"""Parquet with image bytes, as Hugging Face stores data sets: image {bytes, path}, label."""

from pathlib import Path
from typing import Any

import pandas as pd

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.data.binary_tables import as_text
from ensemble_kit.data.images import strip_extension
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place, tables_in
from ensemble_kit.data.layouts.reading import canonical
from ensemble_kit.data.references import MARK

ENDINGS = (".parquet", ".pq")


def recognise(place: Place) -> Layout | None:
    """Parquet files one of whose columns holds bytes."""
    files = [t for t in place.tables if t.suffix.lower() in ENDINGS]
    if not files:
        folders = [f for f in place.folders if f.name == "data"] if not place.named else []
        files = [t for f in folders for t in tables_in(f) if t.suffix.lower() in ENDINGS]
    if not files or not _bytes_column(files[0]):
        return None
    root = place.root
    return Layout("parquet with image bytes", root, files[0], read, tuple(files[1:]))


def read(layout: Layout, how: How) -> LayoutRows:
    """All shards, one after the other; a ClassLabel's numbers become its names."""
    import pyarrow.parquet as pq

    frames, notes = [], []
    for path in (layout.table, *layout.extra):
        column = _bytes_column(path)
        if not column:
            raise DataError(f"{path}: no column of image bytes, unlike {layout.table.name}")
        file = pq.ParquetFile(path)
        rest = [name for name in file.schema_arrow.names if name != column]
        table = file.read(columns=rest).to_pandas()
        frame = pd.DataFrame({str(name): as_text(table[name]) for name in rest})
        names = _class_names(file.schema_arrow)
        for name, words in names.items():
            frame[name] = [words[int(v)] if v.isdecimal() else v for v in frame[name]]
            notes.append(f"{name}: its numbers are {some(words, 20)} (the file says so)")
        relative = path.relative_to(layout.root).as_posix()
        frame["reference"] = [
            f"{relative}{MARK}{column}{MARK}{k}" for k in range(file.metadata.num_rows)
        ]
        frame["image_id"] = _ids(file, column, path)
        split = path.stem.partition("-")[0]
        frame["split"] = split
        frames.append(frame)
    frame = pd.concat(frames, ignore_index=True).fillna("")
    reference = frame.pop("reference")
    key = "image"
    taken = [
        n for n in frame.columns if n != "image_id" and str(n).lower() in ("image", "image_id")
    ]
    frame = frame.drop(columns=taken)
    if frame["image_id"].duplicated().any():
        frame["image_id"] = [f"{s}_{k:06d}" for k, s in enumerate(frame["split"])]
        notes.append("image: split and row number (the file's paths are absent or repeat)")
    given = how.columns if key in how.columns else {**how.columns, key: "image_id"}
    rows = canonical(frame, layout.table, How(given, how.level))
    return LayoutRows(
        rows.frame.assign(reference=reference.to_numpy()), rows.told,
        (*dict.fromkeys(notes), *rows.notes),
    )  # fmt: skip


def _bytes_column(path: Path) -> str:
    """The column of image bytes: binary, or a struct with a binary field ``bytes``."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return ""
    try:
        schema = pq.read_schema(path)
    except (OSError, ValueError):
        return ""

    def binary(kind: Any) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    for name, kind in zip(schema.names, schema.types, strict=True):
        inner = (
            kind.field("bytes").type
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
            else kind
        )
        if binary(inner):
            return str(name)
    return ""


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Column -> names of its numbers, as Hugging Face writes them into the schema."""
    try:
        info = parse_json((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        str(name): [str(word) for word in kind["names"]]
        for name, kind in info.items()
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and "names" in kind
    }


def _ids(file: Any, column: str, path: Path) -> list[str]:
    """The files' names within the struct, else the shard and the row."""
    n = file.metadata.num_rows
    if f"{column}.path" in {file.schema.column(k).path for k in range(len(file.schema))}:
        cells = file.read(columns=[f"{column}.path"]).column(0).to_pylist()
        names = [str((cell or {}).get("path") or "") for cell in cells]
        if all(names):
            return [strip_extension(name.rpartition("/")[2]) for name in names]
    return [f"{path.stem}_{k:06d}" for k in range(n)]
