"""Several members at once: a run each on the same folds, then their ensemble."""

import pandas as pd
import pytest
from typer.testing import CliRunner

import ensemble_kit as ek
from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import EnsembleKitError, StudyError
from ensemble_kit.runs.ensembles import EnsembleRecord
from ensemble_kit.study import StudySpec
from ensemble_kit.study.spec import parse_study
from ensemble_kit.training.preparing import Resources
from ensemble_kit.workflows.member_runs import cross_validate_members, member_studies
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


STUDY = """
name = "two"
[split]
folds = 2
[model]
weights = "none"
image_size = 32
unfreeze_depth = 0
[training]
views = 1
[evaluation]
replicates = 20
[[members]]
backbone = "compact"
[[members]]
backbone = "smallresnet"
unfreeze_depth = 4
fine_tune_epochs = 1
[[members]]
name = "meta"
inputs = "metadata"
metadata = ["age", "sex"]
"""


def _with_metadata(data):
    """Squares with an age and a sex, which squares lack."""
    table = pd.read_csv(next(data.glob("*.csv")))
    table["age"] = [20 + 5 * (k % 9) for k in range(len(table))]
    table["sex"] = ["male" if k % 2 else "female" for k in range(len(table))]
    table.to_csv(next(data.glob("*.csv")), index=False)


@pytest.mark.slow
def test_a_study_with_members_is_planned_trained_resumed_and_ensembled(tmp_path, monkeypatch):
    pytest.importorskip("keras")
    write_squares(tmp_path / "data", lesions=6, photos=1)
    _with_metadata(tmp_path / "data")
    (tmp_path / "two.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    words = ["cv", "--study", "two.toml", "--data", "data", "-q"]
    plan = CliRunner().invoke(app, [*words, "--dry-run"], catch_exceptions=False)
    assert plan.exit_code == 0, plan.output
    assert not (tmp_path / "runs").exists()
    assert "member compact: compact, 32 px, depth 0, run two-compact" in plan.output
    assert "member smallresnet: smallresnet, 32 px, depth 4" in plan.output
    assert "member meta: metadata" in plan.output
    refused = CliRunner().invoke(app, [*words, "--backbone", "xception"])
    assert isinstance(refused.exception, StudyError)
    first = CliRunner().invoke(app, words, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    done = {p: p.read_bytes() for p in (tmp_path / "runs").glob("two-*/fold_*/done.json")}
    assert len(done) == 6
    page = EnsembleRecord.read(tmp_path / "runs/two")
    assert [m.name for m in page.members] == ["two-compact", "two-smallresnet", "two-meta"]
    again = ek.cross_validate("data", study=ek.Study.read("two.toml"), progress=False)
    assert (again.kind, again.name) == ("ensemble", "two")
    assert {p: p.read_bytes() for p in done} == done
    two = (tmp_path / "runs/two-compact/folds.csv").read_bytes()
    assert (tmp_path / "runs/two-meta/folds.csv").read_bytes() == two


def test_weights_of_every_member_are_looked_for_before_the_first_is_trained(tmp_path):
    write_squares(tmp_path / "data", lesions=6, photos=1)
    study = parse_study(STUDY.replace("fine_tune_epochs = 1", 'weights = "gone.h5"'), "two.toml")
    with pytest.raises(EnsembleKitError, match=r"gone\.h5"):
        cross_validate_members(
            study, name="two", images=tmp_path / "data", runs_dir=tmp_path / "runs",
            resources=Resources(tmp_path / "store"),
        )  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_in_python_what_is_of_one_model_is_refused_beside_members():
    study = ek.Study(members=[{"backbone": "compact"}, {"backbone": "mobilenetv2"}])
    with pytest.raises(StudyError, match="of one model"):
        ek.cross_validate(study=study, fractions=(0.5, 1))


def test_all_members_are_checked_before_any_work():
    study = StudySpec().override({"model": {"image_size": 64, "unfreeze_depth": 1}})
    with pytest.raises(StudyError, match="71 px"):
        member_studies(study, ["compact", "xception"])
    with pytest.raises(StudyError, match="two members would be called compact"):
        member_studies(study, ["compact", "compact"])
    assert list(member_studies(study, ["compact", "mobilenetv2"])) == ["compact", "mobilenetv2"]
