"""Near-duplicates across a run's groups: candidates by features, proved by points that agree and by
the detail of one picture laid on the other."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, count
from ensemble_kit.core.listening import Tell
from ensemble_kit.core.records import ImageTable, Ints
from ensemble_kit.data.decode import decode_bytes
from ensemble_kit.data.depth import bits_used
from ensemble_kit.data.references import read_image
from ensemble_kit.posthoc.near_duplicates import Features, candidates, evened, near_duplicates
from ensemble_kit.posthoc.registration import (
    Match,
    Points,
    aggregated,
    available,
    detail_agrees,
    find_points,
    match_points,
    spectrum,
)
from ensemble_kit.runs.folder import Run
from ensemble_kit.runs.issues import Pair
from ensemble_kit.workflows.run_features import FeatureSet, features_of

SIDE, POINTS_SIDE, THUMBNAIL = 320, 160, 64
"""Sides of a picture as read, as points are sought in it, and of which the spectrum is."""
EACH, LIKELIEST = 10, 2
"""Likest images of each image that are candidates; the likeliest pairs, so many an image over all,
are compared point by point."""
CHANCE = 4
"""Points that agree in most pairs of strangers."""
LIKE, AT_MOST_LIKE = 1.5, 1.0
"""Weight of likeness beside the logarithm of points and detail, and the likeness beyond which no
more is given: strangers with the same features are no twins."""
ENOUGH, LAID = CHANCE + 1, 2_000
"""Points that must agree for pictures to be laid on each other; pairs so compared at most."""
KEPT = 512
"""Pictures kept in memory while pairs are laid on each other."""
AT_MOST = 20_000
THREADS = 2
GREY = np.array([0.299, 0.587, 0.114], np.float32)


def find_twins(run: Run, store_dir: Path, most: int, tell: Tell) -> tuple[tuple[Pair, ...], str]:
    """The ``most`` likeliest pairs, best first, and how they were found, in a sentence."""
    features = features_of(run, store_dir)
    if not features.sets:
        return (), f"near-duplicates were not looked for: {features.source}"
    how, why = f"by {features.source}", ""
    if not available():
        why = "point by point they are compared where OpenCV is installed (extra “duplicates”)"
    elif len(run.table) > AT_MOST:
        why = f"more than {AT_MOST:,} images are not compared point by point"
    elif not (run.table.paths != "").all():
        why = "the run knows no files, so they were not compared point by point"
    found: list[Pair] = []
    pictures = None
    if not why:
        tell("begin", total=2 * len(run.table))
        try:
            pictures = _pictures(run.table, tell)
            how += ", then point by point, then laid on each other"
        except (DataError, OSError) as error:
            why = f"not compared point by point, for want of a file: {error}"
    for part in features.sets:
        if len(part.rows) < 2:
            continue
        if pictures is None:
            found += _by_features(run.table, part, most)
        else:
            found += _by_points(run.table, part, *pictures, tell)
    shown = tuple(_each_joins(run.table, found)[:most])
    said = (
        f"near-duplicates: the {count(len(shown), 'likeliest pair')} across groups {how}; look at "
        "each before you hand them on"
    )
    return shown, f"{said}; {why}" if why else said


def evidence(pair: Pair) -> float:
    """What pairs come by: points beyond those that strangers share, times the correlation of
    detail, times e^(1.5 likeness), likeness up to 1; where nothing was laid on each other the
    likeness alone."""
    if not pair.points:
        return pair.likeness
    like = min(pair.likeness, AT_MOST_LIKE)
    return (pair.points - CHANCE) * max(pair.detail, 0.0) * math.exp(LIKE * like)


def _each_joins(table: ImageTable, found: list[Pair]) -> list[Pair]:
    """Best first, without those whose groups the pairs before them have joined already; by
    likeness alone, where strangers are many, without those between the same two groups."""
    group_of = dict(zip(table.image_ids.tolist(), table.groups.tolist(), strict=True))
    joined: dict[str, str] = {}

    def root(group: str) -> str:
        while group in joined:
            group = joined[group]
        return group

    kept, seen = [], set()
    for pair in sorted(found, key=lambda p: (-evidence(p), p.first, p.second)):
        groups = [group_of[pair.first], group_of[pair.second]]
        ends = frozenset(map(root, groups) if pair.points else groups)
        if len(ends) < 2 or ends in seen:
            continue
        seen.add(ends)
        kept.append(pair)
        if pair.points:
            one, other = ends
            joined[max(one, other)] = min(one, other)
    return kept


def _by_features(table: ImageTable, part: FeatureSet, most: int) -> list[Pair]:
    pairs = near_duplicates(part.views[0], table.groups[part.rows], most, turned=part.views[1:])
    none = [0] * len(pairs.rows)
    return _named(table, part, pairs.rows, none, pairs.likeness, pairs.cosine, none)


def _by_points(
    table: ImageTable, part: FeatureSet, points: Sequence[Points], spectra: Features,
    tell: Tell,
) -> list[Pair]:  # fmt: skip
    rows = part.rows
    local = aggregated([points[row] for row in rows.tolist()])
    views = (evened(part.views[0]), _standard(spectra[rows]), local)
    together = np.concatenate(views, axis=1)
    pairs = candidates(np.asarray(together, np.float32), table.groups[rows], EACH)
    total, done = min(len(pairs.rows), LIKELIEST * len(rows)), 0
    matches: list[Match] = []

    def compare(place: int) -> Match:
        a, b = pairs.rows[place].tolist()
        return match_points(points[rows[a]], points[rows[b]])

    with ThreadPoolExecutor(THREADS) as threads:
        for place, match in enumerate(threads.map(compare, range(total))):
            matches.append(match)
            if (place + 1) * len(rows) // total > done:
                tell("step", n=(place + 1) * len(rows) // total - done)
                done = (place + 1) * len(rows) // total
    agree = np.array([match.points for match in matches], np.int64)
    order = np.argsort(-agree, kind="stable")
    kept = order[agree[order] >= ENOUGH][:LAID]
    detail = _laid(table, rows[pairs.rows[kept]], [matches[place] for place in kept.tolist()])
    return _named(table, part, pairs.rows[kept], agree[kept].tolist(),
                  pairs.likeness[kept], pairs.cosine[kept] / len(views), detail)  # fmt: skip


def _laid(table: ImageTable, rows: Ints, matches: Sequence[Match]) -> list[float]:
    """How the detail of each pair (m, 2) agrees where the first lies on the second."""

    @lru_cache(maxsize=KEPT)
    def grey(row: int) -> NDArray[np.uint8]:
        return _grey(table, table.paths[row])[0]

    found = []
    for (a, b), match in zip(rows.tolist(), matches, strict=True):
        assert match.moved is not None
        found.append(detail_agrees(grey(a), grey(b), match.moved))
    return found


def _named(
    table: ImageTable, part: FeatureSet, rows: Ints, points: Sequence[int],
    likeness: NDArray[np.float64], cosine: NDArray[np.float64], detail: Sequence[float],
) -> list[Pair]:  # fmt: skip
    named = table.image_ids[part.rows][rows]
    numbers = zip(named, points, detail, likeness, cosine, strict=True)
    return [
        Pair(str(a), str(b), int(agree), float(fine), float(like), float(near))
        for (a, b), agree, fine, like, near in numbers
    ]


def _grey(table: ImageTable, path: str) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The grey picture in which points are sought, and its thumbnail."""
    data = read_image(table.root, path)
    pixels = decode_bytes(data, SIDE, "stretch", path, bits_used(data) or 16) @ GREY
    half, small = (
        pixels.reshape(side, SIDE // side, side, SIDE // side).mean(axis=(1, 3))
        for side in (POINTS_SIDE, THUMBNAIL)
    )
    return np.clip(half, 0, 255).astype(np.uint8), small


def _pictures(table: ImageTable, tell: Tell) -> tuple[list[Points], Features]:
    def look(path: str) -> tuple[Points, NDArray[np.float32]]:
        picture, small = _grey(table, path)
        return find_points(picture), spectrum(small)

    points, spectra = [], []
    with ThreadPoolExecutor(THREADS) as threads:
        for found, of_image in threads.map(look, table.paths.tolist()):
            points.append(found)
            spectra.append(of_image)
            tell("step", n=1)
    return points, np.stack(spectra)


def _standard(values: Features) -> Features:
    """Columns at mean 0 and deviation 1, rows of length 1."""
    values = values - values.mean(axis=0)
    values = values / np.maximum(values.std(axis=0), 1e-6)
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    return np.asarray(values / np.maximum(length, 1e-12), np.float32)
