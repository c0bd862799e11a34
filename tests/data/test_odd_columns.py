"""Columns, arrays, maps and pictures that are not what they are called: a sentence, no figure."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from ensemble_kit.core.errors import DataError, PredictionsError
from ensemble_kit.data.dataset import load_data
from ensemble_kit.data.decode import decode_bytes
from ensemble_kit.data.lost_digits import check_digits
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.study import DataSpec
from tests.data import native

N = 12
IDS = [f"im_{k}" for k in range(N)]
LABELS = ["mel", "nv", "bcc"] * 4


def written(folder: Path, **columns: object) -> Path:
    """A table of predictions with these columns in place of the sound ones."""
    sound = {
        "image_id": IDS, "label": LABELS, "lesion_id": [f"L{k // 2}" for k in range(N)],
        "bcc": [0.2] * N, "mel": [0.5] * N, "nv": [0.3] * N,
    }  # fmt: skip
    pd.DataFrame(sound | columns).to_csv(folder / "p.csv", index=False)
    return folder / "p.csv"


@pytest.mark.parametrize(
    "rounded", ["1.23E+17", "1.2345678901234568e+17", "9007199254740993.0", "1e+17"]
)
def test_rounded_numbers_name_nothing(tmp_path: Path, rounded: str) -> None:
    for column in ("image_id", "lesion_id"):
        values = {column: [rounded if k in (3, 4) else f"x{k}" for k in range(N)]}
        with pytest.raises(
            PredictionsError, match=f"{column} holds .*: long numbers that a spread"
        ):
            read_prediction_table(written(tmp_path, **values))
    if rounded.endswith(".0"):
        return  # data sets read whole numbers with a point as what they are
    native.files(tmp_path / "d", [f"images/im_{k}.png" for k in range(6)])
    lines = [f"im_{k},{native.LABELS[k]},{rounded}" for k in range(6)]
    (tmp_path / "d" / "metadata.csv").write_text("\n".join(["image_id,dx,patient_id", *lines]))
    with pytest.raises(DataError, match=r"patient_id holds .*a float has rounded"):
        load_data(tmp_path / "d")


def test_names_that_only_look_like_rounded_numbers_stay() -> None:
    check_digits(pd.Series(["ISIC_1e+17", "12e5", "1.5", "123456789012345678", "7.0"]), "id", "t")


def test_floats_of_parquet_above_2_to_53_are_rounded_numbers(tmp_path: Path) -> None:
    frame = pd.read_csv(written(tmp_path))
    frame["lesion_id"] = [2.0**57 + 32 * k for k in range(N)]
    frame.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(PredictionsError, match=r"lesion_id holds .*a float has rounded"):
        read_prediction_table(tmp_path / "p.parquet")


@pytest.mark.parametrize("cell", ["0,5", "50%", "٠.٥ half", "[0.5]", "half"])
def test_words_in_the_column_of_a_class_are_shown(tmp_path: Path, cell: str) -> None:
    with pytest.raises(PredictionsError, match=r"column 'mel' has the name of a class, but holds"):
        read_prediction_table(written(tmp_path, mel=[cell] * N))


@pytest.mark.parametrize("labels", [[-1, 0, 1] * 4, [0.5, 1.5, 2.5] * 4])
def test_labels_that_number_no_class_are_told_of_as_labels(
    tmp_path: Path, labels: list[float]
) -> None:
    probabilities = np.full((N, 3), 1 / 3)
    np.savez(tmp_path / "p.npz", ids=np.array(IDS), labels=labels, probs=probabilities)
    with pytest.raises(PredictionsError, match="'labels'"):
        read_prediction_table(tmp_path / "p.npz")


@pytest.mark.parametrize(
    ("probs", "said"),
    [
        (np.full((N, 3), 1 / 3 + 5j), r"probs \(complex128\) is neither real numbers nor text"),
        (np.full((N, 3), "third"), "the array probs holds <U5, not numbers"),
    ],
)
def test_arrays_that_are_no_numbers(tmp_path: Path, probs: np.ndarray, said: str) -> None:
    np.savez(tmp_path / "p.npz", ids=np.array(IDS), labels=np.arange(N) % 3, probs=probs)
    with pytest.raises(PredictionsError, match=said):
        read_prediction_table(tmp_path / "p.npz")


def test_ids_saved_as_bytes_are_text(tmp_path: Path) -> None:
    frame = pd.read_csv(written(tmp_path))
    frame["image_id"] = [name.encode() for name in IDS]
    frame.to_parquet(tmp_path / "p.parquet")
    found = read_prediction_table(tmp_path / "p.parquet")
    assert found.predictions.image_ids.tolist() == IDS


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("mel,,1\nnv,,yes\nbcc,,x", "map.csv drops every image: keep the labels"),
        ("mel,mel,maybe\nnv,nv,\nbcc,bcc,no", "drop is 'maybe': write yes or no"),
    ],
)
def test_maps_of_labels(tmp_path: Path, rows: str, said: str) -> None:
    native.files(tmp_path / "d", [f"images/im_{k}.png" for k in range(6)])
    lines = [f"im_{k},{LABELS[k]}" for k in range(6)]
    (tmp_path / "d" / "metadata.csv").write_text("\n".join(["image_id,dx", *lines]))
    (tmp_path / "map.csv").write_text(f"from,to,drop\n{rows}\n")
    with pytest.raises(DataError, match=said):
        load_data(tmp_path / "d", DataSpec(map_labels=str(tmp_path / "map.csv")))
    with pytest.raises(DataError, match="every class has fewer than 50 groups, so none is left"):
        load_data(tmp_path / "d", DataSpec(min_groups="50=drop"))


@pytest.mark.parametrize(("low", "high"), [(-5, 200), (0, 1_000_000)])
def test_32_bit_numbers_have_no_black_and_white(low: int, high: int) -> None:
    content = io.BytesIO()
    values = np.linspace(low, high, 64).reshape(8, 8).astype(np.int32)
    Image.fromarray(values).save(content, "TIFF")
    with pytest.raises(
        DataError, match=f"x.tif: 32-bit numbers from {low:,} to {high:,}, of which"
    ):
        decode_bytes(content.getvalue(), 8, "stretch", "x.tif")


def test_a_long_comment_is_no_damage() -> None:
    content, said = io.BytesIO(), PngImagePlugin.PngInfo()
    said.add_text("comment", "x" * 5_000_000, zip=True)
    Image.new("RGB", (8, 8), (9, 8, 7)).save(content, "PNG", pnginfo=said)
    assert decode_bytes(content.getvalue(), 8, "stretch", "x.png")[0, 0].tolist() == [9, 8, 7]
