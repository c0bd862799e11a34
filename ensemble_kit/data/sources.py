"""Content digests of image files, read once while size and times stay as they were."""

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.atomic import write_bytes
from ensemble_kit.core.digests import digest_of, seal_holds, sealed
from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.records import ImageTable
from ensemble_kit.data.depth import bits_used
from ensemble_kit.data.references import identity, read_image

FORMAT = 2
INDEXES = Path("pixels", "sources")
SETTLED = 2_000_000_000
"""Nanoseconds a file must have been left alone before its times are trusted."""

Entry = tuple[tuple[int, ...], str, int]
"""Identity of a file, digest of its contents, significant bits of a 16-bit picture."""


def content_digest(data: bytes) -> str:
    """blake2b (hex, 128 bits) of a file's contents."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Contents:
    """digests : (n) of the image files, in table order. bits : significant bits of the data set's
    16-bit grey pictures (0 where there are none)."""

    digests: list[str]
    bits: int = 0


def source_contents(
    table: ImageTable, store_dir: Path, jobs: int, remember: bool = True
) -> Contents:
    """Content digests of the table's image files, and what they say of 16-bit pictures.

    Remembered in ``store_dir/pixels/sources/`` by path, size, modification and change time; a
    file whose entry still holds is not read. remember : False writes nothing.
    Raises DataError where a file is not there.
    """
    root = Path(table.root)
    index_path = store_dir / INDEXES / f"{digest_of(str(root.resolve()))[:16]}.json"
    known = _read(index_path) or {}
    stats = [identity(root, path) for path in table.paths.tolist()]
    gone = [name for name, s in zip(table.image_ids.tolist(), stats, strict=True) if not s]
    if gone:
        raise DataError(f"no file for image {some(gone)} in {root}: restore it, or drop its row")
    paths = [str(path) for path in table.paths]
    stale = [row for row, path in enumerate(paths) if known.get(path, (None,))[0] != stats[row]]
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        fresh = dict(zip(stale, pool.map(lambda r: _digest(root, paths[r]), stale), strict=True))
    found = [fresh[r] if r in fresh else known[path][1:] for r, path in enumerate(paths)]
    settled = time.time_ns() - SETTLED
    learnt = {paths[r]: (stats[r], *fresh[r]) for r in stale if max(stats[r][1:]) < settled}
    if learnt and remember:
        _write(index_path, known | learnt)
    return Contents([digest for digest, _ in found], max((b for _, b in found), default=0))


def _digest(root: Path, reference: str) -> tuple[str, int]:
    try:
        data = read_image(root, reference)
        return content_digest(data), bits_used(data)
    except OSError as error:
        raise DataError(f"{root / reference}: cannot be read ({error.strerror})") from None


def damaged_indexes(store_dir: Path) -> list[Path]:
    """Indexes of image files that are not what was written; the next run reads the files again."""
    return [path for path in sorted((store_dir / INDEXES).glob("*.json")) if _read(path) is None]


def _read(path: Path) -> dict[str, Entry] | None:
    """The index; None where there is none or it is damaged: it can always be made again."""
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT or not seal_holds(values):
            return None
        return {
            name: (tuple(entry[0]), str(entry[1]), int(entry[2]))
            for name, entry in values["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _write(path: Path, files: dict[str, Entry]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = {name: [list(held), digest, bits] for name, (held, digest, bits) in files.items()}
    values = {"format": FORMAT, "files": listed}
    write_bytes(path, json.dumps(sealed(values)).encode())
