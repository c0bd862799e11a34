"""Whether an exported file says what its run says: reference images, and both answers."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.records import Floats
from ensemble_kit.data.decode import Pixels, decode, read_header
from ensemble_kit.data.sample import draw_sample
from ensemble_kit.models.export_formats import EncodedRun, Run
from ensemble_kit.models.jpeg_input import has_exact_form
from ensemble_kit.workflows.shipped import Shipped

REFERENCES = 48
BATCH = 16


@dataclass(frozen=True, eq=False)
class References:
    """pixels : (n, S, S, 3), the last ``BATCH`` of them noise. origin : where the others are
    from. files : contents of the JPEG files among these others, and the row of each."""

    pixels: Pixels
    origin: str
    files: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True)
class EncodedCheck:
    """Encoded JPEG against the run. approximate : files that the program decodes at 3/8 of their
    size, for which the exported file has no such scale."""

    images: int
    largest: float
    approximate: int
    largest_approximate: float

    @property
    def sentence(self) -> str:
        told = f"encoded JPEG: at most {self.largest:.1e} from the run on {self.images} files"
        if self.approximate:
            told += (
                f"; {self.approximate} files of a size that the run decodes at 3/8, which this "
                f"format cannot, differ by up to {self.largest_approximate:.1e}"
            )
        return told


def references(shipped: Shipped, *, encoded: bool = False) -> References:
    """The run's own images, spread over its classes, else drawn ones; and noise, far from all.

    encoded : where none of the run's is a JPEG, drawn ones come beside them.
    """
    spec = shipped.members[0].spec
    table = shipped.members[0].run.table
    random = np.random.default_rng(0)
    order = random.permutation(len(table))
    rank = np.empty(len(table), np.int64)
    for code in range(table.n_classes):
        rows = order[table.labels[order] == code]
        rank[rows] = np.arange(len(rows))
    chosen = np.lexsort((table.labels, rank))[:REFERENCES].tolist()
    paths = [Path(table.root) / str(table.paths[row]) for row in chosen]
    pixels, files = _read(paths, spec.image_size, spec.aspect)
    origin = "the run's own and noise"
    few = len(pixels) < min(8, len(chosen))
    if few or (encoded and not files):
        with tempfile.TemporaryDirectory() as place:
            drawn = sorted(draw_sample(Path(place)).rglob("*.jpg"))[:REFERENCES]
            more, jpeg = _read(drawn, spec.image_size, spec.aspect)
        pixels = more if few else [*pixels, *more]
        files = [(data, len(pixels) - len(more) + row) for data, row in jpeg]
        origin = "drawn ones and noise" if few else "the run's own, drawn ones and noise"
    noise = random.integers(0, 256, (BATCH, spec.image_size, spec.image_size, 3)).astype(np.uint8)
    return References(np.concatenate([np.stack(pixels), noise]), origin, tuple(files))


def _read(
    paths: Sequence[Path], size: int, aspect: str
) -> tuple[list[Pixels], list[tuple[bytes, int]]]:
    """Pixels up to the first file that cannot be read, and the JPEG files with their rows."""
    pixels: list[Pixels] = []
    files = []
    for path in paths:
        try:
            pixels.append(decode(path, size, aspect))  # type: ignore[arg-type]
        except DataError:
            break
        data = path.read_bytes()
        if data.startswith(b"\xff\xd8"):
            files.append((data, len(pixels) - 1))
    return pixels, files


def run_answers(shipped: Shipped, pixels: Pixels) -> tuple[Floats, float]:
    """The run's own probabilities (n, C) and images a second."""
    for member in shipped.members:
        member.ensemble.predict(pixels[:BATCH], member.views, BATCH)
    began = time.perf_counter()
    outputs = [m.ensemble.predict(pixels, m.views, BATCH) for m in shipped.members]
    return shipped.probabilities(outputs), len(pixels) / (time.perf_counter() - began)


def batch_of(shipped: Shipped) -> int:
    """Images that a file is given at a time: their views together are at most ``BATCH``."""
    return max(1, BATCH // max(member.views for member in shipped.members))


def file_answers(run: Run, pixels: Pixels, batch: int) -> tuple[Floats, float]:
    """What an exported file gives, and images a second after a first batch."""
    batches = [pixels[i : i + batch].astype(np.float32) for i in range(0, len(pixels), batch)]
    run(batches[0])
    began = time.perf_counter()
    parts = [np.asarray(run(one), np.float64) for one in batches]
    return np.concatenate(parts), len(pixels) / (time.perf_counter() - began)


def check_encoded(
    run: EncodedRun, found: References, expected: Floats, size: int, aspect: str
) -> EncodedCheck:
    """Differences of the answers to JPEG files from the run's, ``expected`` (n, C)."""
    gaps: dict[bool, list[float]] = {True: [0.0], False: [0.0]}
    for data, row in found.files:
        header = read_header(data, "reference image")
        exact = has_exact_form(header.width, header.height, size, aspect)
        gaps[exact].append(float(np.abs(np.asarray(run([data]))[0] - expected[row]).max()))
    return EncodedCheck(
        len(gaps[True]) - 1, max(gaps[True]), len(gaps[False]) - 1, max(gaps[False])
    )
