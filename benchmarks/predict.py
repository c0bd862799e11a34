"""K fold models behind one prefix against one model and against a loop over K Keras models.

    python benchmarks/predict.py --weights FILE [--size 128] [--images 160] [--folds 5]

For each depth: fold models that differ in their tail and head are saved and opened as `predict`
opens them; all three ways run in turn on the same pixels, in several rounds, and the least of each
counts (other work on the machine only adds). Prints images a second, processor seconds and their
ratio to one model, the largest difference from the loop, and the peak memory of a process that
predicts the images once in each way.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WAYS = ("one", "shared", "loop")


def save_folds(folder: Path, weights: Path, size: int, depth: int, folds: int) -> None:
    """Fold models as `cv` leaves them, their tails moved apart."""
    from ensemble_kit.models.draws import FoldSeed
    from ensemble_kit.models.staged import build_staged
    from ensemble_kit.study import ModelSpec

    spec = ModelSpec(image_size=size, unfreeze_depth=depth)
    staged = build_staged(spec, weights, 7, 0)
    for k in range(folds):
        staged.reset(FoldSeed(0, 0, k))
        for layer in staged.tail_layers:
            layer.set_weights([w * np.float32(1 + 0.01 * k) for w in layer.get_weights()])
        staged.whole.save(folder / f"{k}.keras")


def open_way(way: str, folder: Path, depth: int, folds: int):
    """pixels -> (K, n, C) by one model, all behind one prefix, or a loop."""
    import keras

    from ensemble_kit.core.atomic import sha256_of_file
    from ensemble_kit.models import find_backbone
    from ensemble_kit.models.fold_ensemble import ModelFile, open_fold_ensemble

    paths = [folder / f"{k}.keras" for k in range(folds)]
    if way == "loop":
        models = [keras.models.load_model(path, compile=False) for path in paths]
        return lambda x: np.stack([model.predict(x, verbose=0) for model in models])
    files = [ModelFile(p, sha256_of_file(p)) for p in (paths[:1] if way == "one" else paths)]
    opened = open_fold_ensemble(files, find_backbone("xception"), depth)
    return lambda x: opened.predict(x).probabilities


def pixels(images: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, size, size, 3)).astype(np.uint8)


def memory(way: str, folder: Path, depth: int, args: argparse.Namespace) -> float:
    """Peak memory, GB, of a process that predicts the images once."""
    words = [sys.executable, __file__, "--weights", str(args.weights), "--size", str(args.size),
             "--images", str(args.images), "--folds", str(args.folds), "--child", way,
             "--folder", str(folder), "--depths", str(depth)]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--depths", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--child", choices=WAYS)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    from ensemble_kit.core.machine import peak_memory
    from ensemble_kit.models.device import prepare

    prepare(0)
    x = pixels(args.images, args.size)
    if args.child:
        open_way(args.child, args.folder, args.depths[0], args.folds)(x)
        print(peak_memory() / 1e9)
        return
    print("depth | way | images/s | processor s | against one | largest difference | peak GB")
    for depth in args.depths:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            save_folds(folder, args.weights, args.size, depth, args.folds)
            ways = {way: open_way(way, folder, depth, args.folds) for way in WAYS}
            found = {way: run(x) for way, run in ways.items()}
            seconds: dict[str, list[float]] = {way: [] for way in WAYS}
            worked: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(args.rounds):
                for way, run in ways.items():
                    began, began_work = time.perf_counter(), time.process_time()
                    run(x)
                    seconds[way].append(time.perf_counter() - began)
                    worked[way].append(time.process_time() - began_work)
            least = {way: min(worked[way]) for way in WAYS}
            off = np.abs(found["shared"] - found["loop"]).max()
            for way in WAYS:
                peak = memory(way, folder, depth, args)
                print(f"{depth} | {way} | {args.images / min(seconds[way]):.1f} | "
                      f"{least[way]:.2f} | {least[way] / least['one']:.3f} | "
                      f"{off if way == 'shared' else 0:.1e} | {peak:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
