"""How fast images become pixels: one decode, the store's fill, and reading the store again.

    python benchmarks/decode.py [--data DIR] [--size 150] [--images 500] [--jobs 2]

Peers, side by side in one run: Pillow as most notebooks use it (open, convert, crop, resize), and
TensorFlow's decode_jpeg and antialiased resize. Without --data the built-in sample is drawn at
600×450. Prints images per second and the ratio to Pillow.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ensemble_kit.core.records import ImageTable
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.decode import decode
from ensemble_kit.stores.pixels import fill_pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", help="data folder; default: the sample at 600×450")
    parser.add_argument("--size", type=int, default=150, help="pixels a side")
    parser.add_argument("--images", type=int, default=500, help="images used")
    parser.add_argument("--jobs", type=int, default=2, help="threads of the fill")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table = load_table(given.data) if given.data else enlarged_sample(Path(scratch))
        table = table.take(np.arange(min(given.images, len(table))))
        measure(table, given.size, given.jobs, Path(scratch))


def enlarged_sample(scratch: Path) -> ImageTable:
    """The sample's pictures at the size of HAM10000's."""
    table = load_table("sample", sample_dir=scratch / "sample")
    (scratch / "large").mkdir()
    for path in table.paths.tolist():
        with Image.open(Path(table.root) / path) as picture:
            large = picture.resize((600, 450), Image.Resampling.BICUBIC)
        large.save(scratch / "large" / Path(path).name, quality=95)
    paths = np.array([Path(path).name for path in table.paths.tolist()])
    return replace(table, paths=paths, root=str(scratch / "large"))


def measure(table: ImageTable, size: int, jobs: int, scratch: Path) -> None:
    files = [Path(table.root) / path for path in table.paths.tolist()]
    for file in files:
        file.read_bytes()  # every way finds the files in the page cache
    rates = {
        "Pillow, one thread": each(files, lambda file: with_pillow(file, size)),
        "ours, one thread": each(files, lambda file: decode(file, size, "crop")),
    }
    tensorflow = with_tensorflow(size)
    if tensorflow:
        rates["TensorFlow, one at a time"] = each(files, tensorflow)
    begun = time.perf_counter()
    store = fill_pixels(table, size, "crop", scratch / "store", jobs=jobs)
    rates[f"filling the store, {jobs} threads"] = len(files) / (time.perf_counter() - begun)
    begun = time.perf_counter()
    fill_pixels(table, size, "crop", scratch / "store", jobs=jobs)
    rates["opening it again"] = len(files) / (time.perf_counter() - begun)
    order = np.random.default_rng(0).permutation(len(files))
    begun = time.perf_counter()
    for start in range(0, len(order), 32):
        np.array(store.array[np.sort(order[start : start + 32])])
    rates["reading batches of 32 from it"] = len(files) / (time.perf_counter() - begun)
    peer = rates["Pillow, one thread"]
    print(f"{len(files)} images at {size} px")
    for name, rate in rates.items():
        print(f"{name:32s} {rate:12,.0f} images/s  {rate / peer:8.1f} ×")


def each(files: list[Path], work: Callable[[Path], object]) -> float:
    work(files[0])
    begun = time.perf_counter()
    for file in files:
        work(file)
    return len(files) / (time.perf_counter() - begun)


def with_pillow(file: Path, size: int) -> np.ndarray:
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))


def with_tensorflow(size: int) -> Callable[[Path], object] | None:
    try:
        import tensorflow as tf
    except ImportError:
        return None

    @tf.function
    def read(name: object) -> object:
        picture = tf.io.decode_jpeg(tf.io.read_file(name), channels=3)
        side = tf.minimum(tf.shape(picture)[0], tf.shape(picture)[1])
        square = tf.image.resize_with_crop_or_pad(picture, side, side)
        return tf.image.resize(square, (size, size), "bicubic", antialias=True)

    return lambda file: read(tf.constant(str(file)))


if __name__ == "__main__":
    main()
