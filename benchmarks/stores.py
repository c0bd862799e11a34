"""Filling a store against a bare forward pass, and training from it against an array in memory.

    python benchmarks/stores.py --data DIR --weights FILE [--size 150] [--images 400]

One process, both sides in turn. Prints images per second, ratios, and the share of the machine's
measured float32 matrix-product rate that each phase reaches.
"""

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

from ensemble_kit.data.dataset import load_table
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.stores.activation_filling import BATCH, fill_stores
from ensemble_kit.stores.activations import open_store
from ensemble_kit.stores.pixels import fill_pixels
from ensemble_kit.study import StudySpec
from ensemble_kit.training.model_cache import open_model_cache
from ensemble_kit.training.phases import FoldRows, PhasePlan, run_phase
from ensemble_kit.training.plan import PixelFacts, plan_stores
from ensemble_kit.training.sources import StoredSource


@dataclasses.dataclass(frozen=True, eq=False)
class ArraySource:
    """The same rows, already in memory."""

    rows: np.ndarray

    def drawn(self, rows, views, stream):
        return self.rows[rows]

    def seen(self, rows, view):
        return self.rows[rows]


def matrix_rate(threads_warm: int = 3) -> float:
    """GFLOP/s of a 2048³ float32 product in the framework that trains."""
    import tensorflow as tf

    a = tf.random.normal((2048, 2048))
    for _ in range(threads_warm):
        tf.linalg.matmul(a, a)
    began = time.perf_counter()
    for _ in range(5):
        tf.linalg.matmul(a, a).numpy()
    return 5 * 2 * 2048**3 / (time.perf_counter() - began) / 1e9


def suffix_flops(model) -> float:
    """Multiply-adds × 2 of one row through the convolutions of a model."""
    total = 0.0
    for layer in model.layers:
        shape = getattr(layer, "output", None)
        if layer.__class__.__name__ == "SeparableConv2D":
            _, h, w, _ = shape.shape
            depthwise, pointwise = layer.weights[0].shape, layer.weights[1].shape
            total += 2 * h * w * (np.prod(depthwise) + np.prod(pointwise))
        elif layer.__class__.__name__ == "Conv2D":
            _, h, w, _ = shape.shape
            total += 2 * h * w * np.prod(layer.weights[0].shape)
    return float(total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = load_table(options.data)
    table = table.take(np.arange(min(options.images, len(table))))
    spec = StudySpec().override(
        {
            "model": {"image_size": options.size, "weights": options.weights, "unfreeze_depth": 2},
            "training": {"augment": "none", "early_stopping": "none"},
        }
    )
    cache = open_model_cache(spec, Path(options.weights), table.n_classes, 0)
    fills, bare, stored, memory = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        pixels = fill_pixels(table, options.size, "crop", Path(folder), jobs=2)
        array = np.array(pixels.array)
        batch = BATCH["cpu"]
        model = cache.staged.outputs_at((0, 2))
        model.predict_on_batch(array[:batch])
        for round_ in range(options.rounds):
            began = time.perf_counter()
            for start in range(0, len(array) - batch + 1, batch):
                model.predict_on_batch(array[start : start + batch])
            bare.append((len(array) // batch * batch) / (time.perf_counter() - began))
            facts = PixelFacts(pixels.digest, len(table))
            plan = plan_stores(spec, facts, f"round-{round_}", Path(folder), 1e12)
            stores = [open_store(Path(folder), key) for key in plan.keys]
            began = time.perf_counter()
            fill_stores(cache.staged, stores, pixels.array, 1)
            fills.append(len(array) / (time.perf_counter() - began))
        cut = stores[1]
        rows = np.arange(len(table))
        inside = cut.read(rows, np.zeros(len(rows), int))
        targets = np.eye(table.n_classes, dtype=np.float32)[table.labels]
        job = FoldRows(rows, rows[:0], table.labels, targets, np.ones(len(rows), np.float32))
        cache.staged.freeze(train_tail=True)
        suffix = cache.compiled("suffix")
        scratch = Path(folder) / "x.weights.h5"
        phase = PhasePlan("fine_tune", 1, 1e-4, 1, spec.training)
        for round_ in range(options.rounds + 1):
            for source, rates in ((StoredSource(cut), stored), (ArraySource(inside), memory)):
                record = run_phase(suffix, source, job, phase, FoldSeed(0, 0, 0), scratch)[0]
                if round_:
                    rates.append(record.images_per_second)
        peak = matrix_rate()
        forward = np.median(bare) * suffix_flops(model) / 1e9
        training = np.median(stored) * 3 * suffix_flops(suffix) / 1e9
    print("| work | images/s | beside | ratio |\n|---|---|---|---|")
    print(f"| filling the store | {np.median(fills):.1f} | bare forward pass "
          f"{np.median(bare):.1f} | {np.median(np.divide(fills, bare)):.2f} |")  # fmt: skip
    print(f"| last two blocks from the store | {np.median(stored):.1f} | from memory "
          f"{np.median(memory):.1f} | {np.median(np.divide(stored, memory)):.2f} |")  # fmt: skip
    print(f"matrix product {peak:.0f} GFLOP/s; forward pass {forward / peak:.0%} of it, "
          f"training the last two blocks {training / peak:.0%}")  # fmt: skip


if __name__ == "__main__":
    main()
