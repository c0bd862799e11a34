"""Predictions as people have them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.workflows.matching import read_matched

P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
LABELS = ("mel", "nv", "bcc", "mel")


def frame(**more: object) -> pd.DataFrame:
    table = pd.DataFrame(P, columns=["mel", "nv", "bcc"])
    table.insert(0, "image", list("abcd"))
    return table.assign(label=LABELS, **more)


def save(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, index=False)
    return path


def test_integer_ids_and_an_index_in_parquet(tmp_path: Path) -> None:
    table = frame().assign(image=[7, 8, 9, 10])
    table.to_parquet(tmp_path / "p.parquet")
    ids = read_prediction_table(tmp_path / "p.parquet").predictions.image_ids
    assert ids.tolist() == ["7", "8", "9", "10"]
    table.set_index("image").to_parquet(tmp_path / "p.parquet")
    assert (
        read_prediction_table(tmp_path / "p.parquet").predictions.image_ids.tolist() == ids.tolist()
    )


def test_few_decimals_are_rounding(tmp_path: Path) -> None:
    text = "image,label,a,b,c\nx,a,0.33,0.33,0.33\ny,b,0.1,0.8,0.1\n"
    (tmp_path / "p.csv").write_text(text)
    found = read_prediction_table(tmp_path / "p.csv")
    assert found.predictions.probabilities[0].tolist() == pytest.approx([1 / 3] * 3)
    (tmp_path / "p.csv").write_text(text.replace("0.33,0.33,0.33", "0.33,0.33,0.31"))
    with pytest.raises(PredictionsError, match="do not sum to 1"):
        read_prediction_table(tmp_path / "p.csv")


@pytest.mark.parametrize(
    "more",
    [
        {"loss": 0.0},
        {"loss": 0.7},
        {"epoch": 12},
        {"UNK": 0.0},
        {"temperature": [1.0, 2.0, 0.5, 1.0]},
    ],
)
def test_columns_that_are_no_classes_become_none(more: dict[str, object], tmp_path: Path) -> None:
    path = save(tmp_path / "p.csv", frame(**more))
    found = read_matched([path])
    assert found.table.class_names == ("mel", "nv", "bcc")
    assert next(iter(more)) in " ".join(found.notes)


def test_a_class_without_images_is_said(tmp_path: Path) -> None:
    table = frame()
    table[["mel", "nv", "bcc"]] *= 0.9
    found = read_matched([save(tmp_path / "p.csv", table.assign(UNK=0.1))])
    assert found.table.class_names[-1] == "UNK"
    assert "no image is UNK" in " ".join(found.warnings)


def test_integer_labels_count_the_columns(tmp_path: Path) -> None:
    found = read_prediction_table(save(tmp_path / "p.csv", frame().assign(label=[0, 1, 2, 0])))
    assert found.labels is not None
    assert found.labels.tolist() == list(LABELS)
    assert "0 = mel, 1 = nv, 2 = bcc" in " ".join(found.notes)


def test_a_binary_score_in_one_column(tmp_path: Path) -> None:
    table = pd.DataFrame({"image": list("abc"), "label": ["benign", "malignant", "benign"],
                          "score": [0.1, 0.9, 0.25]})  # fmt: skip
    found = read_prediction_table(save(tmp_path / "p.csv", table))
    assert found.predictions.class_names == ("benign", "malignant")
    assert found.predictions.probabilities[:, 1].tolist() == [0.1, 0.9, 0.25]
    assert "score is the probability of malignant" in " ".join(found.notes)
    table["label"] = ["cat", "dog", "cat"]
    with pytest.raises(PredictionsError, match="of which is not known"):
        read_prediction_table(save(tmp_path / "p.csv", table))
    table = table.rename(columns={"score": "dog"})
    found = read_prediction_table(save(tmp_path / "p.csv", table))
    assert found.predictions.class_names == ("cat", "dog")


def test_logits_and_scores(tmp_path: Path) -> None:
    table = frame()
    table[["mel", "nv", "bcc"]] = np.log(P) + 3
    path = save(tmp_path / "p.csv", table)
    with pytest.raises(PredictionsError, match="--from"):
        read_prediction_table(path)
    found = read_prediction_table(path, Asked(scale="logits"))
    np.testing.assert_allclose(found.predictions.probabilities, P, atol=1e-12)
    table[["mel", "nv", "bcc"]] = P * 2
    path = save(tmp_path / "p.csv", table)
    found = read_prediction_table(path, Asked(normalise=True))
    np.testing.assert_allclose(found.predictions.probabilities, P, atol=1e-12)


def test_several_rows_an_image(tmp_path: Path) -> None:
    path = save(tmp_path / "p.csv", pd.concat([frame(), frame()]))
    with pytest.raises(PredictionsError, match="--rows-per-image mean"):
        read_prediction_table(path)
    found = read_prediction_table(path, Asked(several="mean"))
    np.testing.assert_allclose(found.predictions.probabilities, P, atol=1e-12)
    assert found.predictions.image_ids.tolist() == list("abcd")


def test_npz_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, ids=np.array(list("abcd")), probs=P, y_true=np.array([0, 1, 2, 0]),
             class_names=np.array(["mel", "nv", "bcc"]))  # fmt: skip
    found = read_prediction_table(path)
    assert found.predictions.class_names == ("mel", "nv", "bcc")
    assert found.labels is not None
    assert found.labels.tolist() == list(LABELS)
    np.savez(path, ids=np.array(list("abcd"), dtype=object), probs=P)
    with pytest.raises(PredictionsError, match="never loaded"):
        read_prediction_table(path)


def test_rows_by_order_with_the_truth(tmp_path: Path) -> None:
    truth = save(tmp_path / "truth.csv", pd.DataFrame({"image": list("dbca"), "dx": LABELS[::-1]}))
    path = save(tmp_path / "p.csv", pd.DataFrame(P, columns=["mel", "nv", "bcc"]))
    found = read_matched([path], truth)
    row = found.table.image_ids.tolist().index("d")
    assert found.members[0][1].probabilities[row].tolist() == pytest.approx(P[0].tolist())
    assert "in the order of the truth" in " ".join(found.notes)
    short = save(tmp_path / "q.csv", pd.DataFrame(P[:3], columns=["mel", "nv", "bcc"]))
    with pytest.raises(PredictionsError, match="3 rows cannot be matched"):
        read_matched([short], truth)


def test_files_of_single_folds_are_joined(tmp_path: Path) -> None:
    whole = frame()
    paths = [save(tmp_path / f"model_fold{k}.csv", whole.iloc[k::2]) for k in range(2)]
    found = read_matched(paths)
    assert len(found.members) == 1
    assert found.table.image_ids.tolist() == ["a", "c", "b", "d"]
    assert found.folds.fold.tolist() == [0, 0, 1, 1]
    assert "joined as 2 folds of one model" in " ".join(found.notes)
    assert read_matched([tmp_path]).table.image_ids.tolist() == ["a", "c", "b", "d"]


def test_ids_with_folders_and_aligned_truth(tmp_path: Path) -> None:
    path = save(tmp_path / "p.csv", frame().assign(image=[f"images/{n}.jpg" for n in "abcd"]))
    truth = save(tmp_path / "t.csv", pd.DataFrame({"image": list("abc"), "dx": LABELS[:3]}))
    with pytest.raises(PredictionsError, match=r"no truth for d.*--align"):
        read_matched([path], truth)
    assert read_matched([path], truth, align=True).table.image_ids.tolist() == ["a", "b", "c"]


def test_decisions_and_constants_are_warned_of(tmp_path: Path) -> None:
    hard = frame()
    hard[["mel", "nv", "bcc"]] = np.eye(3)[[0, 1, 2, 0]]
    assert "0 or 1" in " ".join(read_matched([save(tmp_path / "p.csv", hard)]).warnings)
    hard[["mel", "nv", "bcc"]] = [0.5, 0.25, 0.25]
    said = " ".join(read_matched([save(tmp_path / "q.csv", hard)]).warnings)
    assert "the same probabilities" in said
    assert "no groups are known" in said


def test_a_table_without_header_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a,0.5,0.5\nb,0.25,0.75\n")
    with pytest.raises(PredictionsError, match="first line has numbers"):
        read_prediction_table(tmp_path / "p.csv")


def test_numbers_of_two_classes_mean_what_the_words_mean(tmp_path):
    """1 is the malignant or positive class, in whichever order the columns stand."""
    rows = [f"i{k:02d},{0.9 if k % 2 else 0.1},{0.1 if k % 2 else 0.9},{k % 2}" for k in range(20)]
    for names in ("malignant,benign", "Positive,Negative"):
        path = tmp_path / "p.csv"
        path.write_text("\n".join([f"image_id,{names},label", *rows]) + "\n")
        table = read_prediction_table(path)
        named = np.array(table.predictions.class_names)
        chosen = named[table.predictions.probabilities.argmax(axis=1)]
        assert (chosen == table.labels).all()
        assert any("by what these words mean" in note for note in table.notes)
