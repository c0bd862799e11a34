"""Curves drawn with matplotlib: axes in, axes out, and what is drawn is what was estimated."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

import ensemble_kit as ek


@pytest.fixture(scope="module")
def evaluation():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    logits = rng.normal(size=(300, 3)) + 2.0 * np.eye(3)[labels]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    frame = pd.DataFrame(p, columns=["bkl", "mel", "nv"])
    return ek.evaluate(frame, labels, groups=np.arange(300) // 3, replicates=100)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def test_axes_given_are_drawn_into_and_new_ones_are_made(evaluation):
    given = pyplot.subplots()[1]
    assert evaluation.plot_roc(ax=given) is given
    assert evaluation.plot_reliability(ax=given) is given
    for drawn in (evaluation.plot_roc(), evaluation.plot_reliability()):
        assert drawn is not given
        assert drawn.figure is not given.figure


def test_the_roc_curve_drawn_is_the_curve_estimated(evaluation):
    axes = evaluation.plot_roc("mel")
    x, y = axes.lines[0].get_data()
    curve = evaluation.curve("roc", "mel")
    np.testing.assert_array_equal(x, curve.x)
    np.testing.assert_array_equal(y, curve.y)
    e = evaluation.figure("roc_auc", "mel")
    assert axes.lines[0].get_label() == f"mel: AUC {e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"
    assert len(axes.collections) == 1, "one band"
    every = evaluation.plot_roc()
    assert len(every.lines) == 3 + 1
    assert len(every.collections) == 0


def test_bins_with_few_images_are_left_out(evaluation):
    axes = evaluation.plot_reliability("nv")
    curve = evaluation.curve("reliability", "nv")
    shown = curve.support >= 5
    assert 0 < shown.sum() < len(shown) or shown.all()
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), curve.x[shown])


def test_an_unknown_class_is_one_sentence_with_those_there_are(evaluation):
    with pytest.raises(ek.EnsembleKitError, match=r"no ROC curve of 'df'; .*bkl, mel, nv"):
        evaluation.plot_roc("df")
    with pytest.raises(ek.EnsembleKitError, match=r"no reliability curve of 'df'; .*top-1"):
        evaluation.plot_reliability("df")


def test_a_notebook_shows_headline_figures_with_intervals(evaluation):
    html = evaluation._repr_html_()
    e = evaluation.figure("roc_auc_ovr")
    assert f"<td>{e.value:.3f}</td><td>{e.low:.3f} to {e.high:.3f}</td>" in html
    assert "95% interval" in html
