"""Whether two pictures show the same thing: points of one that lie in the other, moved as one.

Scale-invariant points (Lowe 2004, SIFT, with square-rooted descriptors: Arandjelović & Zisserman
2012) are matched where each is the other's nearest, and counted where one shift, turn and scale
explains them (RANSAC, Fischler & Bolles 1981). Then one picture is laid on the other and their
detail correlated: points on two rulers or two rows of hairs agree as well, what lies around them
does not. Needs OpenCV (extra "duplicates").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats

POINTS = 250
NEAR = 3.0
"""Pixels by which a point may miss its place."""
SCALES = (0.6, 1.7)
LEAST = 6
FINE, COARSE = 1.0, 10.0
"""Pixels between which detail is compared: deviations of two Gaussian blurs."""
EVENED = 0.5
"""Share of a picture's overall contrast that is added to that nearby before detail is divided."""
OVERLAP, STILL = 0.1, 1e-6
"""Least share of a picture on which another must lie."""
GRID = 14
"""Frequencies a side of the spectrum by which candidates are found."""
WORDS, LEARNT_FROM = 16, 50_000
"""Kinds of points by which candidates are found, and points from which the kinds are learnt."""


@dataclass(frozen=True, eq=False)
class Points:
    """places : (k, 2) x, y. descriptors : (k, 128) uint8."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Match:
    """points : how many agree, 0 where none does. moved : (2, 3) by which the first picture's
    pixels lie on the second's; None without points."""

    points: int
    moved: Floats | None


NO_MATCH = Match(0, None)


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


def match_points(one: Points, other: Points) -> Match:
    """The points of two pictures that agree under one shift, turn and scale."""
    import cv2

    if min(len(one.places), len(other.places)) < LEAST:
        return NO_MATCH
    likeness = _rooted(one.descriptors) @ _rooted(other.descriptors).T
    there = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[there] == np.arange(len(there))
    if mutual.sum() < LEAST:
        return NO_MATCH
    moved: Any
    moved, agree = cv2.estimateAffinePartial2D(
        one.places[mutual], other.places[there[mutual]],
        ransacReprojThreshold=NEAR, maxIters=500,
    )  # fmt: skip
    if moved is None:
        return NO_MATCH
    scale = float(np.hypot(moved[0, 0], moved[1, 0]))
    if not SCALES[0] < scale < SCALES[1]:
        return NO_MATCH
    return Match(int(agree.sum()), np.asarray(moved, np.float64))


def detail_agrees(one: NDArray[np.uint8], other: NDArray[np.uint8], moved: Floats) -> float:
    """Correlation of the detail of two (h, w) grey pictures, the first laid on the second by
    ``moved`` (2, 3), where they overlap; -1 to 1, 0 where they overlap by less than a tenth."""
    import cv2

    size = (other.shape[1], other.shape[0])
    laid: Any = cv2.warpAffine(one.astype(np.float32), moved, size)
    inside: Any = cv2.warpAffine(np.ones(one.shape, np.float32), moved, size)
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8))
    if inside.mean() < OVERLAP:
        return 0.0
    weights = inside / inside.sum()
    a, b = (_detail(picture, inside) for picture in (laid, other.astype(np.float32)))
    a, b = a - (weights * a).sum(), b - (weights * b).sum()
    spread = float((weights * a * a).sum() * (weights * b * b).sum())
    return float((weights * a * b).sum() / spread**0.5) if spread > STILL else 0.0


def _detail(picture: NDArray[np.float32], inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is finer than ``COARSE`` and coarser than ``FINE``, from pixels inside alone, its
    contrast evened out, so that the marks of a ruler do not outweigh all around them."""
    import cv2

    def blurred(values: NDArray[np.float32], width: float) -> Any:
        share: Any = cv2.GaussianBlur(inside, (0, 0), width)
        return cv2.GaussianBlur(values * inside, (0, 0), width) / np.maximum(share, 0.05)

    fine = blurred(picture, FINE) - blurred(picture, COARSE)
    overall = float(((inside * fine**2).sum() / inside.sum()) ** 0.5)
    nearby = np.sqrt(np.maximum(blurred(fine**2, COARSE), 0.0))
    return np.asarray(fine / np.maximum(nearby + EVENED * overall, STILL), np.float32)


def spectrum(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Log magnitudes of the low frequencies of a square grey thumbnail, which a shift leaves as
    they are."""
    side = len(grey)
    window = np.sqrt(np.hanning(side + 2)[1:-1])
    values = (grey - grey.mean()) * np.outer(window, window)
    low = np.r_[0:GRID, 1 - GRID : 0]
    return np.log1p(np.abs(np.fft.rfft2(values))[low, :GRID]).ravel().astype(np.float32)


def aggregated(points: Sequence[Points]) -> NDArray[np.float32]:
    """(n, WORDS · 128) unit rows by which pictures with the same points are alike, wherever those
    lie: how each kind of point differs on average from its kind's centre (vectors of locally
    aggregated descriptors, Jégou et al. 2010; each kind scaled to length 1, Arandjelović &
    Zisserman 2013). The kinds are learnt from these pictures (k-means)."""
    from sklearn.cluster import MiniBatchKMeans

    each = -(-LEARNT_FROM // max(1, len(points)))
    sample = [_rooted(p.descriptors[:: max(1, len(p.descriptors) // each)]) for p in points]
    drawn = np.concatenate([np.zeros((0, 128), np.float32), *sample])
    out = np.zeros((len(points), WORDS, 128), np.float32)
    if len(drawn) < WORDS:
        return out.reshape(len(points), -1)
    kinds = MiniBatchKMeans(WORDS, random_state=0, n_init=1, batch_size=4096).fit(drawn)
    centres = np.asarray(kinds.cluster_centers_, np.float32)
    half = (centres**2).sum(axis=1) / 2
    for row, found in enumerate(points):
        values = _rooted(found.descriptors)
        kind = (values @ centres.T - half).argmax(axis=1)
        np.add.at(out[row], kind, values - centres[kind])
    out /= np.maximum(np.sqrt((out**2).sum(axis=2, keepdims=True)), STILL)
    length = np.sqrt((out**2).sum(axis=(1, 2)))
    return np.asarray(out.reshape(len(out), -1) / np.maximum(length, STILL)[:, None], np.float32)


def _rooted(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = descriptors.astype(np.float32)
    return np.asarray(np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1.0)))
