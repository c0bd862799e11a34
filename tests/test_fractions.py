"""Parts of a training set: whole groups, nested; folds by image part groups and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.records import ImageTable
from ensemble_kit.splits import make_folds
from ensemble_kit.splits.fractions import (
    by_image,
    parse_fractions,
    share_of_groups,
    with_fraction,
)


def table_of(seed: int, groups: int = 60) -> ImageTable:
    random = np.random.default_rng(seed)
    names = np.repeat([f"g{k:03d}" for k in range(groups)], random.integers(1, 5, groups))
    of_group = {f"g{k:03d}": k % 3 for k in range(groups)}
    ids = np.array([f"i{k:04d}" for k in range(len(names))])
    empty = np.full(len(ids), "", np.str_)
    labels = np.array([of_group[name] for name in names], np.int64)
    return ImageTable(ids, names, labels, ("a", "b", "c"), empty, empty, empty)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.02, 0.98))
def test_shares_are_of_whole_groups_nested_and_have_every_class(seed: int, share: float) -> None:
    table = table_of(seed)
    part, larger = (share_of_groups(table, s, seed) for s in (share, min(1.0, share + 0.2)))
    for name in np.unique(table.groups):
        assert len(np.unique(part[table.groups == name])) == 1
    assert not (part & ~larger).any()
    assert set(table.labels[part]) == {0, 1, 2}
    kept = len(np.unique(table.groups[part]))
    assert share * 60 - 1e-6 <= kept < share * 60 + 3
    assert share_of_groups(table, 1.0, seed).all()


def test_a_fraction_leaves_the_held_out_fold_whole_and_takes_nothing_else() -> None:
    table = table_of(1)
    folds = make_folds(table, 3, 0)[0]
    for k in range(3):
        part = with_fraction(table, folds, k, 0.3, 5)
        assert np.array_equal(part.held_out(k), folds.held_out(k))
        used = part.fold >= 0
        assert np.array_equal(part.fold[used], folds.fold[used])
        train = used & ~part.held_out(k)
        assert 0.15 < train.sum() / (~folds.held_out(k)).sum() < 0.5
        assert not set(table.groups[train]) & set(table.groups[part.held_out(k)])


def test_folds_by_image_have_all_images_even_classes_and_parted_groups() -> None:
    table = table_of(2)
    folds = make_folds(table, 4, 0)[0]
    leaking = by_image(table, folds, 0)
    counts = np.zeros((4, 3), int)
    np.add.at(counts, (leaking.fold, table.labels), 1)
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    parted = [n for n in np.unique(table.groups) if len(set(leaking.fold[table.groups == n])) > 1]
    assert len(parted) > 20


@pytest.mark.parametrize("text", ["", "0.5,", "0", "1.5", "-1", "nan", "half", "0.5;0.7"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(StudyError, match="--fractions"):
        parse_fractions(text)


def test_shares_are_sorted_and_the_whole_is_left_to_the_run() -> None:
    assert parse_fractions("1, 0.5,0.25,0.5") == (0.25, 0.5)
