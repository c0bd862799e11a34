"""A small data set of coloured squares, and the parts of a study on it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.data.dataset import load_table
from ensemble_kit.splits import make_folds
from ensemble_kit.study import StudySpec

CLASSES = ("akiec", "mel", "nv")


def write_squares(folder: Path, lesions: int = 12, photos: int = 3, side: int = 48) -> Path:
    """Noisy squares whose colour says the class; every lesion photographed several times."""
    rng = np.random.default_rng(7)
    (folder / "images").mkdir(parents=True)
    rows = ["image_id,lesion_id,dx"]
    for lesion in range(lesions * len(CLASSES)):
        label = lesion % len(CLASSES)
        for photo in range(photos):
            name = f"I{lesion:03d}_{photo}"
            pixels = rng.normal(110, 40, (side, side, 3))
            pixels[12:36, 12:30, label] += 90
            picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            picture.save(folder / "images" / f"{name}.png")
            rows.append(f"{name},L{lesion:03d},{CLASSES[label]}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="session")
def table(squares):
    return load_table(squares)


@pytest.fixture(scope="session")
def folds(table):
    return make_folds(table, 3)[0]


@pytest.fixture(scope="session")
def spec() -> StudySpec:
    """Compact network, 2 + 2 epochs, an inner part to stop by, no augmentation, exact stores."""
    return StudySpec().override(
        {
            "split": {"folds": 3},
            "model": {
                "backbone": "compact", "weights": "none", "image_size": 48, "unfreeze_depth": 2,
            },
            "training": {
                "head": "sgd", "early_stopping": "inner", "schedule": "plateau",
                "logit_adjustment": 0.0, "fine_tuned_share": 1.0, "test_views": 1, "views": 4,
                "head_epochs": 2, "fine_tune_epochs": 2, "batch_size": 16, "augment": "none",
                "store_dtype": "float32", "head_lr": 0.01, "fine_tune_lr": 0.003,
            },
        }
    )  # fmt: skip
