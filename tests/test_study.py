"""The study file: what it takes, what it refuses and in which words."""

import pytest

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import StudyError
from ensemble_kit.study import Study, StudySpec, parse_study, read_study, with_settings


def test_a_study_written_out_reads_back_the_same():
    spec = StudySpec().override({"model": {"dropout": 0.45}, "training": {"class_weights": 0.5}})
    assert parse_study(spec.to_toml(), "again") == spec


def test_the_digest_follows_what_determines_the_fold_models_alone():
    spec = StudySpec()
    assert spec.digest == spec.override({"evaluation": {"replicates": 10}}).digest
    assert spec.digest == spec.model_copy(update={"name": "other"}).digest
    for section, name, value in (("model", "dropout", 0.1), ("split", "seed", 3),
                                 ("training", "views", 2)):  # fmt: skip
        assert spec.digest != spec.override({section: {name: value}}).digest


def test_the_old_name_of_the_test_views_is_read():
    old = parse_study("[training]\npredict_views = 3", "old.toml")
    new = parse_study("[training]\ntest_views = 3", "new.toml")
    assert old == new
    assert old.training.test_views == 3
    assert "predict_views" not in old.to_toml()
    for study in (
        StudySpec().override({"training": {"predict_views": 3}}),
        with_settings(StudySpec(), ["training.predict_views=3"]),
        Study(training={"predict_views": 3}),
    ):
        assert study.training == new.training
    with pytest.raises(StudyError, match="predict_views is not a setting"):
        parse_study("[training]\npredict_views = 3\ntest_views = 2", "both.toml")


def test_renaming_a_setting_left_the_digest_of_the_default_study():
    """Runs made before ``test_views`` had its name have this digest and can be resumed."""
    old = StudySpec().training.model_dump()
    old = {"predict_views" if name == "test_views" else name: v for name, v in old.items()}
    spec = StudySpec()
    split = spec.split.model_dump(exclude={"folds_file"})
    later = {"inputs", "metadata", "metadata_anyway", "hidden_units"}
    model = spec.model.model_dump(exclude=later)
    assert spec.digest == digest_of(split, model, old)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[split]\nfolds = 1", "split.folds must be at least 2 (given 1)"),
        ("[model]\ndropout = 1.0", "model.dropout must be less than 1"),
        ("[model]\naspect = 'foo'", "model.aspect must be 'crop', 'pad' or 'stretch'"),
        ("[model]\ndropuot = 0.1", "model.dropuot is not a setting"),
        ("[training]\nclass_weights = 2.0", "lies in (0, 1]"),
        ("name = 'a/b'", "letters, digits"),
        ("[model", "not valid TOML"),
        ("[split]\nseed = 5000000000", "split.seed must be at most 2147483647"),
    ],
)
def test_a_mistake_is_said_in_plain_words(text, said):
    with pytest.raises(StudyError) as caught:
        parse_study(text, "s.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("s.toml: ")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(StudyError, match="cannot be read"):
        read_study(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="not UTF-8"):
        read_study(tmp_path / "binary.toml")


class TestSet:
    def test_any_setting_is_reached_and_values_are_toml(self):
        from ensemble_kit.study import StudySpec, with_settings

        given = ["training.batch_size=64", "evaluation.slices=['sex']", "model.weights=none",
                 "search.cost=true", "name=mine"]  # fmt: skip
        study = with_settings(StudySpec(), given)
        assert study.training.batch_size == 64
        assert study.evaluation.slices == ("sex",)
        assert study.model.weights == "none"
        assert study.search.cost is True
        assert study.name == "mine"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("training.batch_size", "write section.key=value"),
            ("trainings.views=2", "no section 'trainings'"),
            ("training.view=2", "training.view is not a setting"),
            ("training.views=20", "must be at most 8"),
            ("training.views=many", "training.views"),
        ],
    )
    def test_what_is_no_setting_is_one_sentence(self, text, said):
        from ensemble_kit.core.errors import StudyError
        from ensemble_kit.study import StudySpec, with_settings

        with pytest.raises(StudyError, match=said):
            with_settings(StudySpec(), [text])


def test_a_search_by_the_old_name_of_macro_auc_is_read():
    study = parse_study('[search]\nmetric = "macro_auc"\n', "old")
    assert study.search.metric == "roc_auc_ovr"
