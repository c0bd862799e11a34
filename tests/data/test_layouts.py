"""One suite over every layout: the same pictures give the same pixels, labels and groups."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.dataset import load_data
from ensemble_kit.data.decode import decode_bytes
from ensemble_kit.data.survey import survey
from ensemble_kit.stores.pixels import fill_pixels
from ensemble_kit.study import DataSpec
from tests.data import native

BY_PATIENT = ("images with a metadata table", "PAD-UFES-20", "Derm7pt",
              "ISIC 2024: a table and one HDF5 file")  # fmt: skip


@pytest.mark.parametrize("name", native.LAYOUTS)
def test_every_layout_gives_the_same_pictures(name: str, tmp_path: Path) -> None:
    found = load_data(native.LAYOUTS[name](tmp_path / "data"))
    table = found.table
    assert found.layout in (name, "images with a metadata table")
    assert len(table) == native.N
    assert "image =" in found.told
    store = fill_pixels(table, 8, "crop", tmp_path / "store", jobs=1)
    order = [
        next(
            k for k in range(native.N) if (decode_bytes(native.png(k), 8, "crop", "") == row).all()
        )
        for row in store.array
    ]
    assert sorted(order) == list(range(native.N))
    if name != "MILK10k":
        positive = [table.class_names[label] in native.POSITIVE for label in table.labels]
        assert positive == [native.LABELS[k] == "mel" for k in order]
    if name in BY_PATIENT:
        wanted = [native.PATIENTS[k] for k in order]
        assert table.patients.tolist() == wanted
        assert table.n_groups == 3
    looked = survey(table)
    assert looked.unreadable == ()
    assert looked.image_sizes == {"8×8": native.N}


def test_the_same_pixels_have_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("images with a metadata table", "parquet with image bytes", "a folder a class"):
        table = load_data(native.LAYOUTS[name](tmp_path / name)).table
        assert table.image_ids.tolist() == native.ids()
        digests.add(fill_pixels(table, 8, "crop", tmp_path / f"store {name}", jobs=1).digest)
    assert len(digests) == 1


def test_milk10k_labels_images_by_their_lesion(tmp_path: Path) -> None:
    table = load_data(native.milk10k(tmp_path)).table
    assert table.lesions.tolist() == ["IL_0", "IL_0", "IL_1", "IL_1", "IL_2", "IL_2"]
    assert [table.class_names[c] for c in table.labels] == ["mel", "mel", "nv", "nv", "nv", "nv"]


def test_lesions_numbered_within_patients_are_told_apart(tmp_path: Path) -> None:
    found = load_data(native.pad_ufes(tmp_path))
    assert found.table.lesions.tolist() == ["P1/1", "P1/2", "P2/1", "P2/2", "P3/1", "P3/2"]
    assert "a lesion is (patient, lesion)" in " ".join(found.notes)


def test_splits_are_kept_and_patients_come_from_names(tmp_path: Path) -> None:
    native.split_folders(tmp_path)
    found = load_data(tmp_path, DataSpec(group_pattern=r"im_[0-2]"))
    assert found.table.slices["split"].tolist() == ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    assert found.table.n_groups == 6
    found = load_data(tmp_path, DataSpec(group_pattern=r"(im)_"))
    assert found.table.n_groups == 1
    with pytest.raises(DataError, match="fits none of the 6 file names"):
        load_data(tmp_path, DataSpec(group_pattern="person"))
    with pytest.raises(DataError, match="no regular expression"):
        load_data(tmp_path, DataSpec(group_pattern="(("))


def test_names_that_repeat_in_folders_keep_the_folders(tmp_path: Path) -> None:
    native.files(tmp_path, ["train/a/1.png", "test/a/1.png", "train/b/1.png"])
    found = load_data(tmp_path)
    assert found.table.image_ids.tolist() == ["test-a-1", "train-a-1", "train-b-1"]


def test_a_glob(tmp_path: Path) -> None:
    native.class_folders(tmp_path)
    assert load_data(f"{tmp_path}/*/*.png").table.image_ids.tolist() == native.ids()
    with pytest.raises(DataError, match="no image file fits it"):
        load_data(f"{tmp_path}/*/*.bmp")


def test_levels_of_the_isic_archive(tmp_path: Path) -> None:
    root = native.isic_archive(tmp_path)
    assert load_data(root).table.class_names == ("mel", "nv")
    assert load_data(root, DataSpec(label_level=1)).table.class_names == ("benign", "malignant")
    with pytest.raises(DataError, match="--label-level 7: there are diagnosis_1"):
        load_data(root, DataSpec(label_level=7))


def test_hdf5_without_the_ids_and_npz_of_objects(tmp_path: Path) -> None:
    root = native.isic2024(tmp_path / "h")
    frame = pd.read_csv(root / "train-metadata.csv")
    frame.assign(isic_id=frame["isic_id"] + "x").to_csv(root / "train-metadata.csv", index=False)
    with pytest.raises(DataError, match="no entry for ISIC_0x"):
        load_data(root)
    (tmp_path / "n").mkdir()
    np.savez(tmp_path / "n" / "a.npz", train_images=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="never loaded"):
        load_data(tmp_path / "n")


def test_columns_by_name(tmp_path: Path) -> None:
    native.files(tmp_path, native.ids("images/im_{}.png"))
    native.table(tmp_path / "t.csv", foto=native.ids(), befund=native.LABELS, wer=native.PATIENTS)
    with pytest.raises(DataError, match="--columns image=…,label=…"):
        load_data(tmp_path)
    columns = {"image": "foto", "label": "befund", "group": "wer"}
    found = load_data(tmp_path, DataSpec(columns=columns))
    assert found.table.n_groups == 3
    assert "image = foto, label = befund, group = wer" in found.told
    with pytest.raises(DataError, match="no column nope"):
        load_data(tmp_path, DataSpec(columns={**columns, "label": "nope"}))
    with pytest.raises(DataError, match="no role"):
        load_data(tmp_path, DataSpec(columns={"picture": "foto"}))


def test_two_label_columns_are_never_chosen_in_silence(tmp_path: Path) -> None:
    native.files(tmp_path, native.ids("images/im_{}.png"))
    other = ["nv", "nv", "nv", "mel", "nv", "mel"]
    native.table(tmp_path / "t.csv", image=native.ids(), dx=native.LABELS, diagnosis=other)
    said = " ".join(load_data(tmp_path).notes)
    assert "label: dx is taken, not diagnosis" in said
    assert "label columns dx and diagnosis disagree in 1 of 6 rows" in said


def test_too_many_entries_of_containers_to_compare_are_said(monkeypatch):
    from ensemble_kit.data import identical

    inside = np.array(["set.npz::images::0", "set.npz::images::1", "set.npz::images::2", "a.png"])
    assert identical.not_compared(inside) == ""
    monkeypatch.setattr(identical, "MOST", 2)
    assert "the 3 images inside container files were not compared" in identical.not_compared(inside)
