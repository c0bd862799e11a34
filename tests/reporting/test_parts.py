"""Gallery, comparison, training, tuning, ensemble: each part against hand cases."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Predictions
from ensemble_kit.metrics.comparison import compare
from ensemble_kit.reporting.collect.comparison import unpaired
from ensemble_kit.reporting.collect.gallery import build_gallery, label_suspicion, shown_images
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.collect.thumbnails import make_thumbnail
from ensemble_kit.reporting.collect.training import flat
from ensemble_kit.reporting.figures.training import tuning_slice
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.reporting.page.tables import confusion_rows
from ensemble_kit.reporting.page.words import estimate, fixed, outside
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.comparison import FOLD_METRIC
from ensemble_kit.runs.explained import Overlay, write_overlays
from ensemble_kit.runs.folder import Run
from ensemble_kit.runs.folds import EpochRecord, FoldDone, write_history
from ensemble_kit.runs.manifest import record_files
from ensemble_kit.runs.paths import TUNING
from ensemble_kit.runs.search import Trial as SearchTrial
from ensemble_kit.runs.search import TuningRecord
from ensemble_kit.study import EvaluationSpec
from tests.reporting.conftest import MakeRun, folds_of, guesses, lesion_table


def test_suspicion_is_the_least_over_members() -> None:
    one, two = np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([[0.3, 0.7], [0.1, 0.9]])
    labels = np.array([0, 0])
    assert label_suspicion(labels, [one, two]) == pytest.approx([0.4, -0.6])


def test_gallery_kinds_are_what_they_say(plain_run: Run) -> None:
    source = ReportedRun(plain_run)
    pictures = build_gallery(source, 24).pictures
    assert {kind for p in pictures for kind in p.kinds} == {
        "error",
        "label",
        "uncertain",
        "correct",
    }
    for kind in ("error", "label", "uncertain", "correct"):
        groups = [p.group for p in pictures if kind in p.kinds]
        assert len(groups) == len(set(groups)), "one image of a group in each kind"
    for p in pictures:
        assert ("error" not in p.kinds) or p.truth != p.predicted
        assert ("correct" not in p.kinds) or p.truth == p.predicted
    cases = source.cases
    wrong = cases.predicted != cases.labels
    surest = cases.probabilities.max(axis=1)[wrong].max()
    assert max(pictures[0].probabilities) == pytest.approx(surest, abs=1e-4)


def test_photos_of_one_lesion_do_not_fill_the_gallery(make_run: MakeRun) -> None:
    table = lesion_table()
    p = guesses(table).probabilities.copy()
    largest = np.bincount(table.group_codes).argmax()
    rows = np.flatnonzero(table.group_codes == largest)
    assert len(rows) > 1
    p[rows] = 0.001
    p[rows, (table.labels[rows] + 1) % 4] = 0.997
    run = make_run("twins", table, Predictions(table.image_ids, table.class_names, p))
    pictures = build_gallery(ReportedRun(run), 24).pictures
    same = [x for x in pictures if x.group == str(table.groups[rows[0]]) and "error" in x.kinds]
    assert len(same) == 1


def test_no_images_wanted_means_none(plain_run: Run) -> None:
    assert build_gallery(ReportedRun(plain_run), 0).pictures == ()
    assert shown_images(ReportedRun(plain_run), 0) == ()


def test_the_images_to_explain_are_those_shown(plain_run: Run) -> None:
    source = ReportedRun(plain_run)
    shown = tuple(picture.image for picture in build_gallery(source, 24).pictures)
    assert shown_images(source, 24) == shown


def test_thumbnails_are_small_embedded_once_and_found_by_folder(
    make_run: MakeRun, tmp_path: Path
) -> None:
    table = lesion_table(n_groups=30)
    run = make_run("pictured", table)
    for place, name in enumerate(table.image_ids):
        Image.new("RGB", (300, 200), (place % 255, 90, 30)).save(tmp_path / f"{name}.jpg")
    view = build_report(run.folder, n_images=12, images_dir=tmp_path)
    assert not view.images.note
    first = view.images.pictures[0]
    with Image.open(io.BytesIO(base64.b64decode(first.thumbnail))) as image:
        assert image.size == (first.width, first.height) == (120, 80)
    page = render_page(view)
    assert page.count(f"base64,{first.thumbnail}") == 1
    assert 'id="report-data"' in page
    assert first.thumbnail not in page.split('id="report-data"')[1]


def test_absent_broken_and_outside_files_give_no_thumbnail(tmp_path: Path) -> None:
    inside = tmp_path / "data"
    inside.mkdir()
    Image.new("RGB", (50, 50)).save(tmp_path / "secret.png")
    Image.new("RGB", (400, 400)).save(inside / "cut.jpg")
    (inside / "cut.jpg").write_bytes((inside / "cut.jpg").read_bytes()[:300])
    (inside / "no.jpg").write_text("not an image")
    for path in ("missing.jpg", "../secret.png", "cut.jpg", "no.jpg"):
        assert make_thumbnail(str(inside), path) is None
    assert make_thumbnail(str(tmp_path), "secret.png") is not None


def test_absent_images_are_said(plain_run: Run) -> None:
    view = build_report(plain_run.folder)
    assert "not at hand" in view.images.note


def test_overlays_are_read_and_strays_left_out(make_run: MakeRun, tmp_path: Path) -> None:
    table = lesion_table(n_groups=30)
    run = make_run("explained", table)
    for name in table.image_ids:
        Image.new("RGB", (40, 40)).save(tmp_path / f"{name}.png")
    folder = run.folder / "explain"
    folder.mkdir()
    Image.new("RGB", (40, 40), "red").save(folder / "heat.png")
    entries = [
        Overlay(
            image=str(name), fold=0, class_name="mel", predicted="mel", true="nv", model="",
            file="heat.png" if name != table.image_ids[-1] else "../oof.csv",
        )
        for name in table.image_ids
    ]  # fmt: skip
    write_overlays(run.folder, entries)
    view = build_report(run.folder, images_dir=tmp_path)
    shown = [p for p in view.images.pictures if p.heatmap]
    assert shown
    assert all(p.heatmap_class == "mel" for p in shown)
    assert all(p.image != str(table.image_ids[-1]) for p in shown)
    (folder / "index.json").write_text("[]")
    with pytest.raises(RunError, match="explain"):
        build_report(run.folder)


def test_unpaired_difference_is_zou_and_donner_s() -> None:
    here = Number(value=0.8, low=0.7, high=0.85, n_groups=10)
    there = Number(value=0.6, low=0.52, high=0.7, n_groups=20)
    found = unpaired(here, there)
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - np.hypot(0.1, 0.1), rel=1e-5)
    assert found.high == pytest.approx(0.2 + np.hypot(0.08, 0.05), rel=1e-5)
    assert unpaired(here, Number(value=None, note="too few")).value is None
    assert unpaired(here, Number(value=0.5)).low is None


def test_comparison_is_this_minus_other_and_antisymmetric(make_run: MakeRun) -> None:
    table = lesion_table()
    weak = make_run("weak", table, guesses(table, 0.5, seed=5))
    strong = make_run("strong", table, guesses(table, 3.0, seed=6))
    forth = build_report(weak.folder, compare=[strong.folder]).compared[0]
    back = build_report(strong.folder, compare=[weak.folder]).compared[0]
    loss = next(d for d in forth.differences if d.metric == "roc_auc_ovr")
    gain = next(d for d in back.differences if d.metric == "roc_auc_ovr")
    assert gain.difference.low > 0
    assert gain.difference.value == pytest.approx(-loss.difference.value, rel=1e-5)
    assert gain.this.value - gain.other.value == pytest.approx(gain.difference.value, abs=1e-5)
    assert gain.p_holm >= gain.p_value
    assert (forth.only_this_right, forth.only_other_right) == (
        back.only_other_right,
        back.only_this_right,
    )
    same = build_report(weak.folder, compare=[weak.folder]).compared[0]
    assert all(d.difference.value in (0, None) for d in same.differences)


def test_a_report_and_evaluate_say_the_same_of_a_pair(make_run: MakeRun) -> None:
    table, folds = lesion_table(), folds_of(lesion_table())
    named = [(n, guesses(table, s, seed=k)) for n, s, k in (("ann", 0.8, 5), ("bob", 1.2, 6))]
    runs = [make_run(name, table, predictions) for name, predictions in named]
    report = build_report(runs[0].folder, compare=[runs[1].folder])
    found = report.compared[0].differences
    spec = EvaluationSpec(malignant=("mel", "akiec"), replicates=200)
    expected = compare(table, folds, named, spec, seed=0)
    assert len(found) == len(expected.differences) == expected.family == 7 + 4 + 1
    for ours, theirs in zip(found, expected.differences, strict=True):
        assert (ours.metric, ours.class_name) == (theirs.metric, theirs.class_name)
        assert ours.difference.value == pytest.approx(theirs.estimate.value, abs=1e-6)
        assert ours.p_holm == pytest.approx(theirs.adjusted, abs=1e-6)
    over_folds = expected.tests[0].over_folds[FOLD_METRIC]
    assert report.compared[0].folds_p == pytest.approx(over_folds.p_value, rel=1e-4)
    page = render_page(report)
    caption = re.search(r"<caption>(Differences .*?)</caption>", page).group(1)
    assert re.sub("<.*?>", "", caption).startswith("Differences ann − bob with intervals")
    assert "over all 12 differences" in caption
    said = re.search(r"Corrected resampled t-test of (.*?) over the folds", page).group(1)
    assert re.sub("<.*?>", "", said) == "macro AUC"


def test_runs_that_cannot_be_compared_are_refused(make_run: MakeRun, plain_run: Run) -> None:
    other = lesion_table(names=("a", "b", "c", "d"))
    with pytest.raises(RunError, match="same classes"):
        build_report(plain_run.folder, compare=[make_run("letters", other).folder])
    table = lesion_table(seed=4)
    renamed = replace(table, image_ids=np.char.add("z", table.image_ids))
    away = make_run("away", renamed)
    with pytest.raises(RunError, match="no image in common"):
        build_report(plain_run.folder, compare=[away.folder])
    view = build_report(plain_run.folder, external=away.folder)
    assert view.external.name == "away"
    assert all("not external" not in alert.title for alert in view.alerts)
    page = render_page(view)
    assert "On other data" in page


def test_an_external_set_that_is_not_is_said(make_run: MakeRun, plain_run: Run) -> None:
    again = make_run("again")
    alerts = build_report(plain_run.folder, external=again.folder).alerts
    assert alerts[0].title == "The external set is not external"


HISTORY = (
    EpochRecord("head", 1, 1.2, 1.3, 0.6, 0.55, 0.001, 2.0, 100),
    EpochRecord("head", 2, 1.0, None, None, None, 0.001, 2.5, 120),
    EpochRecord("fine_tune", 3, 0.8, 0.9, 0.8, 0.7, 0.0001, 10, 30),
)


def test_training_and_tuning_are_read_and_drawn(make_run: MakeRun) -> None:
    run = make_run("trained")
    for fold in range(3):
        write_history(run.folder / f"fold_{fold}", HISTORY)
    FoldDone(
        digest="", repeat=0, fold=0, epochs={}, seconds={}, images_per_second={},
        peak_memory=1_500_000_000, device={"threads": "1"}, files={},
    ).write(run.folder / "fold_0")  # fmt: skip
    trials = tuple(
        SearchTrial(
            number=i, state="COMPLETE" if i != 2 else "PRUNED", value=1.0 - 0.1 * i, seconds=3,
            params={"dropout": 0.1 * i, "base": "xception", "fine_tune_lr": 10.0 ** (-2 - i)},
        )
        for i in range(4)
    )  # fmt: skip
    space = {"fine_tune_lr": {"low": 1e-5, "high": 0.01, "step": 0.0, "log": True}}
    TuningRecord(
        name="searched", metric="log_loss", direction="minimize", sampler="tpe", pruner="none",
        space=space, trials=trials, best=3, front=(3,), importance={"dropout": 0.9, "base": 0.1},
        optimism=None, nested=None, note="",
    ).write(run.folder)  # fmt: skip
    record_files(run.folder, [TUNING])
    view = build_report(run.folder)
    fold = view.training.folds[0]
    assert fold.series["val_loss"] == (1.3, None, 0.9)
    assert (fold.seconds, fold.images_per_second, fold.peak_memory_mb) == (14.5, 30, 1500)
    page = render_page(view)
    for drawn in ("training-loss", "training-auc", "tuning-history", "tuning-slice-1"):
        assert f'id="{drawn}"' in page
    assert view.tuning is not None
    assert view.tuning.logarithmic == ("fine_tune_lr",)
    drawn = tuning_slice(view.tuning, "fine_tune_lr")
    assert "fine_tune_lr, log scale" in drawn
    across = sorted(float(x) for x in re.findall(r'<circle[^>]* cx="([0-9.]+)"', drawn))
    steps = np.diff(across)
    assert np.allclose(steps, steps[0], atol=0.2), "powers of ten are equally far apart"
    assert "log scale" not in tuning_slice(view.tuning, "dropout")
    (run.folder / "tuning.json").write_text("{}")
    record_files(run.folder, [TUNING])
    with pytest.raises(RunError, match="tune"):
        build_report(run.folder)


def test_facts_are_flattened_without_paths() -> None:
    facts = flat({"a": {"b": 1.23456789, "c": [1, 2]}, "d": "/home/someone/data", "e": None})
    assert facts == {"a.b": 1.23457, "a.c": "[1, 2]", "d": "data", "e": None}


def test_confusion_percentages_sum_to_100_by_row_and_column() -> None:
    counts = ((8, 2, 0), (1, 3, 0), (0, 0, 0))
    rows = confusion_rows(counts, "row")
    assert [text for text, _ in rows[0]] == ["80.0", "20.0", "0.0"]
    assert [text for text, _ in rows[2]] == ["–", "–", "–"]
    columns = confusion_rows(counts, "column")
    assert [row[0][0] for row in columns] == ["88.9", "11.1", "0.0"]
    assert columns[0][2][0] == "–"
    assert confusion_rows(counts, "count")[0][0] == ("8", 8)


def test_differences_have_signs() -> None:
    number = Number(value=0.02, low=-0.1, high=0.14)
    assert "+0.020" in estimate(number, 3, "+")
    assert "−0.100 to +0.140" in estimate(number, 3, "+")
    assert "+0.010 to +0.140" in estimate(Number(value=0.02, low=0.01, high=0.14), 3, "+")
    assert fixed(-0.0001, 3, "+") == "0.000"
    assert "+" not in estimate(number)


def test_a_value_outside_its_interval_is_marked_with_the_reason() -> None:
    """Beside the figure, and in the headline of a page."""
    inside = Number(value=0.5, low=0.4, high=0.6)
    above = Number(value=0.7, low=0.4, high=0.6, note="chance alone adds to it")
    assert outside(inside) == ""
    assert outside(above) == (
        '<abbr title="the value lies outside its interval; chance alone adds to it">*</abbr>'
    )
    assert estimate(above).endswith("*</abbr>")
    without = Number(value=0.7, note="no interval: <few> groups")
    assert 'title="no interval: &lt;few&gt; groups"' in estimate(without)
