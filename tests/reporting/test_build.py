"""From run to view: the same run, the same bytes; the view says what the run says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Folds
from ensemble_kit.metrics.cases import make_cases
from ensemble_kit.reporting.collect.explorer import build_explorer, threshold_grid
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.page.page import SECTIONS, render_page
from ensemble_kit.reporting.page.tables import cost_table, history_table
from ensemble_kit.reporting.storage import read_report, write_report
from ensemble_kit.reporting.view.training import FoldHistory
from ensemble_kit.runs.folder import Run
from ensemble_kit.runs.manifest import read_manifest, write_manifest
from tests.reporting.conftest import MakeRun, folds_of, guesses, lesion_table


def test_the_view_survives_its_file_and_the_page_is_rebuilt_from_it(
    plain_run: Run, tmp_path: Path
) -> None:
    view = build_report(plain_run.folder)
    write_report(tmp_path / "report.json", view)
    again = read_report(tmp_path / "report.json")
    assert again == view
    assert render_page(again) == render_page(view) == render_page(build_report(plain_run.folder))


def test_the_page_has_every_section_and_no_outside_address(plain_run: Run) -> None:
    page = render_page(build_report(plain_run.folder))
    for name, _ in SECTIONS:
        assert f'<section id="{name}">' in page
    for outside in ("http://", "https://", "//cdn", "@import", "url("):
        assert outside not in page.replace("http://www.w3.org/2000/svg", "the namespace")
    assert len(page) < 1_500_000


def test_figures_are_those_of_the_run(plain_run: Run) -> None:
    view, source = build_report(plain_run.folder), ReportedRun(plain_run)
    for metric, number in view.headline.items():
        recorded = source.evaluation.figure(metric)
        assert number.value == pytest.approx(recorded.value, rel=1e-5)
        assert number.low == pytest.approx(recorded.low, rel=1e-5)
    confusion = np.array(view.performance.confusion)
    right = plain_run.predictions.probabilities.argmax(axis=1) == plain_run.table.labels
    assert np.trace(confusion) == right.sum()
    assert confusion.sum() == len(plain_run.table)


def test_without_metrics_the_figures_are_computed(make_run: MakeRun) -> None:
    run = make_run("bare")
    before = build_report(run.folder)
    (run.folder / "metrics.csv").unlink()
    assert build_report(run.folder).headline == before.headline


def test_explorer_counts_equal_a_loop_at_every_threshold(plain_run: Run) -> None:
    explorer = build_explorer(ReportedRun(plain_run))
    cases = make_cases(plain_run.table, plain_run.predictions, ("mel", "akiec"))
    assert [t.name for t in explorer.targets] == ["malignant", *plain_run.table.class_names]
    for code, target in enumerate(explorer.targets):
        if target.kind == "malignant":
            scores = cases.probabilities[:, cases.malignant].sum(axis=1)
            truth = cases.malignant[cases.labels]
        else:
            scores, truth = cases.probabilities[:, code - 1], cases.labels == code - 1
        for place in range(0, len(explorer.thresholds), 7):
            called = scores >= explorer.thresholds[place]
            assert sum(target.positive[place:]) == (called & truth).sum()
            assert sum(target.negative[place:]) == (called & ~truth).sum()


def test_marked_points_keep_their_rules(plain_run: Run) -> None:
    grid = threshold_grid()
    for target in build_explorer(ReportedRun(plain_run)).targets:
        hits = np.cumsum(target.positive[::-1])[::-1] / sum(target.positive)
        quiet = 1 - np.cumsum(target.negative[::-1])[::-1] / sum(target.negative)
        marks = {point.name: point for point in target.points}
        for share in (90, 95):
            point = marks[f"sens ≥ {share} %"]
            place = int(np.flatnonzero(grid == point.threshold)[0])
            assert hits[place] >= share / 100 > hits[place + 1]
        place = int(np.flatnonzero(grid == marks["Youden"].threshold)[0])
        assert hits[place] + quiet[place] == pytest.approx((hits + quiet).max())
        for point in target.points:
            number = point.sensitivity
            assert number.low is None or number.low <= number.value <= number.high


def test_interval_of_ppv_follows_from_the_likelihood_ratio(plain_run: Run) -> None:
    """PPV is monotone in LR+, so its percentile interval is that of LR+, transformed."""
    source = ReportedRun(plain_run)
    target = build_explorer(source).targets[0]
    point = next(p for p in target.points if p.name == "0.5")
    cases, prevalence = source.cases, 0.1
    scores = cases.probabilities[:, cases.malignant].sum(axis=1)
    truth, called = cases.malignant[cases.labels], scores >= 0.5
    values = []
    for weights in source.draws.blocks():
        for w in weights.T[:, cases.groups]:
            sens, fall = (
                w[truth & called].sum() / w[truth].sum(),
                w[~truth & called].sum() / (w[~truth].sum()),
            )
            values.append(sens * prevalence / (sens * prevalence + fall * (1 - prevalence)))
    tail = (1 - source.spec.level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    for ratio, bound in zip(point.odds_positive, (low, high), strict=True):
        assert ratio is not None
        found = ratio * prevalence / (ratio * prevalence + 1 - prevalence)
        assert found == pytest.approx(bound, rel=1e-4)


def test_a_leak_comes_first_among_the_warnings(make_run: MakeRun) -> None:
    table = lesion_table()
    view = build_report(make_run("leaky", table, folds=folds_of(table, leak=True)).folder)
    assert view.alerts[0].severity == "danger"
    assert str(view.data.crossing_groups) in view.alerts[0].text
    assert "more than one" in render_page(view)


def test_a_sound_run_has_no_leak_warning(plain_run: Run) -> None:
    view = build_report(plain_run.folder)
    assert view.data.crossing_groups == 0
    assert all(alert.severity != "danger" for alert in view.alerts)


def test_folds_are_numbered_like_the_folders(plain_run: Run) -> None:
    view = build_report(plain_run.folder)
    assert [f.name for f in view.performance.folds] == ["fold 0", "fold 1", "fold 2"]
    assert {p.fold for p in view.images.pictures} == {0, 1, 2}
    page = re.sub(r"<script.*?</script>", "", render_page(view), flags=re.S)
    assert set(re.findall(r"\bfold (\d)", page)) == {"0", "1", "2"}
    numbers = {p.image: p.fold for p in view.images.pictures}
    shown = re.findall(r'<p class="id"><bdi>(.*?)</bdi>.*?, fold (\d)</p>', page)
    assert {image: int(fold) for image, fold in shown} == numbers
    history = FoldHistory(fold=0, phases=("head",), series={"loss": (1.0,)})
    assert history_table([history]).rows[0][0] == cost_table([history]).rows[0][0] == 0


def test_warnings_for_no_folds_tuned_data_and_tiny_classes(make_run: MakeRun) -> None:
    table = lesion_table()
    one = Folds(table.image_ids, table.groups, np.zeros(len(table), dtype=np.int64), 1)
    view = build_report(make_run("foldless", table, folds=one, tuned_on=table.digest).folder)
    titles = [alert.title for alert in view.alerts]
    assert "No folds are known" in titles
    assert "Judged on the data that tuned it" in titles
    assert "Tiny classes" in titles
    assert "Accuracy no better than the commonest class" not in titles


def test_no_skill_and_miscalibration_are_said(make_run: MakeRun) -> None:
    table = lesion_table()
    sure = guesses(table, skill=0.0)
    p = sure.probabilities**8 / (sure.probabilities**8).sum(axis=1, keepdims=True)
    run = make_run("sure", table, type(sure)(sure.image_ids, sure.class_names, p))
    titles = [alert.title for alert in build_report(run.folder).alerts]
    assert "Accuracy no better than the commonest class" in titles
    assert "Miscalibrated" in titles


def test_recorded_warnings_are_repeated(make_run: MakeRun) -> None:
    run = make_run("warned")
    manifest = read_manifest(run.folder)
    write_manifest(run.folder, manifest.with_(warnings=("the lamp was off",)))
    assert "the lamp was off" in [alert.text for alert in build_report(run.folder).alerts]


def test_every_item_of_both_checklists_is_answered_or_open(plain_run: Run) -> None:
    items = build_report(plain_run.folder).provenance.checklist
    assert [sum(i.guideline == g for i in items) for g in ("TRIPOD+AI", "CLAIM 2024")] == [52, 44]
    assert all(item.answer and item.filled in ("recorded", "partly", "open") for item in items)
    state = {(i.guideline, i.item): i.filled for i in items}
    assert state["CLAIM 2024", "20"] == "recorded", "folds are disjoint by group"
    assert state["CLAIM 2024", "44"] == "open", "nobody but the authors knows the funding"


def test_a_foreign_version_or_damaged_report_is_refused(tmp_path: Path, plain_run: Run) -> None:
    path = tmp_path / "report.json"
    write_report(path, build_report(plain_run.folder))
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"report_version": 99}))
    with pytest.raises(RunError, match="version 99"):
        read_report(path)
    path.write_text(json.dumps({k: v for k, v in values.items() if k != "data"}))
    with pytest.raises(RunError, match="data"):
        read_report(path)
    path.write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        read_report(path)


def test_hostile_names_are_inert_in_the_page(hostile_run: Run) -> None:
    page = render_page(build_report(hostile_run.folder))
    body = page.split('id="report-data"')[0]
    assert "<script>window" not in page
    assert "<img src=x" not in page
    assert "<b onclick" not in page
    assert body.count("<script") == 1, "the element that holds the data, and no other"
    assert "&lt;script&gt;window.pwned" in body


@pytest.mark.parametrize(
    ("called", "program"),
    [("/opt/checkout/cli.py", "python cli.py"), ("/usr/bin/ensemble-kit", "ensemble-kit")],
)
def test_hints_name_the_commands_as_they_are_called_here(
    plain_run: Run, monkeypatch: pytest.MonkeyPatch, called: str, program: str
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    page = render_page(build_report(plain_run.folder))
    assert f"<code>{program} ensemble " in page
    assert set(re.findall(r"python cli\.py(?= )|ensemble-kit(?= [a-z]+)", page)) == {program}


def test_the_explorer_and_the_tables_give_one_interval(plain_run: Run) -> None:
    source = ReportedRun(plain_run)
    target = build_explorer(source).targets[0]
    point = next(point for point in target.points if point.name == "0.5")
    table = source.rows.figures(source.cases.view_name)
    for number, metric in ((point.sensitivity, "recall"), (point.specificity, "specificity")):
        other = table[metric]
        assert number.method == other.method
        assert number.value == pytest.approx(other.value, abs=1e-5)
        assert number.low == pytest.approx(other.low, abs=1e-5)
        assert number.high == pytest.approx(other.high, abs=1e-5)
