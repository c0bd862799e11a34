"""The same six pictures in every layout that is read: drawn, two classes, three patients."""

import io
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

N = 6
LABELS = ("nv", "mel", "nv", "mel", "nv", "mel")
PATIENTS = ("P1", "P1", "P2", "P2", "P3", "P3")


def pixels() -> NDArray[np.uint8]:
    """(6, 8, 8, 3) uint8."""
    return np.random.default_rng(5).integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)


def png(number: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels()[number]).save(content, "PNG")
    return content.getvalue()


def files(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))


def table(path: Path, **columns: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False)


def ids(form: str = "im_{}") -> list[str]:
    return [form.format(k) for k in range(N)]


def plain(root: Path) -> Path:
    files(root, ids("images/im_{}.png"))
    table(root / "metadata.csv", image_id=ids(), dx=LABELS, patient_id=PATIENTS)
    return root


def paths(root: Path) -> Path:
    files(root, ids("deep/er/and/deeper/im_{}.png"))
    table(root / "list.csv", filepath=ids("deep/er/and/deeper/im_{}.png"), target=LABELS)
    return root


def class_folders(root: Path) -> Path:
    files(root, [f"{label}/im_{k}.png" for k, label in enumerate(LABELS)])
    return root


def split_folders(root: Path) -> Path:
    splits = ("train", "train", "val", "val", "test", "test")
    both = zip(splits, LABELS, strict=True)
    files(root, [f"{s}/{label}/im_{k}.png" for k, (s, label) in enumerate(both)])
    return root


def pad_ufes(root: Path) -> Path:
    files(root, ids("images/PAT_{}.png"))
    table(root / "metadata.csv", patient_id=PATIENTS, lesion_id=[1, 2, 1, 2, 1, 2],
          diagnostic=[x.upper() for x in LABELS], img_id=ids("PAT_{}.png"))  # fmt: skip
    return root


def isic_archive(root: Path) -> Path:
    files(root, ids("ISIC_{}.png"))
    table(root / "export.csv", isic_id=ids("ISIC_{}"), attribution="x", copyright_license="CC-0",
          diagnosis_1=["Benign", "Malignant"] * 3, diagnosis_2="", diagnosis_3=LABELS)  # fmt: skip
    return root


def milk10k(root: Path) -> Path:
    lesions = [f"IL_{k // 2}" for k in range(N)]
    files(root, [f"MILK10k_Training_Input/{lesion}/im_{k}.png" for k, lesion in enumerate(lesions)])
    kinds = ["dermoscopic", "clinical: close-up"] * 3
    table(
        root / "MILK10k_Training_Metadata.csv", lesion_id=lesions, image_type=kinds, isic_id=ids()
    )
    table(root / "MILK10k_Training_GroundTruth.csv", lesion_id=["IL_0", "IL_1", "IL_2"],
          MEL=[1.0, 0.0, 0.0], NV=[0.0, 1.0, 1.0])  # fmt: skip
    return root


def derm7pt(root: Path) -> Path:
    files(root, ids("images/A/d_{}.png"))
    table(root / "meta" / "meta.csv", case_num=range(N), diagnosis=LABELS,
          clinic=ids("A/c_{}.png"), derm=ids("A/d_{}.png"), case_id=PATIENTS)  # fmt: skip
    for name, rows in (("train", [0, 1, 2]), ("valid", [3]), ("test", [4, 5])):
        table(root / "meta" / f"{name}_indexes.csv", indexes=rows)
    return root


def fitzpatrick(root: Path) -> Path:
    files(root, ids("images/{}abc.png"))
    table(root / "fitzpatrick17k.csv", md5hash=ids("{}abc"), label=LABELS,
          three_partition_label="x", fitzpatrick_scale=1)  # fmt: skip
    return root


def ddi(root: Path) -> Path:
    files(root, ids("00000{}.png"))
    table(root / "ddi_metadata.csv", DDI_ID=range(N), DDI_file=ids("00000{}.png"), skin_tone=12,
          malignant=[label == "mel" for label in LABELS], disease="d")  # fmt: skip
    return root


def isic2024(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "train-image.hdf5", "w") as file:
        for number, name in enumerate(ids("ISIC_{}")):
            file[name] = np.void(png(number))
    table(root / "train-metadata.csv", isic_id=ids("ISIC_{}"), patient_id=PATIENTS,
          target=[int(label == "mel") for label in LABELS])  # fmt: skip
    return root


def medmnist(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    labels = np.array([[int(label == "mel")] for label in LABELS], np.uint8)
    arrays: dict[str, NDArray[np.uint8]] = {}
    for name, part in (("train", slice(0, 4)), ("val", slice(4, 5)), ("test", slice(5, 6))):
        arrays |= {f"{name}_images": pixels()[part], f"{name}_labels": labels[part]}
    np.savez(root / "drawnmnist.npz", **arrays)  # type: ignore[arg-type]
    return root


def parquet(root: Path) -> Path:
    folder = root / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for shard, part in enumerate((range(4), range(4, 6))):
        images = [{"bytes": png(k), "path": f"im_{k}.png"} for k in part]
        labels = [int(LABELS[k] == "mel") for k in part]
        features = (
            '{"info": {"features": {"label": {"names": ["nv", "mel"], "_type": "ClassLabel"}}}}'
        )
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        whole = pa.table({"image": pa.array(images, kind), "label": labels})
        whole = whole.replace_schema_metadata({"huggingface": features})
        pq.write_table(whole, folder / f"train-0000{shard}-of-00002.parquet")
    return root


LAYOUTS = {
    "images with a metadata table": plain,
    "a table of paths": paths,
    "a folder a class": class_folders,
    "a folder a class within test, train, val": split_folders,
    "PAD-UFES-20": pad_ufes,
    "ISIC Archive export": isic_archive,
    "MILK10k": milk10k,
    "Derm7pt": derm7pt,
    "Fitzpatrick17k": fitzpatrick,
    "DDI": ddi,
    "ISIC 2024: a table and one HDF5 file": isic2024,
    "MedMNIST npz": medmnist,
    "parquet with image bytes": parquet,
}
POSITIVE = ("mel", "1", "malignant")
