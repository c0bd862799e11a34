"""``[[members]]`` of a study: what a member may change, and how it is refused."""

import pytest

from ensemble_kit.core.errors import StudyError
from ensemble_kit.study import StudySpec, with_settings
from ensemble_kit.study.spec import parse_study
from ensemble_kit.workflows.member_runs import member_studies

TWO = """
[model]
weights = "none"
image_size = 96
unfreeze_depth = 1
[training]
views = 2
[[members]]
backbone = "compact"
fine_tune_lr = 5e-4
[[members]]
name = "wide"
[members.model]
backbone = "xception"
image_size = 128
[members.training]
views = 4
"""
HEAD = '[model]\nweights = "none"\nimage_size = 96\nunfreeze_depth = 1\n'


def test_a_member_changes_its_settings_and_has_the_rest_of_the_study():
    studies = member_studies(parse_study(TWO, "two.toml"))
    assert list(studies) == ["compact", "wide"]
    first, second = studies.values()
    assert (first.model.backbone, first.model.image_size) == ("compact", 96)
    assert (first.training.views, first.training.fine_tune_lr) == (2, 5e-4)
    assert (second.model.backbone, second.model.image_size) == ("xception", 128)
    assert (second.training.views, second.training.fine_tune_lr) == (4, 1e-3)
    assert first.split == second.split
    assert first.members == second.members == ()


def test_a_member_is_the_study_it_would_be_alone():
    """Its run is the one that a study without members gives, so either resumes the other."""
    alone = parse_study(TWO.split("[[members]]")[0], "one.toml").override(
        {"model": {"backbone": "compact"}, "training": {"fine_tune_lr": 5e-4}}
    )
    assert member_studies(parse_study(TWO, "two.toml"))["compact"].digest == alone.digest


def test_a_study_is_written_and_read_again_with_its_members():
    study = parse_study(TWO, "two.toml")
    again = parse_study(study.to_toml(), "again.toml")
    assert again == study
    assert "members" not in StudySpec().to_toml()


def test_an_option_given_holds_for_every_member():
    study = parse_study(TWO, "two.toml")
    for changed in (
        study.override({"training": {"views": 1}, "model": {"image_size": None}}),
        with_settings(study, ["training.views=1"]),
    ):
        studies = member_studies(changed)
        assert [own.training.views for own in studies.values()] == [1, 1]
        assert [own.model.image_size for own in studies.values()] == [96, 128]


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("learning_rate = 1", "member 1: learning_rate is no setting of"),
        ("folds = 3", "member 1: folds is no setting of"),
        ("[members.split]\nfolds = 3", "member 1: split is no setting of"),
        ("image_size = 8", "member 1: image_size must be at least 32"),
        ("[members.model]\nbackbones = 'x'", "member 1: backbones is not a setting"),
        ("name = 'a b'", r"members.0.name must be at most 100"),
        ("views = 2\n[members.training]\nviews = 4", "member 1: views stands in it twice"),
        ("model = 'xception'", r"members.0.model"),
        ("predict_views = 99", "test_views must be at most 8"),
        ("test_views = 5", "asks for more than the 2 views"),
    ],
)
def test_a_wrong_member_is_refused_in_one_sentence(member, said):
    text = f"[training]\nviews = 2\n[[members]]\n{member}\n"
    with pytest.raises(StudyError, match=said) as caught:
        parse_study(text, "study.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["'xception'", "[1]", "['compact']", "3"])
def test_members_that_are_no_tables_are_refused(value):
    with pytest.raises(StudyError, match="members"):
        parse_study(f"members = {value}", "study.toml")


def test_members_of_one_name_or_of_the_same_settings_are_refused():
    twice = HEAD + '[[members]]\nbackbone = "compact"\n[[members]]\nbackbone = "compact"\nviews = 2'
    with pytest.raises(StudyError, match="two members would be called compact"):
        member_studies(parse_study(twice, "study.toml"))
    same = HEAD + '[[members]]\nname = "a"\n[[members]]\nname = "b"\n'
    with pytest.raises(StudyError, match="a and b have the same settings"):
        member_studies(parse_study(same, "study.toml"))
    with pytest.raises(StudyError, match="leave --backbone out"):
        member_studies(parse_study(same, "study.toml"), ["compact", "xception"])


def test_what_takes_one_model_refuses_members():
    from ensemble_kit.workflows.cross_validation import cross_validate
    from ensemble_kit.workflows.cv_plan import plan_cross_validation
    from ensemble_kit.workflows.search import plan_search

    study = parse_study(TWO, "two.toml")
    for refused in (cross_validate, plan_cross_validation, plan_search):
        with pytest.raises(StudyError, match=r"lists 2 \[\[members\]\]"):
            refused(None, study)
