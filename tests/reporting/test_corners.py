"""Runs of unusual shape still get a whole page."""

from dataclasses import replace

import numpy as np

from ensemble_kit.core.records import ImageTable, Predictions
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.study import EvaluationSpec
from tests.reporting.conftest import MakeRun, folds_of, guesses, lesion_table


def _binary(names: tuple[str, ...] = ("benign", "mel")) -> tuple[ImageTable, Predictions]:
    table = lesion_table(names=names * 2)
    two = replace(table, labels=np.asarray(table.labels) % 2, class_names=names)
    return two, guesses(two)


def test_two_classes(make_run: MakeRun) -> None:
    table, predictions = _binary()
    page = render_page(build_report(make_run("binary", table, predictions).folder))
    assert 'id="roc-1"' in page


def test_no_malignant_class(make_run: MakeRun) -> None:
    table, predictions = _binary(("cat", "dog"))
    view = build_report(make_run("pets", table, predictions).folder)
    assert view.performance.malignant is None
    assert "Name them and evaluate again" in render_page(view)


def test_a_class_without_images_is_not_estimable(make_run: MakeRun) -> None:
    table = lesion_table()
    kept = table.take(table.labels != 3)
    view = build_report(make_run("absent", kept, guesses(kept)).folder)
    assert view.performance.classes[3].figures["recall"].value is None
    assert "vasc" not in [target.name for target in view.explorer.targets]
    page = render_page(view)
    assert "not estimable" in page
    assert ">nan" not in page.lower()


def test_few_images_and_no_replicates(make_run: MakeRun) -> None:
    table = lesion_table(n_groups=12)
    spec = EvaluationSpec(malignant=("mel",), replicates=0)
    view = build_report(make_run("tiny", table, evaluation=spec).folder)
    assert all(number.low is None for number in view.headline.values())
    assert render_page(view)


def test_sure_and_right_about_everything(make_run: MakeRun) -> None:
    table = lesion_table()
    p = np.eye(4)[table.labels]
    run = make_run("perfect", table, Predictions(table.image_ids, table.class_names, p))
    view = build_report(run.folder)
    assert not any("error" in picture.kinds for picture in view.images.pictures)
    assert "It makes no error on these images" in render_page(view)


def test_many_classes(make_run: MakeRun) -> None:
    table, n_classes = lesion_table(n_groups=200), 15
    labels = table.group_codes % n_classes
    names = tuple(f"class {k}" for k in range(n_classes))
    many = replace(table, labels=labels, class_names=names)
    page = render_page(build_report(make_run("many", many, guesses(many), folds_of(many)).folder))
    assert page.count('<figure id="roc-') == n_classes + 2
