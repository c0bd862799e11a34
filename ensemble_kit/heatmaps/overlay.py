"""A heat map laid over its image, as a small PNG."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble_kit.core.records import Floats
from ensemble_kit.data.decode import Aspect, whole_picture

SIDE = 160
COLOURS = 256
COVER = (0.1, 0.6)
UNSEEN = 0.45


def draw_overlay(data: bytes, heat: Floats, aspect: Aspect, name: str, bits: int = 16) -> bytes:
    """PNG of the whole image, its longer side 160 pixels, with the heat map where it belongs.

    heat : (h, w) in [0, 1] over the square that the model saw; enlarged bilinearly, drawn in
    viridis (even lightness steps, safe for colour-blind eyes), the more opaque the higher.
    data : the encoded image, ``name`` for errors; bits : of 16-bit grey pictures, see decode.
    aspect : how the square was cut from the image; what the model never saw is grey and dark.
    Raises DataError where the image cannot be read.
    """
    from matplotlib import colormaps

    picture = whole_picture(data, SIDE, name, bits)
    photo = np.asarray(picture, np.float64) / 255
    warmth, seen = _placed(heat, picture.size, aspect)
    colours = colormaps["viridis"](warmth)[..., :3]
    cover = (COVER[0] + (COVER[1] - COVER[0]) * warmth)[..., None]
    grey = photo.mean(axis=2, keepdims=True) * UNSEEN
    drawn = np.where(seen[..., None], photo * (1 - cover) + colours * cover, grey)
    laid = Image.fromarray(np.round(drawn * 255).astype(np.uint8))
    content = io.BytesIO()
    laid.quantize(COLOURS, Image.Quantize.MEDIANCUT).save(content, "PNG", optimize=True)
    return content.getvalue()


def _placed(
    heat: Floats, size: tuple[int, int], aspect: Aspect
) -> tuple[Floats, NDArray[np.bool_]]:
    """The heat (height, width) over the whole image, and which pixels the model saw."""
    width, height = size
    across = {"crop": (min(size), min(size)), "pad": (max(size), max(size)), "stretch": size}
    w, h = across[aspect]
    left, top = (width - w) // 2, (height - h) // 2
    enlarged = Image.fromarray(heat.astype(np.float32)).resize((w, h), Image.Resampling.BILINEAR)
    inside = np.clip(np.asarray(enlarged, np.float64), 0, 1)
    warmth, seen = np.zeros((height, width)), np.zeros((height, width), np.bool_)
    here = (
        slice(max(top, 0), max(top, 0) + min(h, height)),
        slice(max(left, 0), max(left, 0) + min(w, width)),
    )
    there = (
        slice(max(-top, 0), max(-top, 0) + min(h, height)),
        slice(max(-left, 0), max(-left, 0) + min(w, width)),
    )
    warmth[here], seen[here] = inside[there], True
    return warmth, seen
