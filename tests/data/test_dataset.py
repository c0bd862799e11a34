"""One suite over every layout, then what bad data gets."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.records import Folds
from ensemble_kit.data.dataset import data_or_default, load_data, load_table
from ensemble_kit.data.layouts import find_layout
from ensemble_kit.runs.tables import read_folds, write_folds
from tests.data.folders import LAYOUTS, Rows, write_folder, write_image, write_isic, write_table

IDS = [f"im_{number}" for number in range(1, 10)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_table(layout: str, tmp_path: Path) -> None:
    table = load_table(LAYOUTS[layout](tmp_path))
    assert table.image_ids.tolist() == IDS
    assert table.class_names == ("bkl", "mel", "nv")
    assert [table.class_names[c] for c in table.labels] == [
        "mel", "nv", "mel", "nv", "nv", "bkl", "bkl", "mel", "nv",
    ]  # fmt: skip
    assert table.groups.tolist() == ["P1", "P1", "P1", "P2", "P2", "P3", "P4", "P5", "P6"]
    assert table.lesions.tolist()[:4] == ["L1", "L2", "L1", "L3"]
    assert table.slices["age"].tolist() == ["60", "60", "60", "35", "35", "", "70", "75", "25"]
    assert table.slices["sex"].tolist()[5:8] == ["", "male", ""]
    assert table.slices["site"].tolist()[:2] == ["back", ""]
    assert all((tmp_path / path).is_file() for path in table.paths)
    assert [Path(path).stem for path in table.paths] == IDS


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "PNG and capitals"])
def test_the_layout_is_named(layout: str, tmp_path: Path) -> None:
    assert find_layout(LAYOUTS[layout](tmp_path)).name == layout


def test_a_data_set_can_be_named_by_its_csv(tmp_path: Path) -> None:
    write_isic(tmp_path)
    table = load_table(tmp_path / "ISIC_2019_Training_GroundTruth.csv", require_images=False)
    assert set(table.paths) == {""}
    assert table.groups.tolist()[0] == "P1"


def test_images_without_any_id_are_their_own_group(tmp_path: Path) -> None:
    rows = Rows()
    for row in rows.rows:
        del row["lesion_id"], row["patient_id"]
    table = load_table(write_folder(tmp_path, rows))
    assert table.groups.tolist() == IDS


def test_near_duplicates_join_groups(tmp_path: Path) -> None:
    write_folder(tmp_path)
    pairs = [{"similarity": "0.98", "from_img": "im_4.jpg", "to_img": "im_9.jpg"}]
    pairs.append({"similarity": "0.97", "from_img": "im_9.jpg", "to_img": "elsewhere.jpg"})
    write_table(tmp_path / "pairs" / "pairs.csv", pairs)
    table = load_table(tmp_path, duplicates=tmp_path / "pairs" / "pairs.csv")
    assert table.groups.tolist()[3:5] == ["P2", "P2"]
    assert table.groups.tolist()[8] == "P2"
    write_table(tmp_path / "pairs" / "pairs.csv", pairs[1:])
    with pytest.raises(DataError, match="none of its 1 pairs"):
        load_table(tmp_path, duplicates=tmp_path / "pairs" / "pairs.csv")


def test_classes_of_ones_own(tmp_path: Path) -> None:
    rows = Rows()
    for number, row in enumerate(rows.rows):
        row["dx"], row["lesion_id"] = ("Cat", "dog")[number % 2], ""
    assert load_table(write_folder(tmp_path, rows)).class_names == ("cat", "dog")


def _spoil(image: str = "im_2", **values: str) -> Callable[[Path], None]:
    return lambda root: _rewrite(root, Rows().change(image, **values))


def _rewrite(root: Path, rows: Rows) -> None:
    write_table(root / "metadata.csv", rows.rows)


def _without(column: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        rows = Rows()
        for row in rows.rows:
            del row[column]
        _rewrite(root, rows)

    return spoil


def _text(text: str | bytes) -> Callable[[Path], None]:
    content = text.encode() if isinstance(text, str) else text
    return lambda root: (root / "metadata.csv").write_bytes(content) and None  # type: ignore[func-returns-value]


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no csv": (lambda root: (root / "metadata.csv").unlink(), "no CSV with the diagnoses"),
    "no dx": (_without("dx"), "no column dx"),
    "no image_id": (_without("image_id"), "no column image_id"),
    "unknown dx": (
        _spoil(dx="melanoma?"),
        r"unknown dx 'melanoma\?' \(1 image: im_2\).*akiec.*classes.txt",
    ),
    "blank dx": (_spoil(dx=""), "no dx for im_2"),
    "duplicate id": (_spoil(image_id="im_4"), "im_4 listed more than once"),
    "two diagnoses": (_spoil("im_3", dx="nv"), r"lesion L1 \(mel and nv\) has more than one"),
    "slash": (_spoil(image_id="../im_2"), r"image id '\.\./im_2' cannot be used"),
    "dots": (_spoil(image_id=".."), "cannot be used"),
    "backslash": (_spoil(image_id="a\\b"), "cannot be used"),
    "absolute": (_spoil(image_id="/etc/passwd"), "cannot be used"),
    "blank id": (_spoil(image_id=""), "image id '' cannot be used"),
    "NUL": (_text("image_id,dx\nim_1,mel\nim\0_2,nv\n"), "line 3 holds a NUL"),
    "not UTF-8": (_text(b"image_id,dx\nim_1,mel\x81\n"), "line 2 is not UTF-8"),
    "empty": (_text(""), "metadata.csv: the file is empty, but a table has a header line"),
    "blank": (_text("\n \n\t\n"), "the file is empty"),
    "byte-order mark": (_text(b"\xef\xbb\xbf"), "the file is empty"),
    "header only": (_text("image_id,dx\n"), "a header with no rows below it"),
    "ragged": (_text("image_id,dx\nim_1,mel,3,4\n"), r"not a table.*line 2 \(4\)"),
    "short rows": (
        _text('image_id,dx,patient_id\nim_1,mel,"P,\n1"\n\nim_2,nv\nim_3,mel,P3\nim_4\n'),
        r"header has 3 cells, otherwise line 5 \(2\), line 7 \(1\); give every row",
    ),
    "an endless cell": (
        _text("image_id,dx\nim_1,mel\nim_2," + "n" * 200_000),
        "line 3 has a cell of more than 131,072 letters",
    ),
    "a class called image": (
        _text("image_id,dx\nim_1,mel\nim_2,Image\n"),
        r"dx 'image' \(im_2\) cannot name a class",
    ),
    "a broken link of an image's name": (
        lambda root: (root / "im_1.png").symlink_to(root / "gone.png"),
        r"im_1\.png and images/im_1\.jpg|images/im_1\.jpg and im_1\.png have one name and cannot",
    ),
    "twice a column": (_text("image_id,dx,dx\nim_1,mel,nv\n"), "column dx appears twice"),
    "missing image": (lambda root: (root / "images" / "im_5.jpg").unlink(), "lists im_5 but"),
    "one class": (_text("image_id,dx\nim_1,mel\nim_2,mel\n"), "every image is 'mel'"),
    "age": (_spoil("im_7", age="seventy"), r"age 'seventy' \(im_7\) is not a number"),
    "old age": (_spoil("im_7", age="700"), r"age '700' \(im_7\)"),
    "two images of a name": (
        lambda root: write_image(root / "more" / "im_1.png", 77),
        "images/im_1.jpg and more/im_1.png are different images",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_with_its_offenders(case: str, tmp_path: Path) -> None:
    spoil, message = BAD[case]
    spoil(write_folder(tmp_path))
    with pytest.raises(DataError, match=message):
        load_table(tmp_path)


def test_many_offenders_are_ten_and_a_count(tmp_path: Path) -> None:
    lines = [
        "image_id,dx",
        *(f"x{number:02d},{'mel' if number % 2 else 'nv'}" for number in range(30)),
    ]
    tmp_path.joinpath("metadata.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"x00, .* x09 and 20 more but .*no JPEG or PNG at all"):
        load_table(tmp_path)


def test_one_hot_rows_have_one_one(tmp_path: Path) -> None:
    truth = write_isic(tmp_path) / "ISIC_2019_Training_GroundTruth.csv"
    truth.write_text(truth.read_text().replace("im_4,0.0,1.0", "im_4,1.0,1.0"))
    with pytest.raises(DataError, match="im_4 must have exactly one 1"):
        load_table(tmp_path)


def test_extra_tables_name_some_of_the_images(tmp_path: Path) -> None:
    extra = write_isic(tmp_path) / "ISIC_2019_Training_Metadata.csv"
    lines = extra.read_text().splitlines()
    extra.write_text("\n".join(lines[:3]))
    assert sorted(load_table(tmp_path).patients.tolist()) == [""] * 7 + ["P1", "P1"]
    extra.write_text("\n".join(lines).replace("im_", "ISIC_"))
    with pytest.raises(DataError, match=r"names none of the 9 images of ISIC_2019.*it has ISIC_3"):
        load_table(tmp_path)


def test_columns_that_a_run_needs_for_itself_are_renamed(tmp_path: Path) -> None:
    rows = Rows()
    for row in rows.rows:
        row |= {"image": "DSC", "path": "/old/place", "path_column": "kept"}
    table = load_table(write_folder(tmp_path / "data", rows))
    assert not {"image", "path"} & set(table.slices)
    kept = {name: table.slices[name][0] for name in table.slices if "column" in name}
    assert kept == {
        "image_column": "DSC",
        "path_column_column": "/old/place",
        "path_column": "kept",
    }
    folds = Folds(table.image_ids, table.groups, np.arange(9) % 2, 2)
    write_folds(tmp_path, table, [folds])
    again, _ = read_folds(tmp_path, table.class_names)
    assert again.paths.tolist() == table.paths.tolist()
    assert set(again.slices) == set(table.slices)


def test_listed_classes_allow_no_other_name(tmp_path: Path) -> None:
    write_folder(tmp_path, Rows().change("im_9", dx="Lentigo"))
    found = load_data(tmp_path)
    assert found.table.class_names == ("bkl", "lentigo", "mel", "nv")
    assert "classes beside the usual diagnoses: lentigo (1 image)" in " ".join(found.notes)
    (tmp_path / "classes.txt").write_text("bkl\nMEL\nnv\n")
    with pytest.raises(DataError, match=r"unknown dx 'lentigo' \(1 image: im_9\)"):
        load_table(tmp_path)
    (tmp_path / "classes.txt").write_text("bkl\nMEL\nnv\nlentigo\n")
    assert load_table(tmp_path).class_names == ("bkl", "lentigo", "mel", "nv")


def test_an_unknown_dx_is_named_once_with_its_images_counted(tmp_path: Path) -> None:
    rows = Rows().change("im_2", dx="lentigo").change("im_9", dx="wart")
    write_folder(tmp_path, rows.change("im_1", dx="Lentigo").change("im_3", dx="lentigo"))
    (tmp_path / "classes.txt").write_text("bkl\nMEL\nnv\n")
    with pytest.raises(DataError) as raised:
        load_table(tmp_path)
    said = str(raised.value)
    assert re.search(r"'lentigo' \(3 images, the first im_\d\)", said)
    assert "'wart' (1 image: im_9)" in said
    assert said.count("lentigo") == 1


def test_no_data_says_how_to_get_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"fetch ham10000.*--data sample"):
        data_or_default(None)
    (tmp_path / "dataset").mkdir()
    assert data_or_default(None) == "dataset"
    assert data_or_default("elsewhere") == "elsewhere"
    with pytest.raises(DataError, match="elsewhere does not exist"):
        load_table("elsewhere")


def test_a_table_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    first = load_table(write_folder(tmp_path / "a"))
    rows = Rows()
    rows.rows.reverse()
    second = load_table(write_folder(tmp_path / "b", rows))
    assert first.digest == second.digest
    assert first.paths.tolist() == second.paths.tolist()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("place", "images", "n_images", "n_groups", "n_classes"),
    [
        ("ham10000-28px", True, 10015, 7470, 7),
        ("ham10000-sample70", True, 70, 70, 7),
        ("isic2018-task3-399x299", True, 1000, 1000, 7),
        ("metadata/ISIC_2019_Training_GroundTruth.csv", False, 25331, 13931, 8),
        ("metadata/ISIC_2020_Training_GroundTruth_v2.csv", False, 33126, 2056, 2),
    ],
)
def test_real_data_sets(
    shared: Path, place: str, images: bool, n_images: int, n_groups: int, n_classes: int
) -> None:
    table = load_table(shared / "data" / place, require_images=images)
    assert (len(table), table.n_groups, table.n_classes) == (n_images, n_groups, n_classes)
    assert (np.diff(np.unique(table.group_codes)) == 1).all()


@pytest.mark.shared
def test_the_known_duplicates_join_eighteen_pairs_of_lesions(shared: Path) -> None:
    pairs = shared / "data" / "metadata" / "ham10000_cross_lesion_duplicates.csv"
    table = load_table(shared / "data" / "ham10000-28px", duplicates=pairs)
    assert table.n_groups == 7470 - 18
