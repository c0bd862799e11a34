"""Metadata inside a network: what the columns of an image add to its class scores.

The head is solved on [pooled features, encoded metadata]. Its scores are a sum, one part of the
image and one of the metadata; the first is the network, the second is kept beside it. So a saved
network takes pixels alone, stores are those of any run, and a prediction without metadata is the
network's own: metadata taken for the mean of the training rows, or as missing where some were.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.atomic import write_bytes, write_json
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.records import Floats, Strings
from ensemble_kit.data.binary_tables import open_npz
from ensemble_kit.data.encoding import ColumnEncoder, encode
from ensemble_kit.runs.paths import ENCODERS, METADATA_HEAD


@dataclass(frozen=True, eq=False)
class MetadataHead:
    """kernel : (M, C) of the encoded columns. centre : (M,) their means over the training rows, at
    which nothing is added."""

    encoders: tuple[ColumnEncoder, ...]
    kernel: Floats
    centre: Floats

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(encoder.name for encoder in self.encoders)

    def shift(self, columns: Mapping[str, Strings]) -> Floats:
        """(n, C) what the columns, name -> (n,) str, add to the scores of each class."""
        return np.asarray((encode(self.encoders, columns) - self.centre) @ self.kernel)

    def write(self, folder: Path) -> tuple[str, ...]:
        """Encoders as JSON, numbers as npz; the names written."""
        write_json(folder / ENCODERS, [encoder.to_json() for encoder in self.encoders])
        buffer = io.BytesIO()
        np.savez(buffer, kernel=self.kernel, centre=self.centre)
        write_bytes(folder / METADATA_HEAD, buffer.getvalue())
        return ENCODERS, METADATA_HEAD


def split_kernel(
    encoders: tuple[ColumnEncoder, ...],
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    coded: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], MetadataHead]:
    """A solved head on [F pooled features, M encoded columns] as the network's own kernel (F, C)
    and bias (C,), and what metadata adds. coded : (m, M) of the training rows."""
    n_features = len(kernel) - coded.shape[1]
    own = kernel[n_features:].astype(np.float64)
    centre = coded.mean(axis=0, dtype=np.float64)
    at_centre = (bias + centre @ own).astype(np.float32)
    return kernel[:n_features], at_centre, MetadataHead(encoders, own, centre)


def read_metadata_head(folder: Path) -> MetadataHead:
    """Of a fold's folder, whose files were compared with their digests before."""
    arrays = open_npz(folder / METADATA_HEAD)
    encoders = parse_json((folder / ENCODERS).read_text(encoding="utf-8"))
    found = tuple(ColumnEncoder.from_json(values) for values in encoders)
    return MetadataHead(found, arrays["kernel"], arrays["centre"])
