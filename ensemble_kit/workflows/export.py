"""One file that predicts: written, run on reference images, and kept only if it agrees."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.atomic import write_json, write_text
from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.records import Floats
from ensemble_kit.data.decode import Pixels, decode
from ensemble_kit.data.sample import draw_sample
from ensemble_kit.models.export_formats import ExportFormat, find_format
from ensemble_kit.models.shipped_graph import GraphMember, build_shipped_graph
from ensemble_kit.training.model_cache import warm_up
from ensemble_kit.workflows.bundle import bundle_json, check_sets, script_of
from ensemble_kit.workflows.card import write_card
from ensemble_kit.workflows.shipped import Shipped, open_shipped

TOLERANCE = 1e-4
REFERENCES = 48
BATCH = 16


@dataclass(frozen=True)
class Exported:
    """folder : the bundle. largest : largest difference of a probability on the reference images
    (``images`` of them, ``origin``). n_bytes : of the model. images_per_second : the exported
    file on this machine, in batches of ``BATCH``, beside ``before``, the run's own networks."""

    folder: Path
    format: str
    largest: float
    images: int
    origin: str
    n_bytes: int
    images_per_second: float
    before: float


def export(
    run_folder: Path,
    to: Path,
    format: str = "keras",
    *,
    coverage: float | None = None,
    overwrite: bool = False,
    tell: Tell = say_nothing,
) -> Exported:
    """Export a run as one file that takes pixels 0..255 and gives final probabilities.

    Written into ``to``: the model, ``bundle.json``, ``predict.py`` and ``README.md`` (the card).
    The exported file is run on reference images first: where a probability differs from the
    run's by more than 1e-4, RunError, and nothing is left behind. tell : hears "working"
    (sentence).
    """
    chosen = find_format(format)
    _check_free(to, overwrite)
    shipped = open_shipped(run_folder, coverage=coverage)
    if not check_sets(shipped.sets):
        raise RunError(
            f"run {shipped.run.name!r} has prediction sets by {shipped.sets.spec.score}, which the "
            "exported script cannot form; make the ensemble with --set-score lac"
        )
    warm_up(0)
    tell("working", sentence="joining the fold models into one network")
    chain = None if shipped.bundle is None else shipped.bundle.chain.to_json()
    members = [GraphMember(m.name, m.ensemble, m.views, m.columns) for m in shipped.members]
    graph = build_shipped_graph(members, chain)
    pixels, origin = _references(shipped)
    expected, before = _expected(shipped, pixels)
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as place:
        fresh = Path(place) / to.name
        fresh.mkdir()
        tell("working", sentence=f"writing {chosen.file}")
        chosen.write(graph, fresh / chosen.file)
        tell("working", sentence=f"running it on {len(pixels)} reference images ({origin})")
        found, rate = _run(chosen, fresh / chosen.file, pixels)
        largest = float(np.abs(found - expected).max())
        if not largest <= TOLERANCE:
            raise RunError(
                f"the {format} file gives probabilities that differ by {largest:.2g} from the "
                f"run's (at most {TOLERANCE:g} is allowed), so it was not kept; export another "
                "format"
            )
        n_bytes = sum(p.stat().st_size for p in fresh.rglob("*") if p.is_file())
        write_text(fresh / "predict.py", script_of(chosen))
        write_card(fresh / "README.md", shipped, chosen)
        verification: dict[str, Any] = {
            "images": len(pixels), "origin": origin, "largest_difference": largest,
            "tolerance": TOLERANCE,
        }  # fmt: skip
        write_json(fresh / "bundle.json", bundle_json(shipped, chosen, fresh, verification))
        if to.exists():
            shutil.rmtree(to)
        fresh.replace(to)
    return Exported(to, format, largest, len(pixels), origin, n_bytes, rate, before)


def _check_free(to: Path, overwrite: bool) -> None:
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        return
    if not (to / "bundle.json").is_file():
        raise RunError(f"{to} is there and is no exported bundle: name another folder with --to")
    if not overwrite:
        raise RunError(f"{to} holds a bundle already: name another folder, or give --overwrite")


def _references(shipped: Shipped) -> tuple[Pixels, str]:
    """(n, S, S, 3) images to compare on, and where they are from: the run's own, spread over its
    classes, else drawn ones; and noise, which is far from all of them."""
    spec = shipped.members[0].spec
    table = shipped.members[0].run.table
    random = np.random.default_rng(0)
    order = random.permutation(len(table))
    rank = np.empty(len(table), np.int64)
    for code in range(table.n_classes):
        rows = order[table.labels[order] == code]
        rank[rows] = np.arange(len(rows))
    found = []
    for row in np.lexsort((table.labels, rank))[:REFERENCES].tolist():
        try:
            path = Path(table.root) / str(table.paths[row])
            found.append(decode(path, spec.image_size, spec.aspect))
        except DataError:
            break
    origin = "the run's own and noise"
    if len(found) < 8:
        origin = "drawn ones and noise"
        with tempfile.TemporaryDirectory() as place:
            files = sorted(draw_sample(Path(place)).rglob("*.jpg"))[:REFERENCES]
            found = [decode(path, spec.image_size, spec.aspect) for path in files]
    noise = random.integers(0, 256, (BATCH, spec.image_size, spec.image_size, 3)).astype(np.uint8)
    return np.concatenate([np.stack(found), noise]) if found else noise, origin


def _expected(shipped: Shipped, pixels: Pixels) -> tuple[Floats, float]:
    """The run's own probabilities and images a second."""
    outputs = [m.ensemble.predict(pixels, m.views, BATCH) for m in shipped.members]
    began = time.perf_counter()
    for member in shipped.members:
        member.ensemble.predict(pixels, member.views, BATCH)
    return shipped.probabilities(outputs), len(pixels) / (time.perf_counter() - began)


def _run(chosen: ExportFormat, path: Path, pixels: Pixels) -> tuple[Floats, float]:
    """What the exported file gives, and images a second after a first batch."""
    run = chosen.open(path)
    batches = [pixels[i : i + BATCH].astype(np.float32) for i in range(0, len(pixels), BATCH)]
    run(batches[0])
    began = time.perf_counter()
    parts = [np.asarray(run(batch), np.float64) for batch in batches]
    return np.concatenate(parts), len(pixels) / (time.perf_counter() - began)
