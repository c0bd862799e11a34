"""Tables in shapes that people have: each is read, and what was supposed is said."""

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError, PredictionsError
from ensemble_kit.data.dataset import DataSet, load_data
from ensemble_kit.data.decode import decode, whole_picture
from ensemble_kit.data.features import read_features
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.data.references import as_png, read_image
from ensemble_kit.data.survey import look_at_pixels
from ensemble_kit.data.tables import read_table
from ensemble_kit.reporting.collect.thumbnails import make_thumbnail
from ensemble_kit.study import DataSpec

IDS = [f"A{k:02d}" for k in range(12)]
DX = ["nv", "mel"] * 6


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)


def images(root: Path, names: list[str]) -> None:
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(k)).save(root / name, "PNG")


def read(root: Path, text: str, encoding: str = "utf-8") -> DataSet:
    (root / "metadata.csv").write_bytes(text.encode(encoding))
    return load_data(root)


def rows(*columns: list[str], mark: str = ",") -> str:
    return "".join(mark.join(cells) + "\n" for cells in zip(*columns, strict=True))


def test_excel_with_semicolons_decimal_commas_and_a_named_separator(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    ages = [f"{30 + k},5" for k in range(12)]
    found = read(tmp_path, "sep=;\nimage_id;dx;age\n" + rows(IDS, DX, ages, mark=";"), "utf-8-sig")
    assert found.table.slices["age"][0] == "30.5"
    assert any("read as 0.5 in age" in note for note in found.notes)


def test_lines_of_comment(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    found = read(tmp_path, "# exported today\nimage_id,dx\n" + rows(IDS, DX))
    assert len(found.table) == 12
    assert any("1 line of comment" in note for note in found.notes)


def test_deep_folders_and_capital_endings(tmp_path: Path) -> None:
    images(tmp_path, [f"a/b/c/{name}.PNG" for name in IDS])
    found = read(tmp_path, "image_id,dx\n" + rows(IDS, DX))
    assert found.table.paths[0] == "a/b/c/A00.PNG"
    assert any("deep" in note for note in found.notes)


def test_two_deep_images_of_one_name_are_refused(tmp_path: Path) -> None:
    images(tmp_path, [f"a/b/c/{name}.png" for name in IDS] + ["a/b/d/A00.png"])
    with pytest.raises(DataError, match="different images of one name"):
        read(tmp_path, "image_id,dx\n" + rows(IDS, DX))


def test_ids_of_another_case(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    found = read(tmp_path, "image_id,dx\n" + rows([name.lower() for name in IDS], DX))
    assert found.table.image_ids[0] == "a00"
    assert any("in case only" in note for note in found.notes)
    with pytest.raises(DataError, match="no such image"):
        read(tmp_path, "image_id,dx\n" + rows([*IDS, "a00"], [*DX, "nv"]))


def test_paths_of_another_machine(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    for start in ("/home/u/", "C:\\data\\"):
        found = read(tmp_path, "path,label\n" + rows([f"{start}{n}.png" for n in IDS], DX))
        assert any("another place" in note for note in found.notes)


def test_one_hot_beside_another_column_of_0_and_1(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    hot = pd.DataFrame({"image": IDS})
    for code, name in enumerate(("MEL", "NV", "BCC")):
        hot[name] = [int(k % 3 == code) for k in range(12)]
    hot["smoker"] = [k % 2 for k in range(12)]
    found = read(tmp_path, hot.to_csv(index=False))
    assert found.table.class_names == ("bcc", "mel", "nv")
    hot.loc[3, "NV"] = 1
    with pytest.raises(DataError, match="exactly one 1"):
        read(tmp_path, hot.to_csv(index=False))


def test_whole_numbers_with_a_point_are_classes_without(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    found = read(tmp_path, "image,label\n" + rows(IDS, [f"{k % 3}.0" for k in range(12)]))
    assert found.table.class_names == ("0", "1", "2")


def test_single_images_of_named_patients_are_no_missing_groups(tmp_path: Path) -> None:
    images(tmp_path, [f"images/{name}.png" for name in IDS])
    found = read(tmp_path, "image_id,dx,patient_id\n" + rows(IDS, DX, [f"p{n}" for n in IDS]))
    assert not any("no groups" in line for line in found.warnings)
    part = ["", "", *(f"p{n}" for n in IDS[2:])]
    found = read(tmp_path, "image_id,dx,patient_id\n" + rows(IDS, DX, part))
    assert any("2 of 12 images have neither patient nor lesion" in note for note in found.notes)


def test_labels_from_1_and_ids_of_another_case_in_predictions(tmp_path: Path) -> None:
    p = np.full((12, 3), 1 / 3)
    frame = pd.DataFrame({"image": [n.lower() for n in IDS], "a": p[:, 0], "b": p[:, 1],
                          "c": p[:, 2], "label": [k % 3 + 1 for k in range(12)]})  # fmt: skip
    frame.to_csv(tmp_path / "p.csv", index=False)
    found = read_prediction_table(tmp_path / "p.csv", ids=IDS)
    assert found.predictions.image_ids.tolist() == IDS
    assert found.labels is not None
    assert found.labels[:3].tolist() == ["a", "b", "c"]
    assert any("1 = a, 2 = b, 3 = c" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_no_regular_file_is_waited_for(tmp_path: Path, kind: str) -> None:
    def make(path: Path) -> Path:
        path.parent.mkdir(exist_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        return path

    images(tmp_path / "d", [f"images/{name}.png" for name in IDS[1:]])
    make(tmp_path / "d" / "images" / "A00.png")
    (tmp_path / "d" / "metadata.csv").write_text("image_id,dx\n" + rows(IDS[:2], DX[:2]))
    with pytest.raises(DataError, match="regular file"):
        decode(tmp_path / "d" / "images" / "A00.png", 8, "crop")
    for name in ("map.csv", "pairs.npz", "p.parquet"):
        with pytest.raises(DataError, match="is no table"):
            read_table(make(tmp_path / name))
    spec = DataSpec(duplicates=str(make(tmp_path / "duplicates.csv")))
    with pytest.raises(DataError, match=r"duplicates\.csv"):
        load_data(tmp_path / "d", spec, require_images=False)


def test_equal_entries_of_a_container_are_found(tmp_path: Path) -> None:
    pixels = np.stack([noise(k // 2) for k in range(12)])
    labels = np.arange(12) // 2 % 2
    np.savez(tmp_path / "set.npz", train_images=pixels, train_labels=labels[:, None])
    found = load_data(tmp_path)
    assert len(found.identical) == 6
    assert found.table.n_groups == 6


def test_pictures_of_container_entries(tmp_path: Path) -> None:
    pixels = np.stack([np.full((20, 40, 3), 40 * k, np.uint8) for k in range(3)])
    np.savez(tmp_path / "set.npz", train_images=pixels, train_labels=np.arange(3))
    small = make_thumbnail(str(tmp_path), "set.npz::train_images::2")
    assert small is not None
    assert (small.width, small.height) == (120, 60)
    picture = whole_picture(read_image(tmp_path, "set.npz::train_images::2"), 40, "x")
    assert np.asarray(picture).mean() == pytest.approx(80, abs=1)


def test_twelve_bits_are_bright_in_pictures() -> None:
    data = as_png(np.full((10, 10), 2048, np.uint16))
    assert np.asarray(whole_picture(data, 10, "x", 12)).mean() == pytest.approx(128, abs=1)


def test_dark_and_constant_pixels_are_named() -> None:
    pixels = np.random.default_rng(0).integers(60, 200, (300, 4, 4, 3)).astype(np.uint8)
    pixels[7] = 90
    pixels[299] = np.random.default_rng(1).integers(0, 4, (4, 4, 3))
    said = look_at_pixels(np.array([f"i{k}" for k in range(300)]), pixels)
    assert said == ["1 image is of one colour: i7", "1 image is almost black: i299"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (gzip.compress, "compressed by gzip; unpack it"),
        (bz2.compress, "compressed by bzip2; unpack it"),
        (lzma.compress, "compressed by xz; unpack it"),
        (lambda text: b"PK\x03\x04" + text, "a zip archive, perhaps a spreadsheet; save the sheet"),
        (lambda text: b"PAR1" + text, "parquet; let its name end in .parquet"),
        (lambda text: b"\x89PNG\r\n" + text, "a picture; give the table"),
    ],
)
def test_what_is_no_text_is_named(
    make: Callable[[bytes], bytes], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(make(b"image,mel,nv\na,0.5,0.5\n"))
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert f"{path} is no text table: it is {told}" in str(caught.value)


def test_scores_named_as_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("image,mel,nv,label\na,0.4,0.6,nv\nb,0.25,0.75,mel\n")
    with pytest.raises(PredictionsError, match="column 'nv', taken for the labels, holds scores"):
        read_prediction_table(path, Asked(columns={"label": "nv"}))


@pytest.mark.filterwarnings("error")
def test_features_beyond_float32_are_refused_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("image,x,y\na,1e308,0.5\nb,2,0.75\n")
    with pytest.raises(DataError, match="infinite values in the rows of a"):
        read_features(path)
