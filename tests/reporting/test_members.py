"""Members of an ensemble as the page ranks by them: files and repeats too, all or none."""

from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.reporting.collect.ensemble import member_probabilities
from ensemble_kit.reporting.collect.member_table import how_made
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.reporting.view.report import Report
from ensemble_kit.runs.folder import read_run, write_study
from ensemble_kit.runs.manifest import Manifest, write_manifest
from ensemble_kit.study import EvaluationSpec, StudySpec
from ensemble_kit.workflows.ensemble import EnsembleSettings, ensemble
from tests.cli.test_ensemble import ROWS, frame


def test_members_that_are_files_count_and_none_counts_where_one_is_gone(tmp_path: Path) -> None:
    paths = [tmp_path / f"model_{m}.csv" for m in range(3)]
    for m, path in enumerate(paths):
        table = frame(m)
        if m == 1:  # another order of classes and rows
            table = table[["image", "c", "b", "a", "dx", "fold", "lesion_id"]].iloc[::-1]
        table.to_csv(path, index=False)
    done = ensemble(
        paths, settings=EnsembleSettings("mean", "none"), runs_dir=tmp_path / "runs",
        evaluation=EvaluationSpec(replicates=0, malignant=()),
    )  # fmt: skip
    source = ReportedRun(read_run(done.run.folder))
    found = member_probabilities(source)
    assert np.stack(found).shape == ROWS.members.shape
    assert np.allclose(np.stack(found), ROWS.members, atol=1e-12)
    paths[2].unlink()
    assert member_probabilities(source) == []


def test_the_page_sets_members_side_by_side_by_what_made_them(tmp_path: Path) -> None:
    """A run tells its backbone, size, depth and seconds; a file tells nothing."""
    frame(0).to_csv(tmp_path / "elsewhere.csv", index=False)
    run = tmp_path / "runs" / "net"
    write_study(run, StudySpec(model={"backbone": "compact", "image_size": 64}))
    seconds = [{"seconds": {"all": 2.5}}, {"seconds": {"all": 4.0}}]
    write_manifest(run, Manifest(kind="cv", name="net", facts={"folds": seconds}))
    made = how_made("net", str(run))
    assert made.sees == "images: compact, imagenet weights"
    assert (made.image_size, made.depth, made.seconds) == (64, 2, 6.5)
    probe = how_made("net:probe", str(run / "probe.csv"))
    assert (probe.depth, probe.seconds) == (0, None)
    assert how_made("gone", str(tmp_path / "gone")).sees == "its run is not where it was"
    done = ensemble(
        [tmp_path / "elsewhere.csv"], settings=EnsembleSettings("mean", "none"),
        runs_dir=tmp_path / "runs", evaluation=EvaluationSpec(replicates=40, malignant=()),
    )  # fmt: skip
    view = build_report(done.run.folder)
    assert view.ensemble is not None
    member = view.ensemble.members[0]
    assert member.made.sees == "predictions of a file"
    assert member.minus["log_loss"].value == 0
    assert "its spread is unknown" in member.minus["log_loss"].note
    page = render_page(view)
    assert 'id="made-table"' in page
    assert "predictions of a file" in page
    assert Report.model_validate_json(view.model_dump_json()) == view


def test_a_table_member_says_what_it_sees(tmp_path: Path) -> None:
    run = tmp_path / "meta"
    write_study(run, StudySpec(model={"inputs": "features", "metadata": ["age", "sex"]}))
    write_manifest(run, Manifest(kind="cv", name="meta", facts={"n_features": 1280}))
    assert how_made("meta", str(run)).sees == "1,280 features and age, sex"


def test_an_ensemble_names_the_settings_of_its_figures_and_what_came_before(tmp_path: Path) -> None:
    """It trains nothing, so no setting of training is stated; every calibration measure of the
    mean of its members stands beside that of the ensemble."""
    paths = [tmp_path / f"model_{m}.csv" for m in range(2)]
    for m, path in enumerate(paths):
        frame(m).to_csv(path, index=False)
    done = ensemble(
        paths, settings=EnsembleSettings("mean", "temperature"), runs_dir=tmp_path / "runs",
        evaluation=EvaluationSpec(replicates=40, malignant=()),
    )  # fmt: skip
    view = build_report(done.run.folder)
    assert view.provenance.study.startswith("[evaluation]")
    assert "image_size" not in view.provenance.study
    mean = np.mean([frame(m)[["a", "b", "c"]].to_numpy() for m in range(2)], axis=0)
    labels = frame(0)["dx"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    loss = -np.log(mean[np.arange(len(labels)), labels]).mean()
    before = {m.metric: m.before for m in view.calibration.measures if not m.class_name}
    assert len(before) > 3
    none = {metric for metric, number in before.items() if number is None}
    assert all(metric.endswith(("_p", "_if_calibrated")) for metric in none), none
    assert before["log_loss"].value == pytest.approx(loss, abs=1e-5)
