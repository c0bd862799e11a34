"""Small JPEGs of images, as base64."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

SIDE, QUALITY = 120, 72
LARGEST = 200_000_000


@dataclass(frozen=True)
class Thumbnail:
    """base64 of a JPEG, with its size in pixels."""

    data: str
    width: int
    height: int


def make_thumbnail(root: str, path: str, side: int = SIDE) -> Thumbnail | None:
    """The image reduced to fit ``side`` × ``side`` pixels (small ones are enlarged to be seen).

    None where the file is absent, is no image, is too large to open safely, or lies outside
    ``root``.
    """
    base = Path(root).resolve()
    file = (base / path).resolve()
    if not file.is_relative_to(base) or not file.is_file():
        return None
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > LARGEST:
                return None
            image.draft("RGB", (2 * side, 2 * side))
            small = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    scale = side / max(small.size)
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    resampling = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    small = small.resize(size, resampling)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=QUALITY, optimize=True)
    return Thumbnail(base64.b64encode(content.getvalue()).decode("ascii"), *small.size)
