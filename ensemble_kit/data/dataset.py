"""From a folder to the one table the rest of the program works on."""

from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.groups import read_pairs, union_groups
from ensemble_kit.data.images import check_ids, find_images, paths_of
from ensemble_kit.data.layouts import find_layout
from ensemble_kit.data.rows import CORE, read_layout
from ensemble_kit.data.sample import draw_sample

SAMPLE = "sample"
SAMPLE_DIR = Path("store") / "sample"
DEFAULT = Path("dataset")


def data_or_default(given: str | None) -> str:
    """The data set asked for, else ``dataset/``; without that, DataError says how to get one."""
    if given:
        return given
    if DEFAULT.is_dir():
        return str(DEFAULT)
    raise DataError(
        f"no data: there is no folder {DEFAULT}/ here; get one with `python cli.py fetch ham10000 "
        f"--to {DEFAULT}/`, name another with --data DIR, or use the built-in set: --data sample"
    )


def load_table(
    path: Path | str,
    *,
    duplicates: Path | None = None,
    sample_dir: Path = SAMPLE_DIR,
    require_images: bool = True,
) -> ImageTable:
    """Read a data set: a folder, a CSV that names one, or ``"sample"``.

    path : see :func:`ensemble_kit.data.layouts.find_layout`; ``"sample"`` draws the built-in set
        into ``sample_dir`` once and reads it like any folder.
    duplicates : CSV of image pairs that must stay in one group.
    require_images : False reads the tables alone; ``paths`` are then ``""``.
    Returns the images sorted by id, classes sorted and lower-case. Raises DataError.
    """
    folder = draw_sample(sample_dir) if str(path) == SAMPLE else Path(path)
    layout = find_layout(folder)
    frame = read_layout(layout)
    check_ids(frame["image_id"], str(layout.table))
    frame = frame.sort_values("image_id", kind="stable", ignore_index=True)
    columns: dict[str, Strings] = {
        str(name): np.asarray(frame[name].to_numpy(dtype=object), dtype=np.str_)
        for name in frame.columns
    }
    ids, lesions, patients = columns["image_id"], columns["lesion_id"], columns["patient_id"]
    class_names, labels = np.unique(columns["dx"], return_inverse=True)
    if len(class_names) < 2:
        raise DataError(
            f"{layout.table}: every image is {str(class_names[0])!r}: a classifier needs at least "
            "two classes"
        )
    paths = np.full(len(ids), "", dtype=np.str_)
    if require_images:
        found = find_images(layout.root)
        paths = np.asarray(paths_of(ids.tolist(), found, layout.root, str(layout.table)), np.str_)
    pairs = read_pairs(duplicates, ids) if duplicates else None
    return ImageTable(
        image_ids=ids,
        groups=union_groups(ids, lesions, patients, pairs),
        labels=labels.astype(np.int64),
        class_names=tuple(str(name) for name in class_names),
        lesions=lesions,
        patients=patients,
        paths=paths,
        slices={name: column for name, column in columns.items() if name not in CORE},
        root=str(layout.root),
    )
