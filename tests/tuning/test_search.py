"""The search: its queue, its pruning, interruptions, failures, and what it refuses to continue."""

import json
import multiprocessing
import sys
import time

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from ensemble_kit.core.errors import SearchError, StoreError
from ensemble_kit.splits import make_folds
from ensemble_kit.tuning.journal import JOURNAL
from ensemble_kit.tuning.losses import score
from ensemble_kit.tuning.sampling import make_sampler
from ensemble_kit.tuning.search import failures
from ensemble_kit.tuning.storage import StoragePlace, open_storage
from ensemble_kit.tuning.trials import current_trials, losses_of, read_trials
from tests.tuning.bench import DrawnEvaluator, search, small_study, small_table, worker


def states(study):
    return [trial.state for trial in read_trials(study)]


def test_the_first_trial_is_the_study_and_all_that_were_asked_for_end(tmp_path):
    spec, said = small_study(), []
    study, evaluator = search(tmp_path, spec, tell=lambda kind, **facts: said.append(kind))
    trials = read_trials(study)
    assert len(trials) == 8
    assert trials[0].params == {"head_lr": 1e-3, "dropout": 0.2, "image_size": 48,
                                "unfreeze_depth": 1, "fine_tune_lr": 1e-4}  # fmt: skip
    assert trials[0].state == "COMPLETE"
    assert set(states(study)) <= {"COMPLETE", "PRUNED"}
    assert said.count("trial_ended") == said.count("trial_started") == 8
    trained = sum(t.pruned_after or 4 for t in trials)
    assert len(evaluator.trained) == trained < 32, "pruned trials stop early"


def test_the_score_is_pooled_out_of_fold_and_losses_are_kept_by_group(tmp_path):
    spec, table = small_study(), small_table()
    study, _ = search(tmp_path, spec, table=table)
    folds = make_folds(table, 4, 0)[0]
    look = list(DrawnEvaluator(table, spec).after_each_fold(spec, folds))[-1]
    first = study.get_trials()[0]
    assert first.value == pytest.approx(score("log_loss", table.labels, look.probabilities))
    losses = losses_of(first, 4)
    pooled = np.average([f.value for f in losses], weights=[f.rows for f in losses])
    assert pooled == pytest.approx(first.value)
    for k, loss in enumerate(losses):
        assert len(loss.influence) == len(set(table.groups[folds.held_out(k)]))


def test_only_hopeless_trials_are_pruned_and_none_without_a_pruner(tmp_path):
    study, _ = search(tmp_path, small_study())
    trials = read_trials(study)
    best = min(t.value for t in trials if t.state == "COMPLETE")
    pruned = [t for t in trials if t.state == "PRUNED"]
    assert pruned
    assert all(t.value > best + 0.1 for t in pruned)
    free = small_study().override({"search": {"pruner": "none"}})
    assert set(states(search(tmp_path, free, name="free")[0])) == {"COMPLETE"}


def test_a_search_alone_repeats_exactly(tmp_path):
    runs = [read_trials(search(tmp_path / n, small_study())[0]) for n in ("a", "b")]
    assert [(t.params, t.value) for t in runs[0]] == [(t.params, t.value) for t in runs[1]]


def test_a_failed_trial_fails_alone_and_is_counted(tmp_path):
    def diverge(spec, fold):
        if spec.training.head_lr > 1e-2:
            raise FloatingPointError("the loss became nan; lower the learning rate")

    study, _ = search(tmp_path, small_study(), before=diverge)
    failed = [t for t in read_trials(study) if t.state == "FAIL"]
    assert len(read_trials(study)) == 8
    assert failed
    assert all(t.params["head_lr"] > 1e-2 for t in failed)
    assert "lower the learning rate" in failures(read_trials(study))[0]


def test_what_would_fail_every_trial_stops_the_search_and_keeps_its_trial(tmp_path):
    def full(spec, fold):
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        search(tmp_path, small_study(), before=full)
    study, _ = search(tmp_path, small_study(), resume=True)
    assert states(study).count("FAIL") == 0
    assert len(read_trials(study)) == 8


@pytest.mark.parametrize("stop_at", [1, 7])
def test_an_interrupted_search_goes_on_where_it_was(tmp_path, stop_at):
    seen = []

    def interrupt(spec, fold):
        seen.append(fold)
        if len(seen) == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, small_study(), before=interrupt)
    study, _ = search(tmp_path, small_study(), resume=True)
    trials = read_trials(study)
    assert len(trials) == 8
    assert {t.state for t in trials} <= {"COMPLETE", "PRUNED"}
    assert any(t.params["head_lr"] == 1e-3 for t in trials), "the study's own values are not lost"


def test_time_over_ends_between_folds_and_nothing_is_lost(tmp_path):
    def slow(spec, fold):
        time.sleep(0.1)

    deadline = time.monotonic() + 0.55
    study, evaluator = search(tmp_path, small_study(), before=slow, deadline=deadline)
    begun = len(evaluator.trained)
    assert begun < 10
    assert TrialState.WAITING in [t.state for t in study.get_trials()]
    study, _ = search(tmp_path, small_study(), resume=True)
    assert len(read_trials(study)) == 8
    assert "WAITING" not in states(study)


def test_more_trials_may_be_asked_for_later(tmp_path):
    search(tmp_path, small_study())
    more = small_study().override({"search": {"trials": 11}})
    study, _ = search(tmp_path, more, resume=True)
    assert len(read_trials(study)) == 11


def test_a_name_in_use_is_refused_without_resume(tmp_path):
    search(tmp_path, small_study())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SearchError, match=r"'bench' exists in .*give --resume"):
        search(tmp_path, small_study())
    with pytest.raises(SearchError, match="differs from what is asked"):
        search(tmp_path, small_study("batch_size = [8, 32]\n"))
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before, "a refusal writes nothing"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"search": {"metric": "roc_auc_ovr"}}, "asked in metric:"),
        ({"training": {"batch_size": 8}}, "asked in settings:"),
        ({"split": {"seed": 1}}, "asked in folds and settings:"),
    ],
)
def test_a_name_with_another_question_is_refused_by_name(tmp_path, changed, said):
    search(tmp_path, small_study())
    with pytest.raises(SearchError, match=said):
        search(tmp_path, small_study().override(changed), resume=True)


def test_other_data_and_another_space_are_named(tmp_path):
    search(tmp_path, small_study())
    with pytest.raises(SearchError, match=r"asked in data(,| and) folds"):
        search(tmp_path, small_study(), table=small_table(90), resume=True)
    with pytest.raises(SearchError, match="asked in search space"):
        search(tmp_path, small_study("batch_size = [8, 32]\n"), resume=True)


def test_two_objectives_keep_the_front(tmp_path):
    both = small_study().override({"search": {"cost": True, "trials": 10}})
    study, _ = search(tmp_path, both)
    front = {trial.number for trial in study.best_trials}
    records = {t.number: t for t in read_trials(study)}
    assert front
    for number, trial in records.items():
        beaten = [
            r for r in records.values()
            if r.state == "COMPLETE" and trial.state == "COMPLETE"
            and r.value <= trial.value and r.cost <= trial.cost
            and (r.value, r.cost) != (trial.value, trial.cost)
        ]  # fmt: skip
        assert (number in front) == (trial.state == "COMPLETE" and not beaten)
    sizes = {t.params["image_size"]: t.cost for t in records.values() if t.cost}
    assert sorted(sizes.values()) == [sizes[size] for size in sorted(sizes)]


@pytest.mark.parametrize("metric", ["roc_auc_ovr", "balanced_accuracy"])
def test_scores_that_grow_are_maximised(tmp_path, metric):
    study, _ = search(tmp_path, small_study().override({"search": {"metric": metric}}))
    complete = [t for t in read_trials(study) if t.state == "COMPLETE"]
    assert study.best_value == max(t.value for t in complete)
    assert "PRUNED" in states(study)


def test_a_worker_killed_with_its_file_leaves_a_trial_that_another_takes_up(tmp_path):
    process = multiprocessing.get_context("spawn").Process(
        target=worker, args=(str(tmp_path), "", "bench", 3, 60)
    )
    process.start()
    place = StoragePlace(tmp_path / "bench")
    limit = time.monotonic() + 60
    running = False
    while time.monotonic() < limit and not running:
        time.sleep(0.2)
        if (tmp_path / "bench" / JOURNAL).is_file():
            try:
                study = optuna.load_study(study_name="bench", storage=open_storage(place))
            except KeyError:
                continue
            running = any(t.user_attrs.get("worker") for t in study.get_trials())
    assert running
    process.kill()
    process.join()
    spec = small_study().override({"search": {"trials": 3, "pruner": "none"}})
    study, _ = search(tmp_path, spec, resume=True)
    assert states(study) == ["COMPLETE"] * 3
    slots = [t.user_attrs["slot"] for t in study.get_trials(states=(TrialState.COMPLETE,))]
    assert sorted(slots) == [0, 1, 2]
    assert [t.state.name for t in study.get_trials()].count("FAIL") == 1


def test_a_trial_that_kills_every_worker_is_given_up(tmp_path):
    from ensemble_kit.tuning.storage import MAX_RETRIES, queue_again

    study = optuna.create_study()
    study.enqueue_trial({}, user_attrs={"slot": 0})
    for _ in range(MAX_RETRIES + 1):
        trial = study.ask()
        study.tell(trial.number, state=TrialState.FAIL)
        queue_again(study, study.get_trials()[-1])
    assert len(study.get_trials()) == MAX_RETRIES + 1
    assert [t.state for t in current_trials(study)] == [TrialState.FAIL]


def test_a_damaged_journal_is_a_sentence(tmp_path):
    (tmp_path / JOURNAL).write_text('{"op_code": 0, "worker_id"\nnonsense\n')
    with pytest.raises(SearchError, match="is damaged"):
        open_storage(StoragePlace(tmp_path))


def test_the_gaussian_process_needs_torch_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    spec = small_study().override({"search": {"sampler": "gp"}})
    with pytest.raises(SearchError, match="pip install torch"):
        make_sampler(spec, [])


def test_the_gaussian_process_proposes_by_what_it_learnt():
    """On a parabola ten later points lie nearer its floor than the same number drawn at random."""
    pytest.importorskip("torch", reason="the GP sampler needs torch (extra 'gp')")
    spec = small_study().override({"search": {"sampler": "gp"}})

    def distances() -> list[float]:
        study = optuna.create_study()
        found = []
        for _ in range(20):
            states = [trial.state for trial in study.trials]
            study.sampler = make_sampler(spec, states)
            trial = study.ask({"x": optuna.distributions.FloatDistribution(-5.0, 5.0)})
            study.tell(trial, (trial.params["x"] - 2.0) ** 2)
            found.append(abs(trial.params["x"] - 2.0))
        return found

    first = distances()
    assert np.median(first[10:]) < 0.2
    assert first == distances(), "its seed follows from the study's"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "is no database address"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/none", "cannot be used"),
        ("mysql+nodriver://me:secret@127.0.0.1/none", "driver is not installed"),
    ],
)
def test_a_storage_out_of_reach_is_a_sentence_without_its_password(tmp_path, url, said):
    with pytest.raises(SearchError, match=said) as error:
        open_storage(StoragePlace(tmp_path, url))
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_database_of_another_schema_is_a_sentence(tmp_path):
    import sqlite3

    from ensemble_kit.tuning.storage import StoragePlace

    url = f"sqlite:///{tmp_path / 'old.db'}"
    open_storage(StoragePlace(tmp_path, url)).remove_session()
    with sqlite3.connect(tmp_path / "old.db") as base:
        base.execute("update alembic_version set version_num = 'v0.9.0.a'")
    base.close()
    with pytest.raises(SearchError, match="another Optuna version"):
        open_storage(StoragePlace(tmp_path, url))


def test_trials_are_plain_enough_for_json(tmp_path):
    study, _ = search(tmp_path, small_study())
    json.dumps([t.params for t in read_trials(study)])
