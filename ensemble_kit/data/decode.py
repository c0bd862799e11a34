"""One image file to one square of pixels: the only way the program reads an image."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.depth import PNG as _PNG
from ensemble_kit.data.depth import TIFF, opened_quietly
from ensemble_kit.data.dicom import dicom_size, is_dicom, read_dicom
from ensemble_kit.data.references import read_file

Pixels = NDArray[np.uint8]
Aspect = Literal["crop", "pad", "stretch"]
ASPECTS = ("crop", "pad", "stretch")
MAX_PIXELS = 80_000_000
"""Images with more pixels are refused from their header (Pillow would warn from 89 million)."""

MEND = "restore or replace the file, or drop its row"
MEND_ALL = "restore or replace these files, or drop their rows"
"""What to do about images that cannot be used."""

DECODER = f"2 simplejpeg {simplejpeg.__version__} pillow {PIL.__version__}"
"""What the pixels depend on besides the file: our version, and those of the two libraries."""

_ORIENTATION = 0x0112
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error)


@dataclass(frozen=True)
class Header:
    """kind : "JPEG", "PNG", "BMP", "TIFF", "WEBP" or "DICOM"; width, height : pixels as stored."""

    kind: str
    width: int
    height: int


def read_header(data: bytes, name: str) -> Header:
    """Kind and size of an image from its first bytes; ``name`` is for errors.

    Raises DataError for other kinds of file and for sizes beyond ``MAX_PIXELS``.
    """
    if data.startswith(_PNG) and len(data) >= 24:
        header = Header("PNG", *struct.unpack(">II", data[16:24]))
        before = data[: max(data.find(b"IDAT"), 0)]
        at = before.find(b"acTL")  # of an animation: the number of its frames
        _check_single("PNG", int.from_bytes(before[at + 4 : at + 8]) if at > 0 else 1, name)
    elif data.startswith(b"\xff\xd8"):
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        except (ValueError, KeyError) as error:
            raise DataError(f"{name}: damaged JPEG header ({error})") from None
        header = Header("JPEG", width, height)
    elif is_dicom(data):
        header = Header("DICOM", *dicom_size(data, name))
    elif kind := _other_kind(data):
        header = _opened_header(data, kind, name)
    else:
        said = "empty" if not data else "not a JPEG or PNG image, nor BMP, TIFF, WebP or DICOM"
        raise DataError(f"{name}: {said}")
    if not header.width * header.height:
        raise DataError(f"{name}: {header.width}×{header.height} pixels: there is nothing to see")
    if header.width * header.height > MAX_PIXELS:
        raise DataError(
            f"{name}: {header.width:,}×{header.height:,} pixels, but at most {MAX_PIXELS:,} are "
            "read"
        )
    return header


def _check_single(kind: str, pages: int, name: str) -> None:
    if pages > 1:
        what = "pages" if kind == "TIFF" else "frames"
        raise DataError(f"{name}: a {kind} of {pages} {what}; give a single picture")


def _other_kind(data: bytes) -> str:
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(TIFF):
        return "TIFF"
    return "WEBP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def _opened_header(data: bytes, kind: str, name: str) -> Header:
    """A TIFF's header may lie at the end of the file: ``data`` has to be whole."""
    try:
        with opened_quietly(data, (kind,)) as opened:
            _check_single(kind, int(getattr(opened, "n_frames", 1)), name)
            return Header(kind, opened.width, opened.height)
    except Image.DecompressionBombError:
        raise DataError(f"{name}: more pixels than the {MAX_PIXELS:,} that are read") from None
    except _DAMAGED as error:
        raise DataError(f"{name}: damaged {kind} header ({error})") from None


def decode(path: Path, size: int, aspect: Aspect, bits: int = 16) -> Pixels:
    """Read an image file as ``(size, size, 3)`` uint8 RGB; the same bytes give the same pixels.

    aspect : "crop" the centre square, "pad" with black to a square, or "stretch".
    A JPEG is decoded at the smallest of libjpeg's scales from 1/2 down that still has the
    pixels wanted; the rest is antialiased bicubic (Pillow). The EXIF orientation is applied;
    colour profiles are not. Transparency is laid on black. bits : of 16-bit grey pictures that the
    data set uses (see depth.py); the 8 highest of them are kept.
    Raises DataError for an image that is missing, damaged, truncated or too large.
    """
    try:
        data = read_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {MEND}") from None
    try:
        return decode_bytes(data, size, aspect, str(path), bits)
    except DataError as error:
        raise DataError(f"{error}; {MEND}") from None


def decode_bytes(data: bytes, size: int, aspect: Aspect, name: str, bits: int = 16) -> Pixels:
    """:func:`decode` of a file's contents; ``name`` is for errors, which say what is wrong and
    leave the next step to the caller: it knows whether one image is at stake or many."""
    if aspect not in ASPECTS:
        raise ValueError(f"aspect {aspect!r} is none of {ASPECTS}")
    header = read_header(data, name)
    image = _open(data, header, size, aspect, name, bits)
    return fit(image, header, size, aspect)


def _open(
    data: bytes, header: Header, size: int, aspect: Aspect, name: str, bits: int
) -> Image.Image:
    if header.kind == "DICOM":
        return Image.fromarray(read_dicom(data, name)).convert("RGB")
    if header.kind == "JPEG":
        height, width = _least(header, size, aspect)
        try:
            pixels = simplejpeg.decode_jpeg(
                data, "RGB", min_height=height, min_width=width, min_factor=2
            )
            return _upright(Image.fromarray(pixels), data)
        except (ValueError, KeyError):
            pass  # CMYK and recoverable oddities: Pillow reads them, or says what is wrong
    try:
        with opened_quietly(data, (header.kind,)) as opened:
            opened.load()
            return _upright(_to_rgb(opened, bits, name), data)
    except _DAMAGED as error:
        raise DataError(f"{name}: truncated or damaged {header.kind} ({error})") from None


def _least(header: Header, size: int, aspect: Aspect) -> tuple[int, int]:
    """The height and width a scaled decode must still have; 0: any."""
    if aspect == "pad":
        return (size, 0) if header.height > header.width else (0, size)
    return size, size


WHITE = 65_535
"""The largest value that 16 bits hold."""


def _to_rgb(image: Image.Image, bits: int, name: str) -> Image.Image:
    if image.mode == "F":
        raise DataError(
            f"{name}: a picture of floating-point numbers, whose black and white are not "
            "known; save "
            "it with 8 or 16 bits"
        )
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.size and (values.min() < 0 or values.max() > WHITE):
            raise DataError(
                f"{name}: 32-bit numbers from {values.min():,} to {values.max():,}, of "
                "which black and white are not known; save it with 8 or 16 bits"
            )
        grey = (values >> (bits - 8)).clip(0, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer).convert(
            "RGB"
        )
    return image.convert("RGB")


def upright_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of an encoded image as it is to be seen. Raises DataError."""
    header = read_header(data, name)
    turned = _turn(data) in (5, 6, 7, 8)
    return (header.height, header.width) if turned else (header.width, header.height)


def whole_picture(data: bytes, side: int, name: str, bits: int = 16) -> Image.Image:
    """The whole image, upright RGB, its longer side ``side`` pixels. Raises DataError."""
    width, height = upright_size(data, name)
    scale = side / max(width, height)
    square = Image.fromarray(decode_bytes(data, side, "stretch", name, bits))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return square.resize(size, Image.Resampling.BICUBIC)


def _turn(data: bytes) -> int:
    """The EXIF orientation, 1 where there is none."""
    if b"Exif\0\0" not in data[:65536] and b"eXIf" not in data:
        return 1
    try:
        with opened_quietly(data, ("JPEG", "PNG", "TIFF", "WEBP")) as opened:
            return int(opened.getexif().get(_ORIENTATION, 1))
    except (*_DAMAGED, TypeError):
        return 1


def _upright(image: Image.Image, data: bytes) -> Image.Image:
    turn = _turn(data)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(turns[turn]) if turn in turns else image


def fit(image: Image.Image, header: Header, size: int, aspect: Aspect) -> Pixels:
    """An RGB picture as a square ``(size, size, 3)``; ``header`` has its size as stored."""
    width, height = _extent(image, header)
    box = (0.0, 0.0, width, height)
    inner = (size, size)
    if aspect == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    elif aspect == "pad":
        longer = max(width, height)
        inner = max(1, round(width * size / longer)), max(1, round(height * size / longer))
    fitted = image.resize(inner, Image.Resampling.BICUBIC, box=box)
    if inner == (size, size):
        return np.array(fitted, dtype=np.uint8)
    square = np.zeros((size, size, 3), np.uint8)
    x, y = (size - inner[0]) // 2, (size - inner[1]) // 2
    square[y : y + inner[1], x : x + inner[0]] = np.asarray(fitted)
    return square


def _extent(image: Image.Image, header: Header) -> tuple[float, float]:
    """Width and height that hold the picture: libjpeg scales by n/8 and rounds its sides up, so
    the last column and row of a scaled decode may be filled in part."""
    sides = header.width, header.height
    scale = 8 * max(image.size) // max(sides) / 8
    longer, shorter = max(sides) * scale, min(sides) * scale
    return (longer, shorter) if image.width >= image.height else (shorter, longer)
