"""The search section: what it refuses, what it warns of, what a trial can draw from it."""

import optuna
import pytest

from ensemble_kit.core.errors import EnsembleKitError, SearchError, StudyError
from ensemble_kit.study import parse_study
from ensemble_kit.study.space import Range
from ensemble_kit.tuning.sampling import check_space, own_params, suggest, values_of, with_params
from tests.tuning.bench import small_study


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("learning_rate = {low = 1, high = 2}", "learning_rate cannot be searched; choose from"),
        ("dropout = {low = 0.5, high = 0.1}", "reversed: low 0.5 exceeds high 0.1"),
        ("dropout = {low = 0.5, high = 0.5}", "holds 0.5 alone"),
        ("dropout = []", "dropout has no choices"),
        ("dropout = [0.1]", "one choice"),
        ("dropout = [0.1, 0.1]", "twice"),
        ("dropout = 0.3", "give a range such as"),
        ("views = {low = 1, high = 2.5}", "whole number"),
        ("backbone = {low = 1, high = 2}", "takes a list"),
        ("head_lr = {low = 0.0, high = 0.1, log = true}", "starts above 0"),
        ("head_lr = {low = 0.1, high = 0.2, log = true, step = 0.1}", "no step"),
        ("dropout = {low = 0.0, high = 0.5, step = 0.2}", "whole number of steps"),
        ("dropout = {low = nan, high = 0.5}", "finite"),
        ("dropout = {low = 0.1, hi = 0.5}", "hi is not a setting"),
    ],
)
def test_a_space_that_cannot_be_is_refused_with_the_name_and_the_rule(line, said):
    with pytest.raises(StudyError, match=said) as error:
        parse_study(f"[search.space]\n{line}\n", "s.toml")
    assert line.split()[0] in str(error.value)


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("dropout = {low = 0.5, high = 0.9}", SearchError, "the first trial is the study"),
        ("dropout = {low = 0.0, high = 1.5}", StudyError, "less than 1"),
        ("image_size = [48, 24]", StudyError, "must be at least 32"),
        ("unfreeze_depth = {low = 1, high = 7}", StudyError, "exceeds the 5 blocks of compact"),
        ("backbone = ['compact', 'xception']", StudyError, "below the 71 px that xception needs"),
        ("backbone = ['compact', 'resnet']", StudyError, "'resnet' is not known"),
        ("augment = ['dihedral', 'mirror']", StudyError, "search.space.augment"),
    ],
)
def test_a_space_with_points_that_cannot_be_run_is_refused(line, kind, said):
    head = "[model]\nbackbone = 'compact'\nimage_size = 48\nunfreeze_depth = 1\n[search.space]\n"
    with pytest.raises(kind, match=said):
        check_space(parse_study(head + line, "s.toml"))


def test_no_space_at_all_is_refused():
    with pytest.raises(SearchError, match=r"add a table \[search.space\]"):
        check_space(parse_study("name = 'plain'", "s.toml"))


def test_a_rate_across_decades_without_log_is_warned_of():
    line = (
        "[training]\nhead = 'sgd'\n[search.space]\nhead_lr = {{ low = {low}, high = 1e-2 {log} }}"
    )
    wide = parse_study(line.format(low="1e-4", log=""), "s").search
    assert "search.space.head_lr" in wide.warnings()[0]
    assert "log = true" in wide.warnings()[0]
    assert parse_study(line.format(low="1e-4", log=", log = true"), "s").search.warnings() == ()
    assert parse_study(line.format(low="5e-3", log=""), "s").search.warnings() == ()


@pytest.mark.parametrize("line", ["head_lr = [1e-3, 1e-2]", "head_epochs = [2, 4]"])
def test_rates_of_a_head_that_is_solved_are_no_part_of_a_space(line):
    with pytest.raises(StudyError, match=f"search.space.{line.split()[0]} has no effect"):
        parse_study(f"[search.space]\n{line}\n", "s.toml")
    parse_study(f"[training]\nhead = 'sgd'\n[search.space]\n{line}\n", "s.toml")


def test_the_whole_section_survives_writing_and_reading():
    spec = small_study()
    assert parse_study(spec.to_toml(), "again").search == spec.search
    assert spec.search.space["head_lr"] == Range(low=1e-6, high=1e-1, log=True)


def test_the_search_does_not_change_what_the_folds_are():
    spec = small_study()
    assert spec.digest == spec.override({"search": {"trials": 99}}).digest


def drawn(spec, **fixed):
    study = optuna.create_study()
    study.enqueue_trial(fixed)
    trial = study.ask()
    return suggest(trial, spec), trial.params


def test_settings_that_do_not_apply_are_not_drawn():
    spec = small_study("augment = ['dihedral', 'none']\nviews = [2, 4]\n")
    without, params = drawn(spec, unfreeze_depth=0, augment="none")
    assert "fine_tune_lr" not in params
    assert "views" not in params
    assert without.training.fine_tune_lr == spec.training.fine_tune_lr
    full, params = drawn(spec, unfreeze_depth=2, augment="dihedral", fine_tune_lr=3e-4, views=2)
    assert {"fine_tune_lr", "views"} <= set(params)
    assert (full.training.fine_tune_lr, full.training.views) == (3e-4, 2)
    assert full == with_params(spec, params)


def test_the_study_itself_is_a_point_of_its_space():
    spec = small_study()
    own = own_params(spec)
    assert own == {"head_lr": 1e-3, "dropout": 0.2, "image_size": 48, "unfreeze_depth": 1,
                   "fine_tune_lr": 1e-4}  # fmt: skip
    again, params = drawn(spec, **own)
    assert again.digest == spec.digest
    assert params == own


def test_values_that_stores_depend_on_are_counted():
    spec = small_study()
    assert values_of(spec, "unfreeze_depth") == (0, 1, 2)
    assert values_of(spec, "image_size") == (32, 48, 64)
    assert values_of(spec, "views") == (spec.training.views,)


def test_every_error_is_a_users():
    assert issubclass(SearchError, EnsembleKitError)
