"""Near-duplicates: planted copies come first, within groups none, plain crowds do not crowd out."""

import numpy as np
import pytest

from ensemble_kit.posthoc.near_duplicates import near_duplicates
from ensemble_kit.runs.features import unit_rows


def cloud(n: int, seed: int, width: int = 32):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def test_planted_copies_across_groups_come_first_and_those_within_do_not_come() -> None:
    x = cloud(1200, 0)
    x[700] = x[3] + 0.1 * cloud(1, 9)[0]
    x[600] = x[5]
    x[1199] = x[0]
    groups = np.arange(1200)
    groups[600] = groups[5]
    found = near_duplicates(unit_rows(x), groups, 5)
    assert {tuple(row) for row in found.rows[:2].tolist()} == {(3, 700), (0, 1199)}
    assert (5, 600) not in {tuple(row) for row in found.rows.tolist()}
    assert (np.diff(found.likeness) <= 0).all()
    assert found.cosine[0] == pytest.approx(1, abs=0.01)
    assert len(found.rows) == 5
    assert len({tuple(row) for row in found.rows.tolist()}) == 5


def test_a_turned_copy_is_found_by_its_view_alone() -> None:
    x, y = cloud(300, 1), cloud(300, 2)
    y[40] = x[200]  # image 40, once turned, looks like image 200
    plain = near_duplicates(unit_rows(x), np.arange(300), 3)
    turned = near_duplicates(unit_rows(x), np.arange(300), 3, turned=(unit_rows(y),))
    assert (40, 200) not in {tuple(row) for row in plain.rows.tolist()}
    assert turned.rows[0].tolist() == [40, 200]


def test_a_crowd_of_plain_images_does_not_fill_the_list() -> None:
    x = cloud(400, 3)
    x[:200] = cloud(1, 4)[0] * 3 + 0.6 * x[:200]  # all alike
    x[399] = x[300] + 0.5 * cloud(1, 5)[0]
    found = near_duplicates(unit_rows(x), np.arange(400), 5)
    assert found.rows[0].tolist() == [300, 399]
    crowd = unit_rows(x[:200])
    assert (np.triu(crowd @ crowd.T, 1) > found.cosine[0]).sum() > 100  # by cosine it would be lost


@pytest.mark.parametrize("n", [2, 3, 11])
def test_few_images(n: int) -> None:
    found = near_duplicates(unit_rows(cloud(n, 6)), np.arange(n), 100)
    assert len(found.rows) == n * (n - 1) // 2
    one_group = near_duplicates(unit_rows(cloud(n, 6)), np.zeros(n), 100)
    assert len(one_group.rows) == 0
