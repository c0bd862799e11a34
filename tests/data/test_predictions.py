from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Predictions
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.data.predictions import predictions_csv, read_predictions


def write(folder: Path, text: str, name: str = "p.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_our_own_format_reads_back_exactly(tmp_path: Path) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    ours = Predictions(np.array([f"i{k}" for k in range(50)]), ("mel", "nv", "bcc"), p)
    path = write(tmp_path, predictions_csv(ours))
    assert (read_predictions(path).probabilities == p).all()
    found = read_prediction_table(path)
    assert found.predictions.class_names == ("mel", "nv", "bcc")
    np.testing.assert_allclose(found.predictions.probabilities, p, atol=1e-15)
    assert (found.labels, found.fold, found.notes) == (None, None, ())


def test_a_file_that_knows_everything(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "image_id,lesion_id,patient_id,fold,dx,age,sex,localization,camera,mel,nv\n"
        "a.jpg,L1,P1,1,MEL,50,male,back,x,0.7,0.3\n"
        "b.JPG,,P1,2,nv,,unknown,,y,0.25,0.75\n",
    )
    found = read_prediction_table(path)
    assert found.predictions.image_ids.tolist() == ["a", "b"]
    assert found.predictions.class_names == ("mel", "nv")
    assert found.labels is not None
    assert found.fold is not None
    assert found.lesions is not None
    assert found.patients is not None
    assert found.labels.tolist() == ["mel", "nv"]
    assert found.fold.tolist() == [0, 1]
    assert "p.csv: its folds 1 to 2 are numbered 0 to 1 here" in found.notes[-1]
    assert found.lesions.tolist() == ["L1", ""]
    assert found.patients.tolist() == ["P1", "P1"]
    assert {name: column.tolist() for name, column in found.slices.items()} == {
        "age": ["50", ""], "sex": ["male", ""], "site": ["back", ""], "camera": ["x", "y"],
    }  # fmt: skip


def test_rounded_sums_are_renormalised_and_said(tmp_path: Path) -> None:
    found = read_prediction_table(write(tmp_path, "image,x,y\na,0.7001,0.3\nb,0.5,0.5\n"))
    assert found.predictions.probabilities[0].sum() == pytest.approx(1, abs=1e-15)
    assert found.notes == (
        "p.csv: the sums of 1 row are off 1 by at most 0.0001 through rounding; they were "
        "renormalised",
    )


def test_a_common_prefix_is_dropped(tmp_path: Path) -> None:
    found = read_prediction_table(write(tmp_path, "id,label,prob_x,prob_y\na,x,0.7,0.3\n"))
    assert found.predictions.class_names == ("x", "y")


def test_columns_that_a_run_needs_for_itself_are_renamed(tmp_path: Path) -> None:
    found = read_prediction_table(write(tmp_path, "image_id,image,path,x,y\na,DSC,/old,0.7,0.3\n"))
    assert {name: column.tolist() for name, column in found.slices.items()} == {
        "image_column": ["DSC"], "path_column": ["/old"],
    }  # fmt: skip


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    frame = pd.DataFrame({"image": ["a", "b"], "dx": ["x", "y"], "x": [0.7, 0.2], "y": [0.3, 0.8]})
    frame.to_parquet(path)
    found = read_prediction_table(path)
    assert found.predictions.probabilities.tolist() == [[0.7, 0.3], [0.2, 0.8]]
    assert found.labels is not None
    assert found.labels.tolist() == ["x", "y"]
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(PredictionsError, match="cannot be read as parquet"):
        read_prediction_table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,x,y\na,0.7,0.5\nb,0.5,0.5\n", r"probabilities of a \(1\.2\) do not sum to 1"),
        ("image,x,y\na,nan,0.5\nb,0.5,0.5\n", "a have probabilities that are negative or not"),
        ("image,x,y\na,-0.1,1.1\nb,0.5,0.5\n", "a have probabilities that are negative"),
        ("image,x,y\na,0.5,0.5\na,0.5,0.5\n", "a predicted more than once"),
        ("image,x,y\na,0.5,0.5\nb,oops,0.5\n", "column 'x' is not a number for b"),
        ("image,x,y\na,0.5,0.5\nb,,0.5\n", "column 'x' is not a number for b"),
        ("image,x\na,1\n", "at least two classes"),
        ("x,y\n0.5,0.5\n", "no column of image ids"),
        ("image,dx,x,y\na,z,0.5,0.5\n", "label z has no column of probabilities"),
        ("image,fold,x,y\na,one,0.5,0.5\n", r"fold 'one' \(a\) is not a whole number"),
        ("image,x,y\n", "a header with no rows below it"),
        ("", "the file is empty"),
        ("image,fold,x,y\na,inf,0.5,0.5\n", r"fold 'inf' \(a\) is not a whole number from 0 to"),
        ("image,fold,x,y\na,7777777777,0.5,0.5\n", r"fold '7777777777' \(a\) is not a whole"),
        ("image_id,Image,y\na,0.5,0.5\n", "'image' cannot name a class"),
        ("image_id,prob_image,prob_y\na,0.5,0.5\n", "'image' cannot name a class"),
        ("image,x,y,site\na,0.5,0.5\n", r"line 2 \(3\)"),
    ],
)
def test_what_bad_input_gets(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        read_prediction_table(write(tmp_path, text))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_prediction_table(tmp_path / "none.csv")


def test_at_most_ten_offenders_are_named(tmp_path: Path) -> None:
    rows = "".join(f"i{k},0.9,0.9\n" for k in range(25))
    with pytest.raises(PredictionsError, match="and 15 more do not sum"):
        read_prediction_table(write(tmp_path, f"image,x,y\n{rows}"))


@pytest.mark.shared
def test_the_real_predictions_as_they_stand(shared: Path) -> None:
    for path in sorted((shared / "data" / "ham10000-oof").glob("*.csv")):
        found = read_prediction_table(path)
        assert found.predictions.probabilities.shape == (8525, 7)
        assert found.fold is not None
        assert np.bincount(found.fold).min() > 1600
        assert "renormalised" in found.notes[0]
