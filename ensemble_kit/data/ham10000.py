"""HAM10000 from its publication to a data folder (Tschandl et al., Sci Data 5, 180161, 2018)."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.atomic import write_bytes
from ensemble_kit.core.disk import make_folder
from ensemble_kit.core.errors import DataError, some
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.download import Begin, Published, fetch_file, look_up
from ensemble_kit.data.unpack import image_members, unpack_images

DOI = "10.7910/DVN/DBW86T"
ARCHIVES = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")
METADATA = "HAM10000_metadata"
DOWNLOADS = ".downloads"


@dataclass(frozen=True)
class Fetched:
    """folder : the data folder. n_images : images in it. fresh : False if it was there already."""

    folder: Path
    n_images: int
    fresh: bool


def fetch_ham10000(
    folder: Path,
    begin: Begin,
    begin_unpacking: Callable[[int], Callable[[int], None]],
    *,
    server: str | None = None,
    keep_archives: bool = False,
) -> Fetched:
    """Download, check, unpack and arrange ``images/`` and ``HAM10000_metadata.csv``.

    begin : told of each transfer. begin_unpacking : told the number of images; what it returns is
    called with 1 an image. A call that was interrupted is gone on with by the next. The folder's
    ``images/`` appears whole or not at all. Raises DataError.
    """
    table, images = folder / f"{METADATA}.csv", folder / "images"
    if table.is_file() and images.is_dir():
        return Fetched(folder, len(load_table(folder)), fresh=False)
    if images.exists():
        raise DataError(
            f"{images} is there without {table.name}: move it away, or use another --to"
        )
    published = look_up(DOI, server)
    downloads = folder / DOWNLOADS
    names = _archives(published)
    metadata = _metadata(published, downloads, begin)
    if table.is_file() and table.read_bytes() != metadata.read_bytes():
        raise DataError(
            f"{table} is there and is not the published table: move it away, or use another --to"
        )
    archives = [fetch_file(published, name, downloads, begin) for name in names]
    _unpack(archives, downloads / "images", begin_unpacking)
    write_bytes(table, metadata.read_bytes())
    (downloads / "images").rename(images)
    n_images = len(load_table(folder))
    if not keep_archives:
        shutil.rmtree(downloads)
    return Fetched(folder, n_images, fresh=True)


def _archives(published: Published) -> list[str]:
    missing = [name for name in ARCHIVES if name not in published.urls]
    if missing:
        raise DataError(
            f"doi:{published.doi} has no {some(missing)} (it has {some(sorted(published.urls))}): "
            "the publication has changed; fetch it by hand and see docs/data.md for the layout"
        )
    return list(ARCHIVES)


def _metadata(published: Published, downloads: Path, begin: Begin) -> Path:
    """The metadata table as it was uploaded. Dataverse converts tables to ``.tab`` and its md5
    may be of either form, so the table is checked by reading it against the images instead."""
    for name in (f"{METADATA}.csv", METADATA, f"{METADATA}.tab"):
        if name in published.urls:
            return fetch_file(published, name, downloads, begin, checked=not name.endswith(".tab"))
    raise DataError(
        f"doi:{published.doi} has no {METADATA} (it has {some(sorted(published.urls))}): the "
        "publication has changed; fetch it by hand and see docs/data.md for the layout"
    )


def _unpack(
    archives: list[Path], folder: Path, begin_unpacking: Callable[[int], Callable[[int], None]]
) -> None:
    members = {archive: image_members(archive) for archive in archives}
    make_folder(folder)
    tell = begin_unpacking(sum(len(images) for images in members.values()))
    for archive, images in members.items():
        unpack_images(archive, images, folder, tell)
