"""Novelty percentiles, disagreement and drift by hand."""

import numpy as np
import pytest

from ensemble_kit.posthoc.drift import classifier_two_sample, metadata_drift
from ensemble_kit.posthoc.novelty import fit_novelty
from ensemble_kit.posthoc.spread import mutual_information
from ensemble_kit.runs.features import unit_rows


def cloud(n, seed, shift=0.0):
    random = np.random.default_rng(seed)
    return unit_rows(random.normal(0, 0.2, (n, 20)) + np.r_[1.0 - shift, shift, np.zeros(18)])


def test_new_images_of_the_same_kind_have_uniform_percentiles():
    novelty = fit_novelty(cloud(600, 0), np.arange(600))
    found = novelty.percentile(cloud(600, 1))
    assert 44 < found.mean() < 56
    assert 0.05 < (found > 90).mean() < 0.15
    assert (novelty.percentile(cloud(20, 2, shift=1.0)) > 99).all()


def test_photos_of_one_group_are_not_compared_with_each_other():
    one = cloud(50, 0)
    doubled = np.repeat(one, 2, axis=0)
    apart = fit_novelty(doubled, np.repeat(np.arange(50), 2))
    alone = fit_novelty(doubled, np.arange(100))
    assert np.median(apart.ordinary) > np.median(alone.ordinary)
    row, gap = apart.nearest(one[:3])
    assert (gap < 1e-3).all()
    assert (row // 2 == np.arange(3)).all()


def test_models_that_agree_have_no_spread_and_certain_opposites_ln_2():
    same = np.tile(np.array([[0.2, 0.8]]), (3, 1, 1))
    assert np.allclose(mutual_information(same), 0)
    opposite = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert np.allclose(mutual_information(opposite), np.log(2))


def test_two_samples_are_told_apart_only_where_they_differ():
    groups = np.repeat(np.arange(150), 2)
    here, there = cloud(300, 0), cloud(300, 1)
    alike = classifier_two_sample(here, there, groups, groups)
    assert 0.4 < alike.auc < 0.6
    assert alike.p_value > 0.02
    apart = classifier_two_sample(here, cloud(300, 1, shift=0.4), groups, groups)
    assert apart.auc > 0.9
    assert apart.p_value == 1 / 200


def test_whole_groups_are_permuted():
    """Ten groups of forty equal photos: five a side prove nothing, whatever the photos say."""
    random = np.random.default_rng(0)
    centres = unit_rows(random.normal(0, 1, (6, 20)))
    x = np.repeat(centres, 40, axis=0) + random.normal(0, 1e-3, (240, 20)).astype(np.float32)
    codes = np.repeat(np.arange(6), 40)
    found = classifier_two_sample(x[:120], x[120:], codes[:120], codes[120:])
    assert found.p_value > 0.03


def test_metadata_distances():
    here = {"sex": np.array(["m"] * 50 + ["f"] * 50), "age": np.array([str(a) for a in range(100)])}
    there = {
        "sex": np.array(["m"] * 100),
        "age": np.array([str(a + 50) for a in range(100)]),
        "other": np.array(["x"] * 100),
    }
    codes = np.arange(100)
    rows = {row.column: row for row in metadata_drift(here, there, codes, codes)}
    assert set(rows) == {"sex", "age"}
    assert rows["sex"].distance == pytest.approx(0.5)
    assert rows["age"].distance == pytest.approx(0.5)
    assert rows["age"].measure.startswith("Kolmogorov")
    assert rows["sex"].p_value == 1 / 200
