"""Memory of one process that trains a step with one dropout (or image size) after another.

python benchmarks/model_cache.py --what dropout --changes 40 [--backbone xception --image-size 75]
"""

import argparse
import gc
import time

import numpy as np
import psutil


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=("dropout", "image_size"), default="dropout")
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--backbone", default="compact")
    parser.add_argument("--image-size", type=int, default=64)
    options = parser.parse_args()

    from ensemble_kit.models.draws import FoldSeed
    from ensemble_kit.study import StudySpec
    from ensemble_kit.training.model_cache import open_model_cache

    network = {"backbone": options.backbone, "weights": "none", "image_size": options.image_size}
    spec = StudySpec().override({"model": network})
    values = {
        "dropout": np.linspace(0.05, 0.6, options.changes).tolist(),
        "image_size": [options.image_size + 16 * (k % 2) for k in range(options.changes)],
    }[options.what]
    process = psutil.Process()
    for step, value in enumerate(values):
        began = time.perf_counter()
        spec = spec.override({"model": {options.what: value}})
        cache = open_model_cache(spec, None, 7, 0)
        cache.staged.reset(FoldSeed(0, 0, 0))
        for part in ("head", "suffix"):
            cache.staged.freeze(train_tail=part == "suffix")
            model = cache.compiled(part)
            inputs = np.zeros((8, *model.input_shape[1:]), np.float32)
            model.train_on_batch(inputs, np.eye(7, dtype=np.float32)[[0] * 8])
            model.predict_on_batch(inputs)
        seconds = time.perf_counter() - began
        gc.collect()
        if step % 5 == 0 or step == len(values) - 1:
            print(f"{step + 1:3d}  {process.memory_info().rss / 1e6:7.0f} MB  {seconds:5.1f} s",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
