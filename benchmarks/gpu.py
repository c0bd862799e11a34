"""What a GPU reaches on Keras' JAX backend, beside bare compiled steps on rows it holds already.

    KERAS_BACKEND=jax python benchmarks/gpu.py [--backbone xception] [--size 299] [--images 2048]

Pixels are drawn at random and weights too: neither has a bearing on speed. Each line is the
median of the rounds after the first, which compiles. "share" is what the product reaches of the
bare step; what is missing is the wait for rows, the calls of Keras and the copies to the GPU.
Five folds end to end: time `cv` itself on a data set.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from ensemble_kit.models import check_model_spec
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.stores.activation_filling import BATCH, fill_stores
from ensemble_kit.stores.activations import open_store
from ensemble_kit.study import StudySpec
from ensemble_kit.training.model_cache import ModelCache, open_model_cache
from ensemble_kit.training.phases import FoldRows, PhasePlan, run_phase
from ensemble_kit.training.plan import PixelFacts, plan_stores
from ensemble_kit.training.sources import PixelSource, StoredSource

CLASSES = 7


def rate(images: int, seconds: list[float]) -> float:
    return images / float(np.median(seconds))


def timed(step, steps: int, rounds: int) -> list[float]:
    """Seconds of ``steps`` calls of ``step``, once a round; the first round is not counted."""
    import jax

    found = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        for _ in range(steps):
            last = step()
        jax.block_until_ready(last)
        found.append(time.perf_counter() - began)
    return found[1:]


def bare_forward(model, rows, rounds: int, steps: int) -> float:
    """Images/s of a compiled forward pass over rows that are on the device."""
    import jax

    fixed = (
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
    )
    forward = jax.jit(lambda state, x: model.stateless_call(*state, x, training=False)[0])
    inside = jax.device_put(rows)
    return rate(len(rows) * steps, timed(lambda: forward(fixed, inside), steps, rounds))


def bare_training(model, rows, targets, rounds: int, steps: int) -> float:
    """Images/s of a compiled step (gradient, AdamW) over rows that are on the device."""
    import jax
    import jax.numpy as jnp
    import keras

    trained = [jnp.copy(v.value) for v in model.trainable_variables]
    others = [jnp.copy(v.value) for v in model.non_trainable_variables]
    optimizer = keras.optimizers.AdamW(3e-4)
    optimizer.build(model.trainable_variables)

    def loss(trained, others, x, y):
        p, others = model.stateless_call(trained, others, x, training=True)
        return keras.ops.mean(keras.losses.categorical_crossentropy(y, p)), others

    def one(state, x, y):
        trained, others, moments = state
        (_, others), slopes = jax.value_and_grad(loss, has_aux=True)(trained, others, x, y)
        trained, moments = optimizer.stateless_apply(moments, slopes, trained)
        return trained, others, moments

    compiled = jax.jit(one, donate_argnums=0)
    x, y = jax.device_put(rows), jax.device_put(targets)
    state = [trained, others, [jnp.copy(v.value) for v in optimizer.variables]]

    def step():
        state[:] = compiled(state, x, y)
        return state[0]

    return rate(len(rows) * steps, timed(step, steps, rounds))


def product_training(cache: ModelCache, part: str, source, rows: FoldRows, rounds: int, folder):
    """Images/s of :func:`run_phase`, as a fold trains."""
    cache.staged.freeze(train_tail=part != "head")
    model = cache.compiled(part)
    plan = PhasePlan("fine_tune", rounds + 1, 1e-4, 1, cache.spec.training)
    history = run_phase(model, source, rows, plan, FoldSeed(0, 0, 0), folder / "x.weights.h5")
    return float(np.median([record.images_per_second for record in history[1:]])), model


def card() -> str:
    """Name and driver of the first GPU."""
    import subprocess

    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no NVIDIA GPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="xception")
    parser.add_argument("--size", type=int, default=299)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if os.environ.get("KERAS_BACKEND") != "jax":
        parser.error("this measures Keras on JAX: give KERAS_BACKEND=jax")
    lines = []

    def line(work: str, product: float, beside: str, bare: float) -> None:
        lines.append(f"| {work} | {product:,.0f} | {beside} | {bare:,.0f} | {product / bare:.0%} |")
        print(lines[-1], flush=True)

    def spec(depth: int) -> StudySpec:
        model = {"backbone": options.backbone, "image_size": options.size, "weights": "none"}
        training = {"batch_size": options.batch, "augment": "none", "early_stopping": "none",
                    "precision": "auto"}  # fmt: skip
        return StudySpec().override(
            {"model": model | {"unfreeze_depth": depth}, "training": training}
        )

    blocks = check_model_spec(spec(1).model).n_blocks
    generator = np.random.default_rng(0)
    shape = (options.images, options.size, options.size, 3)
    pixels = generator.integers(0, 256, shape, dtype=np.uint8)
    labels = generator.integers(0, CLASSES, options.images)
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    every = np.arange(options.images)
    rows = FoldRows(every, every[:0], labels, targets, np.ones(options.images, np.float32))
    cache = open_model_cache(spec(2), None, CLASSES, 0)
    print(f"{card()}; {cache.device}; {options.backbone}, {options.size} px, "
          f"batches of {options.batch}\n")  # fmt: skip
    print("| work | images/s | beside | images/s | share |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder, kind = Path(place), cache.device.kind
        batch = BATCH[kind]
        prefix = cache.staged.outputs_at((0, 2))
        first = bare_forward(prefix, pixels[:batch], options.rounds, options.images // batch)
        fills = []
        for round_ in range(options.rounds + 1):
            plan = plan_stores(spec(2), PixelFacts("drawn", options.images), f"{round_}", folder,
                               1e12, kind=kind)  # fmt: skip
            stores = [open_store(folder, key) for key in plan.keys]
            began = time.perf_counter()
            fill_stores(cache.staged, stores, pixels, 1, device=kind)
            fills.append(time.perf_counter() - began)
        line("filling stores", rate(options.images, fills[1:]), "forward pass", first)
        head, _ = product_training(cache, "head", StoredSource(stores[0]), rows, 2, folder)
        line("head by epochs, from the store", head, "forward pass", first)
        cut = StoredSource(stores[1])
        found, model = product_training(cache, "suffix", cut, rows, options.rounds, folder)
        inside = cut.drawn(every[: options.batch], every[: options.batch] * 0, generator)
        steps = options.images // options.batch
        bare = bare_training(model, inside, targets[: options.batch], options.rounds, steps)
        line("last two blocks, from the store", found, "step", bare)
        line("last two blocks, from the store", found, "forward pass", first)
        del cache, model, prefix
        cache = open_model_cache(spec(blocks), None, CLASSES, 0)
        source = PixelSource(pixels, online=True)
        found, model = product_training(cache, "tuned_whole", source, rows, options.rounds, folder)
        bare = bare_training(model, pixels[: options.batch], targets[: options.batch],
                             options.rounds, steps)  # fmt: skip
        line("everything, from pixels", found, "step", bare)
        line("everything, from pixels", found, "forward pass", first)


if __name__ == "__main__":
    main()
