"""Folds, hold-outs and audits: no group is ever on both sides."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from ensemble_kit.core.errors import SplitError
from ensemble_kit.core.records import Folds, ImageTable, Strings
from ensemble_kit.data.dataset import load_table
from ensemble_kit.splits import (
    audit_split,
    check_folds,
    hold_out_groups,
    make_folds,
    read_folds_file,
)
from ensemble_kit.splits.drawing import stratified_group_folds
from ensemble_kit.splits.folds_file import read_image_list
from ensemble_kit.splits.making import fold_class_counts


def table_of(groups: list[int], labels: list[int]) -> ImageTable:
    n = len(groups)
    names = np.array([f"g{group:04d}" for group in groups])
    return ImageTable(
        image_ids=np.array([f"i{number:05d}" for number in range(n)]),
        groups=names,
        labels=np.array(labels, dtype=np.int64),
        class_names=tuple("abcdefg"[: max(labels) + 1]),
        lesions=names,
        patients=np.full(n, "", dtype=np.str_),
        paths=np.full(n, "", dtype=np.str_),
    )


def random_table(
    seed: int, n_groups: int = 400, shares: tuple[float, ...] = (0.7, 0.2, 0.1)
) -> ImageTable:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, n_groups)
    labels = rng.choice(len(shares), n_groups, p=shares)
    return table_of(
        np.repeat(np.arange(n_groups), sizes).tolist(), np.repeat(labels, sizes).tolist()
    )


tables = st.builds(
    lambda pairs: table_of([p[0] for p in pairs], [p[1] for p in pairs]),
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 2)), min_size=6, max_size=60).filter(
        lambda pairs: len({label for _, label in pairs}) == 1 + max(label for _, label in pairs) > 1
    ),
)


@settings(deadline=None, max_examples=60)
@given(tables, st.integers(2, 4), st.integers(0, 5))
def test_folds_never_part_a_group(table: ImageTable, n_folds: int, seed: int) -> None:
    try:
        folds = make_folds(table, n_folds, seed)[0]
    except SplitError:
        assume(False)
    for name in np.unique(table.groups):
        assert len(np.unique(folds.fold[table.groups == name])) == 1
    counts = fold_class_counts(table, folds)
    assert (counts > 0).all()
    assert (counts < table.class_counts()).all()
    assert counts.sum() == len(table)


@settings(deadline=None, max_examples=100)
@given(tables, st.floats(0.05, 0.5), st.integers(0, 5), st.data())
def test_a_hold_out_never_parts_a_group_nor_empties_a_class(
    table: ImageTable, share: float, seed: int, data: st.DataObject
) -> None:
    picked = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1, unique=True))
    rows = np.array(sorted(picked))
    held = hold_out_groups(table, rows, share, seed)
    assert held.shape == rows.shape
    assert not set(table.groups[rows[held]]) & set(table.groups[rows[~held]])
    assert set(table.labels[rows[~held]]) == set(table.labels[rows])
    assert (held == hold_out_groups(table, rows, share, seed)).all()


@pytest.mark.filterwarnings("ignore:The least populated class")
@settings(deadline=None, max_examples=80)
@given(
    st.integers(2, 11), st.integers(2, 7), st.integers(10, 250), st.booleans(),
    st.integers(0, 2**31 - 1),
)  # fmt: skip
def test_folds_are_those_of_scikit_learn(
    n_classes: int, n_folds: int, n: int, pure: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    groups = np.unique(rng.integers(0, n, n), return_inverse=True)[1]
    drawn = rng.integers(0, n_classes, n)
    labels = np.unique(drawn[groups] if pure else drawn, return_inverse=True)[1]
    assume(labels.max() > 0 and groups.max() >= n_folds)
    assume(np.bincount(labels).max() >= n_folds)
    wanted = np.full(n, -1)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for k, (_, rows) in enumerate(splitter.split(wanted, labels, groups)):
        wanted[rows] = k
    found = stratified_group_folds(labels.astype(np.int64), groups.astype(np.int64), n_folds, seed)
    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_balanced(seed: int) -> None:
    table = random_table(seed)
    counts = fold_class_counts(table, make_folds(table, 5, seed)[0])
    fair = table.class_counts() / 5
    assert (np.abs(counts - fair) <= np.maximum(0.12 * fair, 4)).all()


@pytest.mark.parametrize("seed", range(5))
def test_hold_outs_are_balanced(seed: int) -> None:
    table = random_table(seed)
    rows = np.flatnonzero(make_folds(table, 5, seed)[0].fold != 0)
    held = hold_out_groups(table, rows, 0.1, seed)
    wanted = 0.1 * np.bincount(table.labels[rows])
    got = np.bincount(table.labels[rows[held]], minlength=3)
    assert (np.abs(got - wanted) <= np.maximum(0.1 * wanted, 4)).all()


def test_a_class_of_two_groups_is_on_both_sides_of_a_hold_out() -> None:
    table = table_of([0, 0, 1, *range(2, 40)], [1, 1, 1, *([0] * 38)])
    held = hold_out_groups(table, np.arange(len(table)), 0.1, 0)
    assert held[[0, 2]].sum() == 1


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(SplitError, match="share 1 of groups"):
        hold_out_groups(random_table(0), np.arange(5), 1.0, 0)


def test_draws_are_repeatable_and_repeats_differ() -> None:
    table = random_table(1)
    first, again = make_folds(table, 5, 3, repeats=3), make_folds(table, 5, 3, repeats=3)
    assert [f.digest for f in first] == [f.digest for f in again]
    assert len({f.digest for f in first}) == 3
    assert make_folds(table, 5, 3)[0].digest == first[0].digest
    assert make_folds(table, 5, 4)[0].digest != first[0].digest
    assert [f.seed for f in first] == [3, 103, 203]


def test_seeds_are_tried_until_every_class_is_everywhere() -> None:
    """Five groups mixing two rare classes: most draws leave a fold without one of them."""
    groups = [*range(60), *range(60, 65), *range(60, 65)]
    labels = [*([0] * 60), *([1] * 5), *([2] * 5)]
    table = table_of(groups, labels)
    assert (fold_class_counts(table, make_folds(table, 5)[0]) > 0).all()


@pytest.mark.parametrize("n_folds", [1, 0, -3])
def test_too_few_folds(n_folds: int) -> None:
    with pytest.raises(SplitError, match="needs at least 2"):
        make_folds(random_table(0), n_folds)


def test_a_class_with_fewer_groups_than_folds_is_named() -> None:
    table = table_of([*range(20), 20, 20, 20, 21], [*([0] * 20), 1, 1, 1, 1])
    with pytest.raises(SplitError, match=r"class b \(2 groups, 4 images\) cannot be in each of 5"):
        make_folds(table, 5)


def test_a_crossing_group_is_found() -> None:
    table = random_table(2)
    folds = make_folds(table, 5)[0]
    check_folds(table, folds)
    big = np.flatnonzero(np.bincount(table.group_codes) >= 3)[:2]
    fold = folds.fold.copy()
    for group in big:
        row = np.flatnonzero(table.group_codes == group)[0]
        fold[row] = (fold[row] + 1) % 5
    n_images = np.isin(table.group_codes, big).sum()
    with pytest.raises(
        SplitError, match=f"2 groups with {n_images} images cross folds: g.*in fold"
    ):
        check_folds(table, Folds(table.image_ids, table.groups, fold, 5))


def test_other_faults_of_folds() -> None:
    table = table_of([0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1])

    def folds(fold: list[int], n_folds: int = 2, ids: Strings | None = None) -> Folds:
        names = table.image_ids if ids is None else ids
        return Folds(names, table.groups, np.array(fold, dtype=np.int64), n_folds)

    check_folds(table, folds([0, 1, 0, 1, 0, 1]))
    with pytest.raises(SplitError, match="fold 1 holds every image of b out"):
        check_folds(table, folds([0, 0, 1, 1, 1, 1]))
    with pytest.raises(SplitError, match="i00002 in no fold from 0 to 1"):
        check_folds(table, folds([0, 1, 2, 1, 0, 1]))
    with pytest.raises(SplitError, match="1 hold no image out"):
        check_folds(table, folds([0, 1, 0, 1, 0, 1], 3))
    with pytest.raises(SplitError, match="their order differs"):
        check_folds(table, folds([0, 1, 0, 1, 0, 1], ids=table.image_ids[::-1]))
    with pytest.raises(SplitError, match="i00005, other in only one"):
        check_folds(table, folds([0, 1, 0, 1, 0, 1], ids=np.array([*table.image_ids[:5], "other"])))


def test_folds_files(tmp_path: Path) -> None:
    table = table_of([0, 0, 1, 2, 3, 4], [0, 0, 0, 1, 1, 1])
    path = tmp_path / "folds.csv"

    def write(fold: list[str], names: list[str] | None = None, head: str = "image,fold") -> None:
        names = names or [f"{name}.jpg" for name in table.image_ids.tolist()]
        rows = [f"{n},{k}" for n, k in zip(names, fold, strict=True)][::-1]
        path.write_text("\n".join([head, *rows]))

    for base in (0, 1):
        write([str(k + base) for k in (0, 0, 1, 0, 1, 1)])
        folds = read_folds_file(path, table)
        assert folds.fold.tolist() == [0, 0, 1, 0, 1, 1]
        assert folds.n_folds == 2
    write(["0", "1", "1", "0", "1", "1"])
    with pytest.raises(SplitError, match="1 group with 2 images cross folds: g0000"):
        read_folds_file(path, table)
    write(["0", "0", "1", "0", "1", "x"])
    with pytest.raises(SplitError, match=r"fold 'x' \(i00005\) is not a number"):
        read_folds_file(path, table)
    for number in ("7", "-1", "7777777777", "9" * 20, "9" * 5000):
        write(["0", "0", "1", "0", "1", number])
        with pytest.raises(SplitError, match=rf"fold '{number}' \(i00005\) is not a number"):
            read_folds_file(path, table)
    write(["0"] * 6, ["i00000"] * 6)
    with pytest.raises(SplitError, match="i00000 listed more than once"):
        read_folds_file(path, table)
    write(["0", "1"], ["i00000", "i00001"])
    with pytest.raises(SplitError, match="lacks i00002, i00003, i00004, i00005"):
        read_folds_file(path, table)
    write(["0"] * 7, [*table.image_ids.tolist(), "more"])
    with pytest.raises(SplitError, match="lists more, not in the data set"):
        read_folds_file(path, table)
    write(["0"] * 6, head="image,group")
    with pytest.raises(SplitError, match="no column 'fold'"):
        read_folds_file(path, table)
    with pytest.raises(SplitError, match="cannot be read"):
        read_folds_file(tmp_path / "gone.csv", table)


def test_audits() -> None:
    table = table_of([0, 0, 0, 1, 1, 2, 3], [0, 0, 0, 1, 1, 1, 0])
    ids = table.image_ids
    sound = audit_split(table, ids[:5], ids[5:])
    assert not sound.leaks
    assert sound.complaint() == ""
    leaky = audit_split(table, ids[[0, 1, 3]], ids[[2, 4, 5, 1]])
    assert leaky.groups == ("g0000", "g0001")
    assert leaky.shared == ("i00001",)
    assert set(leaky.train_images) == {"i00000", "i00001", "i00003"}
    assert set(leaky.test_images) == {"i00001", "i00002", "i00004"}
    assert "2 groups are on both sides, with 3 of the 4 test images" in leaky.complaint()
    with pytest.raises(SplitError, match="the test side lists nothing, not in the data set"):
        audit_split(table, ids[:2], np.array(["nothing"]))
    with pytest.raises(SplitError, match="i00000 listed more than once on the training side"):
        audit_split(table, ids[[0, 0]], ids[5:])


@pytest.mark.shared
def test_the_published_leaky_split_is_refused(shared: Path) -> None:
    data = shared / "data"
    table = load_table(data / "ham10000-28px")
    sides = [
        read_image_list(data / "leaky-split" / f"split_data_1_fold_{side}.csv")
        for side in ("train", "test")
    ]
    audit = audit_split(table, *sides)
    lesion = dict(zip(table.image_ids.tolist(), table.lesions.tolist(), strict=True))
    train = {lesion[name] for name in sides[0].tolist()}
    assert len(audit.test_images) == sum(lesion[name] in train for name in sides[1].tolist()) == 749
    assert len(audit.groups) == 698


@pytest.mark.shared
@pytest.mark.parametrize(
    ("place", "worst"),
    [
        ("ham10000-28px", 0.05),
        ("isic2018-task3-399x299", 0.2),
        ("metadata/ISIC_2020_Training_GroundTruth_v2.csv", 0.05),
    ],
)
def test_real_folds_are_balanced(shared: Path, place: str, worst: float) -> None:
    table = load_table(shared / "data" / place, require_images=False)
    counts = fold_class_counts(table, make_folds(table, 5)[0])
    assert np.abs(counts / (table.class_counts() / 5) - 1).max() < worst
