"""``--columns`` of a table of predictions is honoured or refused, never passed over in silence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ensemble_kit as ek
from ensemble_kit.core.errors import EnsembleKitError, PredictionsError
from ensemble_kit.core.names import parted_by
from ensemble_kit.data.dataset import load_data
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.metrics.registry import METRICS
from ensemble_kit.metrics.significance import corrected_resampled_t
from ensemble_kit.metrics.slices import make_slices
from ensemble_kit.study import DataSpec
from ensemble_kit.workflows.matching import match, read_given

N = 24
ERRORS = [metric.name for metric in METRICS if metric.bias == "folded"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(N)], "label": ["a", "b", "c"] * 8,
            "patient_id": [f"P{k // 2}" for k in range(N)], "pair": [k // 6 for k in range(N)],
            "side": ["l", "r"] * 12, "other": ["c", "a", "b"] * 8,
            "a": 0.5, "b": 0.3, "c": 0.2,
        }
    ).to_csv(tmp_path / "p.csv", index=False)  # fmt: skip
    return tmp_path / "p.csv"


@pytest.mark.parametrize(
    ("columns", "groups"),
    [({}, 12), ({"group": "pair"}, 4), ({"group": "Pair"}, 4), ({"patient": "pair"}, 4),
     ({"group": "pair+side"}, 8)],
)  # fmt: skip
def test_groups_are_those_of_the_column_given(
    table: Path, columns: dict[str, str], groups: int
) -> None:
    found = match(read_given([table], data=DataSpec(columns=columns)))
    assert found.table.n_groups == groups
    if "group" in columns:
        assert "patient_id has no part in the groups" in " ".join(found.notes)


def test_labels_are_those_of_the_column_given(table: Path) -> None:
    found = match(read_given([table], asked=Asked(columns={"label": "other"})))
    names = np.array(found.table.class_names)[found.table.labels]
    by_id = dict(zip(found.table.image_ids.tolist(), names.tolist(), strict=True))
    assert [by_id[f"i{k}"] for k in range(3)] == ["c", "a", "b"]


@pytest.mark.parametrize("role", ["group", "patient", "lesion", "age", "label"])
@pytest.mark.parametrize("column", ["nope", "pair+nope", "+"])
def test_columns_that_are_not_there(table: Path, role: str, column: str) -> None:
    with pytest.raises(PredictionsError, match=r"p\.csv: --columns .*: no column"):
        read_given([table], asked=Asked(columns={role: column}))


@pytest.mark.parametrize("name", ["top-1", "macro", "micro"])
def test_a_class_with_the_name_of_a_figure_over_all(name: str) -> None:
    with pytest.raises(EnsembleKitError, match="has the name of figures over all classes"):
        ek.evaluate(np.full((6, 2), 0.5), [0, 1] * 3, class_names=[name, "b"], replicates=0)


@pytest.mark.parametrize("name", ["fold", "lesion", "age"])
def test_a_class_with_the_name_of_another_column(tmp_path: Path, name: str) -> None:
    lines = [f"i{k},{[name, 'b'][k % 2]},0.5,0.5" for k in range(6)]
    (tmp_path / "p.csv").write_text("\n".join([f"image_id,label,{name},b", *lines]))
    with pytest.raises(PredictionsError, match=f"the class '{name}' has the name of a column"):
        match(read_given([tmp_path / "p.csv"]))


def test_folds_that_all_show_one_difference_have_no_finite_statistic() -> None:
    found = corrected_resampled_t(np.ones(3))
    assert (found.statistic, found.p_value) == (None, 0.0)


@pytest.mark.parametrize("right", [0, 1])
def test_sure_and_always_wrong_or_right_has_no_interval_of_calibration(right: int) -> None:
    labels = np.arange(48) % 3
    scores = np.eye(3)[(labels + 1 - right) % 3]
    found = ek.evaluate(scores, labels, groups=np.arange(48) // 2, replicates=100)
    for row in found.rows:
        low, high = row.estimate.low, row.estimate.high
        if low is not None and high is not None and row.metric in ERRORS:
            assert 0 <= low < high <= 1, row


@pytest.mark.parametrize(
    ("names", "sign"),
    [(("a", "b"), " "), (("a", "b", "a b"), "; "), (("a b", "c; d"), " | ")],
)
def test_classes_of_a_set_are_told_apart(names: tuple[str, ...], sign: str) -> None:
    assert parted_by(names) == sign


@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\u2060"])
def test_characters_without_width_are_in_no_name(mark: str) -> None:
    with pytest.raises(EnsembleKitError, match="holds control characters"):
        ek.evaluate(np.full((6, 2), 0.5), [0, 1] * 3, class_names=["a", f"a{mark}"], replicates=0)


@pytest.mark.parametrize(
    "name",
    ["=1+1", "@SUM(1)", "-2+cmd|'calc'!A0", '+HYPERLINK("x")', "+ cmd|'calc'!A0", "- SUM(1)",
     "\uff1d1"],
)  # fmt: skip
@pytest.mark.parametrize("column", ["label", "image_id", "patient_id", "site"])
def test_cells_that_a_spreadsheet_would_run(tmp_path: Path, name: str, column: str) -> None:
    """They would stand in the tables that are written."""
    if column == "site" and name[0] not in "=\uff1d":
        name = f"={name}"  # other signs begin what people write of a picture
    frame = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(N)], "label": ["a", "b", "c"] * 8,
            "patient_id": [f"P{k // 2}" for k in range(N)], "site": "arm",
            "a": 0.5, "b": 0.3, "c": 0.2,
        }
    )  # fmt: skip
    if column == "label":
        frame = frame.replace("a", name).rename(columns={"a": name})
    else:
        frame.loc[3, column] = name
    frame.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(EnsembleKitError, match=r"p\.csv: .*begins like a formula"):
        match(read_given([tmp_path / "p.csv"]))


def test_a_column_of_metadata_that_a_spreadsheet_would_run(table: Path) -> None:
    pd.read_csv(table).rename(columns={"side": "=side"}).to_csv(table, index=False)
    with pytest.raises(EnsembleKitError, match=r"metadata column .=side. begins"):
        match(read_given([table]))


@pytest.mark.parametrize("name", ["+", "-1", "+ve (old)", "-(3)", "a=b", "@anna"])
def test_grades_and_signs_are_names(name: str) -> None:
    found = ek.evaluate(np.full((6, 2), 0.5), [0, 1] * 3, class_names=[name, "b"], replicates=0)
    assert found.class_names == (name, "b")


def test_the_same_letters_in_another_form_are_no_two_classes() -> None:
    with pytest.raises(EnsembleKitError, match="same letters in another form"):
        ek.evaluate(np.full((6, 2), 0.5), [0, 1] * 3, class_names=["a", "\uff41"], replicates=0)


def test_a_column_of_numbers_to_slice_by_is_no_class(table: Path) -> None:
    frame = pd.read_csv(table)
    frame.assign(scanner=[0, 1] * 12).to_csv(table, index=False)
    found = match(read_given([table], asked=Asked(slices=("scanner",))))
    assert found.table.class_names == ("a", "b", "c")
    assert sorted(set(found.table.slices["scanner"].tolist())) == ["0", "1"]
    with pytest.raises(EnsembleKitError, match="no metadata column a to slice by"):
        make_slices(match(read_given([table], asked=Asked(slices=("a",)))).table, ("a",))


def test_a_column_of_other_words_given_for_the_labels_is_named(table: Path) -> None:
    pd.read_csv(table).assign(side=["l", "r", "m"] * 8).to_csv(table, index=False)
    with pytest.raises(PredictionsError, match=r"label=side: its words \(l, m, r\) are no cl"):
        read_given([table], asked=Asked(columns={"label": "side"}))


def test_a_column_given_for_two_things_is_told_of(tmp_path: Path) -> None:
    rows = "".join(f"i{k},{'ab'[k % 2]},P{k // 2}\n" for k in range(12))
    (tmp_path / "metadata.csv").write_text("image_id,dx,patient_id\n" + rows)
    with pytest.raises(EnsembleKitError, match="since dx is taken for group"):
        load_data(tmp_path, DataSpec(columns={"group": "dx"}), require_images=False)


def test_numbers_with_a_point_among_words_stay_ids(table: Path) -> None:
    frame = pd.read_csv(table)
    frame["image_id"] = frame["image_id"].replace({"i3": "2.0", "i4": "2"})
    frame.to_csv(table, index=False)
    found = match(read_given([table]))
    assert {"2.0", "2"} <= set(found.table.image_ids.tolist())


def test_a_cell_of_a_row_may_be_long_and_a_row_longer(table: Path) -> None:
    """The bound is on cells, not on lines."""
    frame = pd.read_csv(table)
    wide = pd.DataFrame({f"a column of many letters {k}": ["x"] * N for k in range(6000)})
    pd.concat([frame, wide], axis=1).to_csv(table, index=False)
    assert len(table.read_text().splitlines()[0]) > 131_072
    assert read_given([table]) is not None
    text = table.read_text().replace("i3,", '"i3,', 1)
    table.write_text(text)
    with pytest.raises(PredictionsError, match="a quote is not closed"):
        read_given([table])


def test_what_people_write_of_pictures_is_no_formula(table: Path) -> None:
    pd.read_csv(table).assign(side=["- left|right", "+nevus(compound)"] * 12).to_csv(
        table, index=False
    )
    assert set(match(read_given([table])).table.slices["side"].tolist()) == {
        "- left|right", "+nevus(compound)",
    }  # fmt: skip


def test_one_score_for_two_words_of_a_column_given(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"image": [f"i{k}" for k in range(8)], "lab": ["benign", "malignant"] * 4, "score": 0.25}
    )
    frame.to_csv(tmp_path / "s.csv", index=False)
    found = match(read_given([tmp_path / "s.csv"], asked=Asked(columns={"label": "lab"})))
    assert found.table.class_names == ("benign", "malignant")


def test_a_column_to_slice_by_takes_no_role_that_was_given(table: Path) -> None:
    frame = pd.read_csv(table)
    frame["patient_id"] = range(N)
    frame.to_csv(table, index=False)
    asked = Asked(columns={"patient": "pair"}, slices=("patient_id",))
    assert match(read_given([table], asked=asked)).table.n_groups == 4
