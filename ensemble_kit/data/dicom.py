"""DICOM through pydicom (extra ``dicom``): one frame, as a viewer shows it, in 8 bits."""

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError


def is_dicom(data: bytes) -> bool:
    return data[128:132] == b"DICM"


def read_dicom(data: bytes, name: str) -> NDArray[np.uint8]:
    """(h, w) or (h, w, 3) uint8: rescaled, windowed as the file says (else its whole range), white
    for high values (MONOCHROME1 is turned). Raises DataError for a file without one picture."""
    found = _dataset(data, name)
    try:
        from pydicom.pixels.processing import (
            apply_modality_lut,
            apply_voi_lut,
            convert_color_space,
        )

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels: Any = found.pixel_array
            kind = str(found.get("PhotometricInterpretation", ""))
            if int(found.get("NumberOfFrames", 1) or 1) > 1:
                raise DataError(f"{name}: a DICOM of several frames; give one file a frame")
            if pixels.ndim == 3:
                if kind.startswith("YBR"):
                    pixels = convert_color_space(pixels, kind, "RGB")
                return np.asarray(pixels, np.uint8)
            values = np.asarray(apply_modality_lut(pixels, found), np.float64)
            low, high = float(values.min()), float(values.max())
            if "WindowWidth" in found or "VOILUTSequence" in found:
                values = np.asarray(
                    apply_voi_lut(apply_modality_lut(pixels, found), found), np.float64
                )
                low, high = float(values.min()), float(values.max())
    except DataError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged or compressed files
        raise DataError(f"{name}: no picture can be read from this DICOM ({error})") from None
    scaled = (values - low) / max(high - low, 1e-9) * 255
    grey = np.asarray(np.round(scaled), np.uint8)
    return 255 - grey if kind == "MONOCHROME1" else grey


def dicom_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height from the header alone."""
    found = _dataset(data, name, pixels=False)
    width, height = int(found.get("Columns", 0) or 0), int(found.get("Rows", 0) or 0)
    if not width or not height:
        raise DataError(f"{name}: a DICOM that is not an image (it has no rows and columns)")
    return width, height


def _dataset(data: bytes, name: str, pixels: bool = True) -> Any:
    try:
        import pydicom
    except ImportError:
        raise DataError(
            f"{name}: reading DICOM needs pydicom: pip install 'ensemble-kit[dicom]', or "
            "convert the "
            "files to PNG"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=not pixels)
    except Exception as error:
        raise DataError(f"{name}: damaged DICOM ({error})") from None
    if pixels and "PixelData" not in found:
        raise DataError(f"{name}: a DICOM that is not an image (it has no pixel data)")
    return found
