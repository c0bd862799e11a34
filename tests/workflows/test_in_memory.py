"""Arrays and pandas objects: aligned by index, classes by name, nothing guessed by position."""

import re

import numpy as np
import pandas as pd
import pytest

import ensemble_kit as ek
from ensemble_kit.core.errors import PredictionsError, SplitError
from ensemble_kit.core.records import Folds

RNG = np.random.default_rng(3)
P = RNG.dirichlet((1, 1, 1), 60)
Y = P.argmax(axis=1)
IDS = [f"i{k:02d}" for k in range(60)]
FRAME = pd.DataFrame(P, columns=["a", "b", "c"], index=IDS)
NAMES = pd.Series(np.array(["a", "b", "c"])[Y], index=IDS)


def accuracy(*words, **options):
    return ek.evaluate(*words, replicates=0, **options).figure("accuracy").value


def test_perfect_predictions_stay_perfect_however_they_are_given():
    shuffled = NAMES.sample(frac=1, random_state=0)
    assert accuracy(P, Y) == 1
    assert accuracy(FRAME, shuffled) == 1
    assert accuracy(FRAME, NAMES.reset_index(drop=True)) == 1, "numbered 0, 1, 2: by position"
    assert accuracy(FRAME[["b", "a", "c"]], NAMES, class_names=["a", "b", "c"]) == 1
    assert accuracy(FRAME, shuffled, class_names=["c", "b", "a"]) == 1
    assert accuracy(FRAME, list(Y)) == 1
    assert accuracy(FRAME, pd.concat([NAMES, pd.Series({"more": "a"})])) == 1


def test_labels_are_names_or_numbers_and_not_both():
    numbered = pd.DataFrame(P, columns=[1, 2, 3])
    assert accuracy(numbered, Y + 1) == 1
    assert accuracy(numbered, Y) == 1
    with pytest.raises(PredictionsError, match="not both"):
        accuracy(FRAME, ["a" if k else 0 for k in Y])


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        (NAMES.rename({"i00": "zz"}), {}, "lack i00"),
        (pd.concat([NAMES, NAMES.iloc[:1]]), {}, "more than once"),
        (NAMES, {"class_names": ["a", "b", "d"]}, "differ in c, d"),
        (NAMES.where(NAMES.index != "i03"), {}, "label nan"),
        (NAMES, {"folds": [0.0] * 59 + [np.nan]}, "folds are missing"),
    ],
)
def test_what_cannot_be_aligned_is_refused(labels, options, said):
    with pytest.raises(PredictionsError, match=said):
        accuracy(FRAME, labels, **options)


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        ({"a": [0.5], "b": [0.5]}, ["a"], "probabilities given as a dict that is no table of num"),
        ([["x", "y"]], ["a"], "probabilities given as a list that is no table of numbers"),
        ([[0.5, 0.5], [1.0]], ["a", "b"], "probabilities given as a list that is no table of"),
        (np.full((1, 2), 0.5 + 0j), ["a"], "probabilities given as a ndarray that is no table"),
        ([[0.5, 0.5]], 5, "the labels are 5: give a list or an array, one a row"),
        ([[0.5, 0.5]], "a", "the labels are 'a': give a list or an array, one a row"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(probabilities, labels, said):
    with pytest.raises(PredictionsError, match=re.escape(said)):
        ek.evaluate(probabilities, labels, replicates=0)


def test_series_of_different_order_beside_an_array_are_refused():
    groups = pd.Series(IDS, index=IDS).sample(frac=1, random_state=2)
    with pytest.raises(PredictionsError, match="as a DataFrame"):
        accuracy(P, NAMES, groups=groups, class_names=["a", "b", "c"])


def test_an_image_without_a_group_stands_alone():
    for missing in (None, np.nan, ""):
        groups = [missing] * 30 + ["g"] * 30
        found = ek.evaluate(FRAME, NAMES, groups=groups, replicates=0)
        assert found.figure("n_groups").value == 31


FOLDS = Folds(np.array(IDS), np.array([f"g{k // 2}" for k in range(60)]),
              np.arange(60) // 2 % 3, 3)  # fmt: skip


def test_folds_find_the_rows_of_a_table_in_another_order():
    X = pd.DataFrame({"x": range(60)}, index=IDS).sample(frac=1, random_state=1)
    groups = [f"g{int(name[1:]) // 2}" for name in X.index]
    for train, test in FOLDS.split(X, groups=groups):
        assert not {groups[k] for k in train} & {groups[k] for k in test}
        assert len(train) + len(test) == 60


def test_groups_that_cross_the_folds_are_refused():
    with pytest.raises(SplitError, match="do not fit these folds"):
        next(FOLDS.split(np.zeros(60), groups=[f"g{k % 20}" for k in range(60)]))
