"""Splits published with a data set, ids in another case, columns of scores taken for labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import DataError, PredictionsError, SplitError
from ensemble_kit.data.dataset import load_data
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.data.published_split import sides_of, split_columns
from ensemble_kit.splits.folds_file import read_folds_file, read_sides
from ensemble_kit.workflows.checking import check
from ensemble_kit.workflows.matching import read_matched
from ensemble_kit.workflows.members import gather

N = 20


def table(tmp_path: Path, **columns: object) -> Path:
    """20 images of 10 lesions, 2 classes, and the columns given."""
    frame = pd.DataFrame(
        {
            "image_id": [f"Img_{k:02d}" for k in range(N)],
            "dx": ["a", "a", "b", "b"] * (N // 4),
            "lesion_id": [f"L{k // 2}" for k in range(N)],
        }
        | columns
    )
    path = tmp_path / "metadata.csv"
    frame.to_csv(path, index=False)
    return path


def read(path: Path):
    return load_data(path, require_images=False)


class TestColumnOfASplit:
    def test_is_kept_and_told(self, tmp_path):
        found = read(table(tmp_path, Partition=["Train"] * 12 + ["valid"] * 4 + ["TEST"] * 4))
        assert any("train 12, validation 4, test 4" in note for note in found.notes)
        assert not any("leaks" in line for line in found.warnings)
        assert "Partition" in found.table.slices or "partition" in found.table.slices

    def test_that_parts_lesions_is_a_warning_with_names(self, tmp_path):
        found = read(table(tmp_path, split=["train"] * 11 + ["test"] * 9))
        (warning,) = [line for line in found.warnings if "published split" in line]
        assert "column split" in warning
        assert "1 group with 2 images is on more than one side: L5" in warning

    def test_other_words_are_metadata(self, tmp_path):
        found = read(table(tmp_path, set=["A", "B"] * 10, phase=["train"] * N))
        assert not any("folds are drawn over" in note for note in found.notes)

    def test_another_word_is_a_side_of_its_own(self, tmp_path):
        found = read(table(tmp_path, split=["train"] * 10 + ["test"] * 5 + ["external"] * 5))
        assert any("train 10, test 5, external 5" in note for note in found.notes)
        assert any("is on more than one side: L7" in line for line in found.warnings)

    @pytest.mark.parametrize("yes", ["1", "True", "yes"])
    def test_a_column_of_yes_and_no(self, tmp_path, yes):
        no = {"1": "0", "True": "False", "yes": "no"}[yes]
        found = read(table(tmp_path, is_test=[no] * 11 + [yes] * 9))
        assert any("train 11, test 9" in note for note in found.notes)
        assert any("column is_test" in line for line in found.warnings)

    def test_what_names_no_sides(self):
        assert sides_of(["train", "Testing", ""]) == ["train", "test", ""]
        assert sides_of(["train", "other"]) == ["", ""]
        assert sides_of(["1", "2"], "is_test") == ["", ""]
        assert split_columns({"split": np.array(["train", "train"])}) == []


class TestAuditOfATable:
    def audited(self, tmp_path: Path, sides: list[str], name: str = "subset"):
        path = table(tmp_path)
        split = tmp_path / "split.csv"
        ids = [f"img_{k:02d}.JPG" for k in range(N)]
        pd.DataFrame({"file_name": ids, name: sides}).to_csv(split, index=False)
        return check(path, split=split, no_images=True)

    def test_sound(self, tmp_path):
        done = self.audited(tmp_path, ["train"] * 12 + ["val"] * 4 + ["test"] * 4)
        assert done.problem is None
        assert "split.csv: image = file_name, side = subset" in done.read.notes
        assert any("in case only" in note for note in done.read.notes)

    @pytest.mark.parametrize(
        ("sides", "said"),
        [
            (["train"] * 11 + ["test"] * 9, "1 of the 9 test images and 1 of the 11 training"),
            (["train"] * 11 + ["val"] * 9, "1 of the 9 validation images"),
            (["val"] * 11 + ["test"] * 9, "1 of the 11 validation images"),
        ],
    )
    def test_leaks_between_any_two_sides(self, tmp_path, sides, said):
        done = self.audited(tmp_path, sides)
        assert isinstance(done.problem, SplitError)
        assert said in str(done.problem)
        assert "L5" in str(done.problem)

    def test_fold_numbers_are_no_sides(self, tmp_path):
        images = read(table(tmp_path)).table
        path = tmp_path / "folds.csv"
        rows = {"image": [f"IMG_{k:02d}" for k in range(N)], "fold": [k // 4 % 2 for k in range(N)]}
        pd.DataFrame(rows).to_csv(path, index=False)
        heard: list[str] = []
        assert read_sides(path, images) is None
        folds = read_folds_file(path, images, lambda kind, **facts: heard.extend(facts["notes"]))
        assert folds.n_folds == 2
        assert heard == [
            "folds.csv: ids differ from the data set's in case only: IMG_00 = Img_00, "
            "IMG_01 = Img_01, IMG_02 = Img_02 and 17 more"
        ]


class TestLabels:
    def test_scores_are_no_classes(self, tmp_path):
        path = table(tmp_path, dx=(np.arange(N) / 19).round(3))
        with pytest.raises(DataError, match=r"20 numbers with fractions .*--columns label="):
            read(path)

    def test_grades_are(self, tmp_path):
        found = read(table(tmp_path, dx=["0", "0", "0.5", "0.5", "1", "1", "2", "2", "0", "0"] * 2))
        assert found.table.class_names == ("0", "0.5", "1", "2")
        assert "the classes are the numbers 0, 0.5, 1, 2" in found.notes


def test_the_column_that_names_the_files_is_told(tmp_path):
    from PIL import Image

    path = table(
        tmp_path,
        image_id=[str(k) for k in range(N)],
        picture=[f"folder/Img_{k:02d}.png" for k in range(N)],
    )
    (tmp_path / "images").mkdir()
    for k in range(N):
        Image.new("RGB", (8, 8), (k, 0, 0)).save(tmp_path / "images" / f"Img_{k:02d}.png")
    with pytest.raises(DataError, match=r"column picture does in every row .*image=picture"):
        load_data(path)


class TestPredictions:
    def rows(self, tmp_path: Path, name: str, **columns: object) -> Path:
        frame = pd.DataFrame(
            {
                "image": [f"Img_{k}" for k in range(8)],
                "a": [0.25] * 8,
                "b": [0.75] * 8,
                "dx": ["a", "b"] * 4,
                "fold": [0, 0, 0, 0, 1, 1, 1, 1],
            }
            | columns
        )
        frame.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    def test_second_columns_of_a_role_are_told(self, tmp_path):
        path = self.rows(
            tmp_path, "p.csv", diagnosis=["b", "a"] * 4, patient_id=list("ppqqrrss"),
            subject=list("ttuuvvww"),
        )  # fmt: skip
        notes = read_prediction_table(path).notes
        assert "p.csv: label: dx is taken, not diagnosis (--columns label=… for another)" in notes
        assert any("patient: patient_id is taken, not subject" in note for note in notes)

    def test_members_in_another_case_are_the_same_images(self, tmp_path):
        one = self.rows(tmp_path, "one.csv")
        two = self.rows(tmp_path, "two.csv", image=[f"IMG_{k}" for k in range(8)])
        found = read_matched([one, two])
        assert any("those of one.csv in case only" in note for note in found.notes)

    def test_members_of_other_groups_are_no_fault_of_the_folds(self, tmp_path):
        one = self.rows(tmp_path, "one.csv", patient_id=list("ppqqrrss"))
        two = self.rows(tmp_path, "two.csv", lesion_id=list("abcdefgh"), fold=[0, 1] * 4)
        with pytest.raises(SplitError, match="disagree about the groups: Img_0 and Img_1 are one"):
            gather([], [one, two])

    def test_other_groups_that_the_folds_respect_are_a_warning(self, tmp_path):
        one = self.rows(tmp_path, "one.csv", patient_id=list("ppqqrrss"))
        two = self.rows(tmp_path, "two.csv", lesion_id=list("abcdefgh"))
        found = gather([], [one, two])
        assert any("Img_0 and Img_1 are one (p) in one and two (a and b)" in w
                   and "those of one, the larger" in w for w in found.warnings)  # fmt: skip
        assert len(np.unique(found.table.groups)) == 4

    def test_disagreement_names_both_values(self, tmp_path):
        one = self.rows(tmp_path, "one.csv", lesion_id=list("aabbccdd"))
        two = self.rows(tmp_path, "two.csv", lesion_id=list("aabbccde"))
        with pytest.raises(PredictionsError, match=r"lesions of Img_7 \(d and e\)"):
            read_matched([one, two])
