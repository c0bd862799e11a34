"""A folder with one of every file that the program reads, made without training."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.chaos.commands import TRAINING
from tests.chaos.giving import give
from tests.chaos.processes import well

CLASSES = ("bkl", "mel", "nv")
N_IMAGES = 24
QUICK = ["--replicates", "20", "-q"]


def make_workplace(folder: Path) -> Path:
    """Tables, studies, pictures of four formats and two runs below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    _tables(folder)
    _pictures(folder / "data")
    (folder / "study.toml").write_text(
        'name = "small"\n[data]\npath = "data"\nvocabulary = "words.toml"\n'
        '[model]\nbackbone = "compact"\nweights = "none"\n'
        "image_size = 48\n[split]\nfolds = 3\n[search.space]\n"
        "dropout = {low = 0.1, high = 0.5}\n"
    )
    (folder / "words.toml").write_text('[classes.mel]\nname = "melanoma"\nmalignant = true\n')
    for name in ("a", "b"):
        _well(give(folder, ["evaluate", "--predictions", f"{name}.csv", "--folds-file", "folds.csv",
                            "--name", name, *QUICK]))  # fmt: skip
    _well(give(folder, ["ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--name", "e",
                        *QUICK]))  # fmt: skip
    table = ["cv", "--study", "study.toml", "--set", "evaluation.replicates=20", "-q"]
    _well(give(folder, [*table, "--features", "features.npz", "--run", "f"]))
    _well(give(folder, [*table, "--metadata", "age,sex", "--metadata-only", "--run", "m"]))
    _well(give(folder, ["report", "a", "--out", "page.html", "--numbers", "numbers.json"]))
    return folder


def make_trained(workplace: Path, to: Path) -> Path:
    """A copy with a run `t` of `cv`, its stores and features of the same images."""
    folder = fresh_copy(workplace, to)
    well(folder, ["cv", "--study", "study.toml", "--run", "t", *TRAINING])
    return folder


def make_searched(workplace: Path, to: Path) -> Path:
    """As :func:`make_trained`, with a search, a bundle and files of weights."""
    folder = make_trained(workplace, to)
    well(folder, ["tune", "--study", "study.toml", "--name", "s", "--trials", "1", "--folds", "2",
                  "-q", "--set", "training.fine_tune_epochs=1"])  # fmt: skip
    well(folder, ["export", "t", "--to", "k", "-q"])
    model = folder / "runs/t/fold_0/model.keras"
    shutil.copy(model, folder / "own.keras")
    with zipfile.ZipFile(model) as archive:
        (folder / "own.weights.h5").write_bytes(archive.read("model.weights.h5"))
    return folder


def _well(outcome: object) -> None:
    assert getattr(outcome, "code") == 0, outcome  # noqa: B009


def fresh_copy(workplace: Path, to: Path) -> Path:
    shutil.copytree(workplace, to, symlinks=True)
    return to


def _tables(folder: Path) -> None:
    random = np.random.default_rng(3)
    ids = [f"I{i:02d}" for i in range(N_IMAGES)]
    labels = [CLASSES[(i // 2) % 3] for i in range(N_IMAGES)]
    frames = {}
    for name in ("a", "b"):
        p = random.dirichlet(np.ones(3), N_IMAGES)
        p[np.arange(N_IMAGES), (np.arange(N_IMAGES) // 2) % 3] += 0.6
        p = np.round(p / p.sum(axis=1, keepdims=True), 5)
        p[:, 2] = np.round(1 - p[:, 0] - p[:, 1], 5)
        frame = pd.DataFrame(p, columns=list(CLASSES))
        frame.insert(0, "label", labels)
        frame.insert(0, "lesion_id", [f"L{i // 2}" for i in range(N_IMAGES)])
        frame.insert(0, "image", ids)
        frame["age"] = random.integers(20, 80, N_IMAGES)
        frames[name] = frame
        frame.to_csv(folder / f"{name}.csv", index=False)
    frames["a"].to_parquet(folder / "a.parquet", index=False)
    np.savez(folder / "a.npz", image=np.array(ids), label=np.array(labels),
                  probabilities=frames["a"][list(CLASSES)].to_numpy(),
             classes=np.array(CLASSES))  # fmt: skip
    np.savez(folder / "features.npz", ids=np.array(ids),
             x=(x := random.normal(size=(N_IMAGES, 6)).astype(np.float32)))  # fmt: skip
    rows = pd.DataFrame(x, columns=[f"x{k}" for k in range(6)])
    rows.insert(0, "image", ids)
    rows.to_csv(folder / "features.csv", index=False)
    rows.to_parquet(folder / "features.parquet", index=False)
    truth = frames["a"][["image", "lesion_id"]].assign(dx=labels)
    truth.to_csv(folder / "truth.csv", index=False)
    folds = pd.DataFrame({"image": ids, "fold": [(i // 6) % 3 for i in range(N_IMAGES)]})
    folds.to_csv(folder / "folds.csv", index=False)
    (folder / "pairs.csv").write_text("image_1,image_2\nI00,I01\nI04,I05\n")
    (folder / "map.csv").write_text("from,to\nbkl,bkl\nmel,mel\nnv,nv\n")
    (folder / "costs.csv").write_text("class,treat,leave\nbkl,1,0\nmel,0,10\nnv,1,0\n")
    (folder / "people.csv").write_text("image,age,sex\nN0,40,male\nN1,,female\nN2,71,\n")
    parts = [f"{name},{'train' if i < N_IMAGES // 2 else 'test'}" for i, name in enumerate(ids)]
    (folder / "split.csv").write_text("\n".join(["image,split", *parts]) + "\n")


def _pictures(folder: Path) -> None:
    random = np.random.default_rng(4)
    (folder / "images").mkdir(parents=True)
    rows = ["image_id,lesion_id,dx,age,sex"]
    for i in range(N_IMAGES):
        kind = ("jpg", "png", "tif", "webp")[i % 4]
        pixels = random.integers(0, 255, (56, 56, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"I{i:02d}.{kind}")
        who = f"{30 + i // 2 * 3},{('male', 'female')[i // 2 % 2]}"
        rows.append(f"I{i:02d},L{i // 2},{CLASSES[(i // 2) % 3]},{who}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
