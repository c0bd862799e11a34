"""How many of its 16 bits a grey picture uses: cameras store 10, 12 or 14 bits in 16."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, PngImagePlugin

PNG = b"\x89PNG\r\n\x1a\n"
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
"""A long comment is no damage; all of them together stay below Pillow's own bound."""
TIFF = (b"II*\0", b"MM\0*")


@contextmanager
def opened_quietly(data: bytes, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """A picture opened by Pillow, without its warnings of odd metadata and of large sizes, which
    are checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=formats) as image:
            yield image


def bits_used(data: bytes) -> int:
    """0 unless the picture is 16-bit grey; else its significant bits: as its file says (PNG's
    sBIT), where its values are no larger (they are scaled to 16 bits otherwise, as the standard has
    it), else the even number from 8 to 16 that holds its largest value."""
    said = 0
    if data.startswith(PNG):
        if len(data) < 26 or data[24] != 16 or data[25] not in (0, 4):
            return 0
        said = _significant(data)
    elif not data.startswith(TIFF):
        return 0
    try:
        with opened_quietly(data, ("PNG", "TIFF")) as image:
            if not image.mode.startswith("I"):
                return 0
            largest = int(np.asarray(image).max())
    except Exception:  # a damaged picture: decoding says what is wrong with it
        return 0
    if said:
        return said if largest < 1 << said else 16
    needed = max(8, min(16, largest.bit_length()))
    return needed + needed % 2


def _significant(data: bytes) -> int:
    """PNG's sBIT, which stands before the pixels; 0 without one."""
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if kind == b"sBIT" and place + 8 < len(data):
            return min(16, max(8, data[place + 8]))
        if kind in (b"IDAT", b"IEND"):
            return 0
        place += length + 12
    return 0


def depth_note(bits: int) -> str:
    """What was done to a data set of 16-bit pictures that use fewer bits."""
    return (
        f"its 16-bit grey pictures use {bits} bits: they are scaled by that range (0 to "
        f"{2**bits - 1:,}), not by 65,535"
    )
