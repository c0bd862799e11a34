"""`cv --fractions --leak-audit --repeats`, as a user gives it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.runs.variants import VariantsRecord
from tests.training.conftest import write_squares

WORDS = [
    "--data", "data", "--backbone", "compact", "--weights", "none", "--image-size", "48",
    "--folds", "3", "--repeats", "2", "--head", "probe", "--unfreeze-depth", "0", "--views", "1",
    "--early-stopping", "none", "--run", "v", "-q",
]  # fmt: skip


@pytest.mark.slow
def test_a_learning_curve_a_leak_audit_and_corrected_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_squares(tmp_path / "data", lesions=8, photos=2)
    words = ["cv", *WORDS, "--fractions", "0.5,1", "--leak-audit"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "learning curve" in done.stdout
    assert "leak audit" in done.stdout
    assert "training counted" in done.stdout
    found = VariantsRecord.read(tmp_path / "runs" / "v")
    half, whole = found.fractions()
    assert (half.share, whole.share) == (0.5, 1.0)
    assert half.n_groups == pytest.approx(whole.n_groups / 2)
    assert whole.minus_run == {}
    assert set(half.minus_run) == {"roc_auc_ovr", "balanced_accuracy", "accuracy", "log_loss"}
    leak = found.leak()
    assert leak is not None
    assert leak.n_images == pytest.approx(whole.n_images)
    assert leak.n_groups > whole.n_groups  # lesions of held-out images are trained on
    manifest = read_manifest(tmp_path / "runs" / "v")
    assert "against_probe" not in manifest.facts  # a solved head alone is its own probe
    corrected = manifest.facts["corrected"]["log_loss"]
    assert 0 <= corrected["low"] <= corrected["value"] <= corrected["high"]
    perfect = manifest.facts["corrected"]["accuracy"]
    assert (perfect["value"], perfect["low"], perfect["high"]) == (1, None, None)
    assert "all folds score the same" in perfect["note"]
    titles = {part.title for part in build_report(tmp_path / "runs" / "v").supplements}
    assert {"Learning curve", "Leak audit", "Intervals that count training"} <= titles
    assert "How many groups a study of a wanted precision needs" in titles
    again = CliRunner().invoke(app, words, catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert VariantsRecord.read(tmp_path / "runs" / "v") == found
