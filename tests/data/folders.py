"""Small data folders in every layout, with the same nine images of five lesions."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = ("image_id", "lesion_id", "patient_id", "dx", "age", "sex", "localization", "dx_type")
ROWS = (
    ("im_3", "L1", "P1", "mel", "60", "male", "back", "histo"),
    ("im_1", "L1", "P1", "mel", "60", "male", "back", "histo"),
    ("im_2", "L2", "P1", "nv", "60.0", "male", "", "follow_up"),
    ("im_4", "L3", "P2", "nv", "35", "female", "face", "follow_up"),
    ("im_5", "L3", "P2", "nv", "35", "female", "face", "follow_up"),
    ("im_6", "L4", "P3", "bkl", "", "unknown", "scalp", "consensus"),
    ("im_7", "L5", "P4", "bkl", "70", "male", "unknown", "histo"),
    ("im_8", "L6", "P5", "mel", "75", "", "trunk", "histo"),
    ("im_9", "L7", "P6", "nv", "25", "female", "trunk", "histo"),
)


@dataclass
class Rows:
    """Rows of a metadata table that a test may spoil before writing it."""

    rows: list[dict[str, str]] = field(
        default_factory=lambda: [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    )

    def change(self, image: str, **values: str) -> "Rows":
        for row in self.rows:
            if row["image_id"] == image:
                row |= values
        return self


def write_table(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def write_image(path: Path, seed: int, size: tuple[int, int] = (24, 18)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC).save(path, quality=92)


def write_folder(root: Path, rows: Rows | None = None) -> Path:
    """images/<id>.jpg and metadata.csv."""
    rows = rows or Rows()
    for row in rows.rows:
        write_image(root / "images" / f"{row['image_id']}.jpg", int(row["image_id"][-1]))
    write_table(root / "metadata.csv", rows.rows)
    return root


def write_png_capitals(root: Path) -> Path:
    """PNG and JPEG mixed, in any case of extension."""
    for number, row in enumerate(Rows().rows):
        extension = (".PNG", ".JPG", ".Jpeg", ".png", ".jpeg")[number % 5]
        write_image(root / "images" / f"{row['image_id']}{extension}", number)
    write_table(root / "metadata.csv", Rows().rows)
    return root


def write_kaggle(root: Path) -> Path:
    """HAM10000's two parts; Kaggle's second, lower-case copy of them included."""
    for number, row in enumerate(Rows().rows):
        for prefix in ("HAM10000", "ham10000"):
            part = f"{prefix}_images_part_{1 + number % 2}"
            write_image(root / part / f"{row['image_id']}.jpg", number)
    write_table(root / "HAM10000_metadata.csv", Rows().rows)
    return root


def write_merged(root: Path) -> Path:
    """HAM10000 with one image folder and Dataverse's tab-separated table."""
    for number, row in enumerate(Rows().rows):
        write_image(root / "images" / f"{row['image_id']}.jpg", number)
    write_table(root / "HAM10000_metadata.tab", Rows().rows, "\t")
    return root


def write_isic(root: Path) -> Path:
    """ISIC's one-hot ground truth as its archives unpack, metadata and patients beside it."""
    classes = ("MEL", "NV", "BKL", "DF")
    truth, extra = [], []
    for number, row in enumerate(Rows().rows):
        write_image(root / "ISIC_2019_Training_Input" / f"{row['image_id']}.jpg", number)
        hot = {name: f"{float(name.lower() == row['dx']):.1f}" for name in classes}
        truth.append({"image": row["image_id"]} | hot)
        extra.append(
            {
                "image": row["image_id"],
                "age_approx": row["age"],
                "anatom_site_general": row["localization"],
                "lesion_id": row["lesion_id"],
                "patient_id": row["patient_id"],
                "sex": row["sex"],
            }
        )
    write_table(root / "ISIC_2019_Training_GroundTruth.csv", truth)
    write_table(root / "ISIC_2019_Training_Metadata.csv", extra)
    return root


LAYOUTS = {
    "images with a metadata table": write_folder,
    "PNG and capitals": write_png_capitals,
    "HAM10000, two image parts": write_kaggle,
    "HAM10000, one image folder": write_merged,
    "ISIC ground truth": write_isic,
}
