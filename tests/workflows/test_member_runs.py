"""Several backbones at once: a run each on the same folds, then their ensemble."""

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import StudyError
from ensemble_kit.study import StudySpec
from ensemble_kit.workflows.member_runs import member_studies
from tests.training.conftest import write_squares


@pytest.mark.slow
def test_each_backbone_has_a_run_on_the_same_folds_and_an_ensemble_ends_it(tmp_path, monkeypatch):
    pytest.importorskip("keras")
    write_squares(tmp_path / "data", lesions=6, photos=1)
    monkeypatch.chdir(tmp_path)
    words = ["cv", "--data", "data", "--backbone", "compact", "--backbone", "mobilenetv2",
             "--folds", "2", "--image-size", "32", "--unfreeze-depth", "0", "--views", "1",
             "--run", "both", "--weights", "none",
             "--set", "evaluation.replicates=20", "-q"]  # fmt: skip
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    runs = {path.name for path in (tmp_path / "runs").iterdir() if not path.name.startswith(".")}
    members = runs - {"both"}
    assert "both" in runs
    assert len(members) == 2
    first, second = (
        (tmp_path / "runs" / name / "folds.csv").read_text() for name in sorted(members)
    )
    assert first == second
    assert len(list((tmp_path / "store/pixels").glob("*/meta.json"))) == 1


def test_all_members_are_checked_before_any_work():
    study = StudySpec().override({"model": {"image_size": 64, "unfreeze_depth": 1}})
    with pytest.raises(StudyError, match="71 px"):
        member_studies(study, ["compact", "xception"])
    with pytest.raises(StudyError, match="two members would be called compact"):
        member_studies(study, ["compact", "compact"])
    assert list(member_studies(study, ["compact", "mobilenetv2"])) == ["compact", "mobilenetv2"]
