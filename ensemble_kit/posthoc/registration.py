"""Whether two pictures show the same thing: points of one that lie in the other, moved as one.

Scale-invariant points (Lowe 2004, SIFT, with square-rooted descriptors: Arandjelović & Zisserman
2012) are matched where each is the other's nearest, and counted where one shift, turn and scale
explains them (RANSAC, Fischler & Bolles 1981). Needs OpenCV (extra "duplicates").
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

POINTS = 250
NEAR = 6.0
"""Pixels by which a point may miss its place."""
SCALES = (0.6, 1.7)
LEAST = 6
GRID = 14
"""Frequencies a side of the spectrum by which candidates are found."""


@dataclass(frozen=True, eq=False)
class Points:
    """places : (k, 2) x, y. descriptors : (k, 128) uint8."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def available() -> bool:
    """Whether OpenCV is installed."""
    return find_spec("cv2") is not None


def find_points(grey: NDArray[np.uint8]) -> Points:
    """The strongest points of an (h, w) grey picture, its contrast evened out."""
    import cv2

    even: Any = cv2.createCLAHE(3.0, (4, 4)).apply(np.ascontiguousarray(grey))
    finder: Any = cv2.SIFT.create(nfeatures=POINTS, contrastThreshold=0.01, edgeThreshold=15)
    found, descriptors = finder.detectAndCompute(even, None)
    if descriptors is None or not len(found):
        return Points(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    places = np.array([point.pt for point in found], np.float32)
    return Points(places, np.clip(descriptors, 0, 255).astype(np.uint8))


def shared_points(one: Points, other: Points) -> int:
    """How many points of two pictures agree under one shift, turn and scale; 0 where none does."""
    import cv2

    if min(len(one.places), len(other.places)) < LEAST:
        return 0
    likeness = _rooted(one.descriptors) @ _rooted(other.descriptors).T
    there = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[there] == np.arange(len(there))
    if mutual.sum() < LEAST:
        return 0
    moved: Any
    moved, agree = cv2.estimateAffinePartial2D(
        one.places[mutual], other.places[there[mutual]],
        ransacReprojThreshold=NEAR, maxIters=500,
    )  # fmt: skip
    if moved is None:
        return 0
    scale = float(np.hypot(moved[0, 0], moved[1, 0]))
    return int(agree.sum()) if SCALES[0] < scale < SCALES[1] else 0


def spectrum(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Log magnitudes of the low frequencies of a square grey thumbnail, which a shift leaves as
    they are."""
    side = len(grey)
    window = np.sqrt(np.hanning(side + 2)[1:-1])
    values = (grey - grey.mean()) * np.outer(window, window)
    low = np.r_[0:GRID, 1 - GRID : 0]
    return np.log1p(np.abs(np.fft.rfft2(values))[low, :GRID]).ravel().astype(np.float32)


def _rooted(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = descriptors.astype(np.float32)
    return np.asarray(np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1.0)))
