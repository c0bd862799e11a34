"""The built-in sample: dermoscopy-like pictures drawn by rule, for demos and tests.

Nothing in it shows a person, and no figure measured on it says anything about medicine.
"""

import io
import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock
from PIL import Image

from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import DataError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.data.sample.art import draw
from ensemble_kit.data.sample.cast import cast

__all__ = ["VERSION", "draw_sample", "is_drawn"]

VERSION = 1
MARK = "sample.json"


def draw_sample(folder: Path) -> Path:
    """The data folder of the sample inside ``folder``; drawn there unless it is there already.

    The same pictures on every call. The data folder appears whole or not at all.
    """
    target = folder / f"v{VERSION}"
    if _is_whole(target):
        return target
    make_folder(folder)
    with FileLock(folder / ".lock"):
        if _is_whole(target):
            return target
        if target.exists() and not (target / MARK).is_file():
            raise DataError(
                f"{target} is in the way: the built-in sample is drawn there; move it elsewhere"
            )
        for left in folder.glob(".drawing-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(dir=folder, prefix=".drawing-"))
        try:
            with writing(target):
                _write(made)
            shutil.rmtree(target, ignore_errors=True)
            made.chmod(0o755)
            made.rename(target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    return target


def is_drawn(folder: Path) -> bool:
    """Whether :func:`draw_sample` would have nothing to do."""
    return _is_whole(folder / f"v{VERSION}")


def _is_whole(target: Path) -> bool:
    try:
        mark = parse_json((target / MARK).read_text(encoding="utf-8"))
        n_files = sum(1 for _ in (target / "images").iterdir())
        return (
            bool(mark["version"] == VERSION and mark["n_images"] == n_files)
            and (target / "metadata.csv").is_file()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(folder: Path) -> None:
    (folder / "images").mkdir()
    views = cast()

    def write(number: int) -> None:
        view, content = views[number], io.BytesIO()
        picture = Image.fromarray(draw(view.lesion, np.random.default_rng([VERSION, 7, number])))
        picture.save(content, "JPEG", quality=92, subsampling=0)
        (folder / "images" / f"{view.image_id}.jpg").write_bytes(content.getvalue())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(len(views))))
    frame = pd.DataFrame([view.row() for view in views])
    frame.to_csv(folder / "metadata.csv", index=False, lineterminator="\n")
    mark = {"version": VERSION, "n_images": len(views), "made_by": "ensemble_kit, drawn by rule"}
    (folder / MARK).write_text(json.dumps(mark) + "\n", encoding="utf-8")
