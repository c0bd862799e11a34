"""Small JPEGs of images, as base64."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.decode import whole_picture
from ensemble_kit.data.depth import bits_used
from ensemble_kit.data.references import container_of, read_image

SIDE, QUALITY = 120, 72


@dataclass(frozen=True)
class Thumbnail:
    """base64 of a JPEG, with its size in pixels."""

    data: str
    width: int
    height: int


def make_thumbnail(root: str, path: str, side: int = SIDE, bits: int = 0) -> Thumbnail | None:
    """The image reduced to fit ``side`` × ``side`` pixels (small ones are enlarged to be seen).

    path : a file, or an entry of an HDF5, npz or parquet file. bits : of 16-bit grey pictures;
    0: those that the picture uses. None where the file is absent, is no image, is too large to open
    safely, or lies outside ``root``.
    """
    base = Path(root).resolve()
    file = (base / (container_of(path) or path)).resolve()
    if not file.is_relative_to(base) or not file.is_file():
        return None
    try:
        data = read_image(base, path)
        small = whole_picture(data, side, path, bits or bits_used(data) or 16)
    except (OSError, DataError):
        return None
    content = io.BytesIO()
    small.save(content, "JPEG", quality=QUALITY, optimize=True)
    return Thumbnail(base64.b64encode(content.getvalue()).decode("ascii"), *small.size)
