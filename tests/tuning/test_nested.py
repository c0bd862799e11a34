"""The nested estimate: what is judged chose nothing; what it says of a search that flatters."""

import numpy as np
import pytest

from ensemble_kit.core.records import ImageTable
from ensemble_kit.splits import make_folds
from ensemble_kit.tuning.nested import inner_folds, run_nested
from ensemble_kit.tuning.opening import SearchRequest
from ensemble_kit.tuning.storage import StoragePlace
from tests.tuning.bench import DrawnEvaluator, small_study, small_table


def nested(folder, table, labels=None):
    """Run a nested search of 6 trials on 3 outer folds; folds as of ``table`` whatever labels."""
    spec = small_study().override(
        {"split": {"folds": 3}, "search": {"trials": 6}, "training": {"head_lr": 2e-5}}
    )
    outer = make_folds(table, 3, 0)[0]
    if labels is not None:
        table = relabelled(table, labels)
    place = StoragePlace(folder / "bench")
    evaluator = DrawnEvaluator(table, spec)
    said = []
    found = run_nested(SearchRequest("bench", spec, place), table, outer, evaluator,
                       lambda kind, **facts: said.append(kind))  # fmt: skip
    return found, outer, said


def relabelled(table, labels):
    return ImageTable(table.image_ids, table.groups, labels, table.class_names, table.lesions,
                       table.patients, table.paths)  # fmt: skip


def test_inner_folds_know_nothing_of_the_outer_fold():
    table, spec = small_table(), small_study()
    outer = make_folds(table, 4, 0)[0]
    for k in range(4):
        inner = inner_folds(table, outer, k, spec)
        held = outer.held_out(k)
        assert (inner.fold[held] == -1).all()
        assert set(inner.fold[~held]) == {0, 1, 2, 3}
        assert all(
            len(set(inner.fold[~held][table.groups[~held] == g])) == 1
            for g in set(table.groups[~held])
        )


def test_a_fold_of_no_number_is_neither_trained_on_nor_stopped_by(tmp_path):
    """The trainer's own job, with rows set apart: they are in no part of it."""
    from types import SimpleNamespace

    from ensemble_kit.models.draws import FoldSeed
    from ensemble_kit.training.preparing import fold_job

    table, spec = small_table(), small_study()
    outer = make_folds(table, 4, 0)[0]
    inner = inner_folds(table, outer, 2, spec)
    prepared = SimpleNamespace(
        table=table, pixels=FakePixels(tmp_path), weights=None, weights_digest="",
        precision="float32",
        plan=SimpleNamespace(keys=(), views=1),
        resources=SimpleNamespace(store_dir=tmp_path, tensorboard=False),
    )  # fmt: skip
    workers = SimpleNamespace(events=tmp_path, threads=1)
    for mode in ("inner", "validation", "none"):
        asked = spec.override({"training": {"early_stopping": mode}})
        job = fold_job(prepared, asked, inner, FoldSeed(0, 0, 1), tmp_path, workers)
        used = set(job.train) | set(job.stopping_rows) | set(job.held)
        assert used.isdisjoint(np.flatnonzero(outer.held_out(2)))
        assert used == set(np.flatnonzero(~outer.held_out(2)))


class FakePixels:
    size, digest = 48, ""

    def __init__(self, folder):
        self.folder = folder

    def __len__(self):
        return 1


def test_the_labels_of_an_outer_fold_do_not_choose_its_study(tmp_path):
    """Shuffling them changes neither the inner trials nor what was chosen for that fold."""
    table = small_table()
    honest, outer, said = nested(tmp_path / "a", table)
    labels = table.labels.copy()
    held = outer.held_out(1)
    labels[held] = (labels[held] + 1) % 3
    other, _, _ = nested(tmp_path / "b", table, labels)
    assert other.chosen[1].best.params == honest.chosen[1].best.params
    assert other.chosen[1].best.value == honest.chosen[1].best.value
    assert other.chosen[0].best.value != honest.chosen[0].best.value
    assert said.count("outer_fold") == said.count("outer_judged") == 3


def test_figures_of_the_whole_procedure(tmp_path):
    found, _, _ = nested(tmp_path, small_table())
    assert found.inner_score == pytest.approx(np.mean([c.best.value for c in found.chosen]))
    assert found.optimism.low < found.optimism.value < found.optimism.high
    assert found.optimism.value == pytest.approx(found.inner_score - found.score, abs=0.02)
    assert found.gain.estimate.value == pytest.approx(found.score - found.default_score)
    assert found.score < found.default_score, "searching helps here"
    plain = found.record("log_loss").plain()
    assert plain["score"] == found.score
    assert [c["outer_fold"] for c in plain["chosen"]] == [0, 1, 2]


def test_an_inner_search_is_resumed(tmp_path):
    first, _, _ = nested(tmp_path, small_table())
    again, _, _ = nested(tmp_path, small_table())
    assert [c.best for c in again.chosen] == [c.best for c in first.chosen]
