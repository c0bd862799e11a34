"""Names of classes, images and columns: what a terminal would act on, and one name in two ways."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.core.errors import DataError, PredictionsError
from ensemble_kit.core.names import CONTROL, check_shown, escaped
from ensemble_kit.core.records import Predictions
from ensemble_kit.data.dataset import load_data
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.progress.tables import lines_of, table
from ensemble_kit.study.data import DataSpec
from tests.data.folders import Rows, write_folder

ODD = ["\x1b[31mmel", "me\nl", "me\rl", "mel\x07", "\u202elem", "me\u2028l"]


def predictions(folder: Path, name: str, row: str = "a") -> Path:
    path = folder / "p.csv"
    lines = [f'image,"{name}",nv,label', f'"{row}",0.5,0.5,nv', "b,0.25,0.75,nv", ""]
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", ODD)
def test_control_characters_are_refused_as_names_of_classes_and_images(
    name: str, tmp_path: Path
) -> None:
    for path in (predictions(tmp_path, name), predictions(tmp_path, "mel", name)):
        with pytest.raises(PredictionsError, match=r"p\.csv: (class|image id) .*control") as caught:
            read_prediction_table(path)
        assert not CONTROL.search(str(caught.value))
    data = write_folder(tmp_path / "data", Rows().change("im_3", dx=name))
    with pytest.raises(DataError, match=r"metadata\.csv: class .*control characters"):
        load_data(data)


def test_a_name_of_ten_thousand_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="of 10,000 letters: at most 200"):
        read_prediction_table(predictions(tmp_path, "m" * 10_000))
    check_shown(["m" * 200], "class", DataError)


@given(st.text())
def test_what_is_printed_has_no_control_characters(text: str) -> None:
    assert not CONTROL.search(escaped(text))
    drawn = table(text, "b")
    drawn.add_row(text, "c")
    lines = [line.plain for line in lines_of(drawn, 80)]
    assert not any(CONTROL.search(line) for line in lines)


def test_classes_that_differ_in_case_alone_are_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("image,bkl,BKL,nv,label\na,0.2,0.2,0.6,nv\nb,0.2,0.6,0.2,bkl\n")
    with pytest.raises(PredictionsError, match=r"p\.csv: .*(bkl, BKL|bkl and BKL).* case alone"):
        read_prediction_table(path)
    with pytest.raises(PredictionsError, match="case alone"):
        Predictions(np.array(["a"]), ("nv", "NV"), np.array([[0.5, 0.5]]))


def test_an_accent_is_one_name_in_either_way_of_writing_it(tmp_path: Path) -> None:
    composed, parted = (unicodedata.normalize(form, "nævüs") for form in ("NFC", "NFD"))
    assert composed != parted
    path = tmp_path / "p.csv"
    path.write_text(f"image,{parted},mel,label\na,0.5,0.5,{composed}\nb,0.1,0.9,mel\n")
    found = read_prediction_table(path)
    assert found.predictions.class_names == (composed, "mel")
    assert found.labels is not None
    assert found.labels.tolist() == [composed, "mel"]
    rows = Rows().change("im_3", dx=parted).change("im_1", dx=composed)
    data = write_folder(tmp_path / "data", rows)
    (data / "images/im_3.jpg").rename(data / "images" / f"{parted}.jpg")
    text = (data / "metadata.csv").read_text(encoding="utf-8")
    (data / "metadata.csv").write_text(text.replace("im_3", composed), encoding="utf-8")
    read = load_data(data).table
    assert composed in read.class_names
    assert parted not in read.class_names
    assert f"images/{parted}.jpg" in read.paths.tolist()


@pytest.mark.parametrize("pattern", ["((a+)+)$", "(a|aa)+$", r"(im(_?\d*)*)*x", "(a|b|ab)*c"])
def test_a_pattern_that_tries_for_ever_is_ended(pattern: str, tmp_path: Path) -> None:
    rows = Rows()
    long = "a" * 60 + "b"
    for row in rows.rows:
        row["image_id"] = f"{long}{row['image_id'][-1]}"
    data = write_folder(tmp_path, rows)
    with pytest.raises(DataError, match=r"repeats within repeats|fits none of the 9"):
        load_data(data, DataSpec(group_pattern=pattern))


def test_files_of_weights_beside_a_table_of_labels_are_no_images(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data")
    for name in ("own.weights.h5", "metadata-own.h5", "other.hdf5"):
        (data / name).write_bytes(b"no HDF5")
    found = load_data(data / "metadata.csv", require_images=False)
    assert len(found.table) == 9
    for name in ("metadata-own.h5", "other.hdf5"):
        (data / name).unlink()
    assert len(load_data(data).table) == 9
