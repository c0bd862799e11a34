"""A fold trained from the store is the fold trained end to end; what must not move does not."""

import dataclasses
import json
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.data.decode import decode
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.models.views import view_of
from ensemble_kit.runs.folds import fold_predictions, identity_predictions
from ensemble_kit.stores.activations import open_store
from ensemble_kit.stores.pixels import fill_pixels
from ensemble_kit.training import fold as fold_module
from ensemble_kit.training.filling import FillJob, fill_task
from ensemble_kit.training.fold import (
    FoldCancelled,
    check_whole,
    fold_epochs,
    read_done,
    train_fold,
)
from ensemble_kit.training.jobs import packed, unpacked
from ensemble_kit.training.plan import PixelFacts, plan_stores
from ensemble_kit.training.preparing import (
    Prepared,
    Resources,
    find_weights,
    fold_job,
    for_processes,
    pixel_file,
)

keras = pytest.importorskip("keras")


class OneThread:
    """Stands where ``Workers`` gives a job its events folder and threads."""

    def __init__(self, folder):
        self.events, self.threads = folder, 0


def job_of(spec, table, folds, folder, *, weights=None, end_to_end=False, fold=0):
    if weights:
        spec = spec.override({"model": {"weights": str(weights)}})
    store = folder / "store"
    pixels = fill_pixels(table, spec.model.image_size, spec.model.aspect, store, jobs=2)
    path, digest = find_weights(spec)
    plan = plan_stores(spec, PixelFacts(pixels.digest, len(table)), digest, store, 1e9)
    if end_to_end:
        plan = dataclasses.replace(plan, keys=())
    else:
        fill_task(FillJob(spec, table.n_classes, path, pixel_file(pixels), store, plan.keys,
                          plan.views, folder / "ev" / "fill.jsonl", 0))  # fmt: skip
    prepared = Prepared(table, pixels, path, digest, plan, Resources(store, 1e9))
    name = "end_to_end" if end_to_end else "stored"
    return fold_job(
        prepared,
        spec,
        folds,
        FoldSeed(0, 0, fold),
        folder / f"{name}_{fold}",
        OneThread(folder / "ev"),
    )


def probabilities(job):
    train_fold(job)
    return fold_predictions(job.folder).probabilities


def test_a_folder_made_anew_meanwhile_is_not_written_into(
    tmp_path, table, folds, spec, monkeypatch
):
    """As by --overwrite, while the worker of a command that was killed is still at its fold."""
    job = job_of(spec, table, folds, tmp_path)
    before = fold_module.pooled_features

    def replaced(*given):
        job.folder.rename(tmp_path / "removed")
        job.folder.mkdir()
        return before(*given)

    monkeypatch.setattr(fold_module, "pooled_features", replaced)
    with pytest.raises(RunError, match="was replaced while its fold was trained"):
        train_fold(job)
    assert not list(job.folder.iterdir())


def test_a_fold_that_another_process_wrote_over_is_noticed(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    done = train_fold(job)
    check_whole(job.folder, done)
    (job.folder / "predictions.csv").write_text("another's")
    with pytest.raises(RunError, match="written by another process too"):
        check_whole(job.folder, done)


def test_a_packed_job_is_small_and_trains_the_same(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    job = dataclasses.replace(job, metadata={"site/of": np.array(["ä"] * len(table))})
    small = packed(job, tmp_path / "rows.npz")
    assert len(ForkingPickler.dumps(small)) < 10_000
    assert not len(small.image_ids)
    whole = unpacked(small)
    for name in ("image_ids", "labels", "groups", "train", "stopping_rows", "held"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(job, name))
    assert whole.metadata["site/of"].tolist() == job.metadata["site/of"].tolist()
    assert dataclasses.replace(whole, metadata={}).rows is None


def test_a_base_of_ones_own_is_found_from_any_folder(spec):
    def named(name):
        own = spec.override({"model": {"backbone": name}})
        return for_processes(own).model.backbone

    assert named("bases/own.keras") == str(Path("bases/own.keras").absolute())
    assert named("package.module:function") == "package.module:function"
    assert named("compact") == "compact"


@pytest.mark.parametrize("depth", [0, 1, 2, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("augment", ["none", "dihedral"])
def test_stored_and_end_to_end_training_agree(tmp_path, table, folds, spec, depth, augment):
    spec = spec.override({"model": {"unfreeze_depth": depth}, "training": {"augment": augment}})
    stored = probabilities(job_of(spec, table, folds, tmp_path))
    whole = probabilities(job_of(spec, table, folds, tmp_path, end_to_end=True))
    assert np.abs(stored - whole).max() <= 1e-4
    assert np.ptp(stored, axis=0).max() > 0.01, "a constant prediction would agree with anything"


def test_half_precision_stores_come_close(tmp_path, table, folds, spec):
    """Without early stopping, whose choice of epoch may rightly flip on a rounding error."""
    calm = {"fine_tune_lr": 1e-4, "head_lr": 1e-3, "early_stopping": "none"}
    exact = probabilities(job_of(spec.override({"training": calm}), table, folds, tmp_path / "a"))
    half = spec.override({"training": calm | {"store_dtype": "float16"}})
    rounded = probabilities(job_of(half, table, folds, tmp_path / "b"))
    assert np.abs(exact - rounded).max() <= 5e-3


@pytest.mark.slow
def test_bfloat16_trains_apart_from_float32_and_comes_close(tmp_path, table, folds, spec):
    calm = {"fine_tune_lr": 1e-4, "head_lr": 1e-3, "early_stopping": "none"}
    exact = job_of(spec.override({"training": calm}), table, folds, tmp_path / "a")
    short = spec.override({"training": calm | {"precision": "bfloat16"}})
    rounded = job_of(short, table, folds, tmp_path / "a")
    rounded = dataclasses.replace(rounded, folder=tmp_path / "short")
    assert {key.digest for key in exact.keys}.isdisjoint(key.digest for key in rounded.keys)
    gap = np.abs(probabilities(exact) - probabilities(rounded)).max()
    assert 0 < gap <= 0.03
    first = (rounded.folder / "predictions.csv").read_bytes()
    probabilities(rounded)
    assert (rounded.folder / "predictions.csv").read_bytes() == first
    model = keras.models.load_model(rounded.folder / "model.keras")
    whole = model.predict(np.asarray(rounded.pixels.open()[rounded.held]), verbose=0)
    assert np.abs(whole - fold_predictions(rounded.folder).probabilities).max() <= 0.02
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    probabilities(exact)
    assert keras.config.dtype_policy().name == "float32"


class WantedUntil:
    """A stop file that appears after it was looked for so many times."""

    def __init__(self, looks):
        self.looks = looks

    def exists(self):
        self.looks -= 1
        return self.looks < 0


def test_a_fold_nobody_wants_any_more_ends_after_its_epoch(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    with pytest.raises(FoldCancelled):
        train_fold(dataclasses.replace(job, stop=WantedUntil(1)))
    assert not list(job.folder.iterdir())
    assert len(told_epochs(job)) == 1
    train_fold(job)
    for event, kept in zip(told_epochs(job)[1:], fold_epochs(job), strict=True):
        assert {name: event[name] for name in kept} == kept


def test_a_fold_nobody_wants_is_not_begun(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    with pytest.raises(FoldCancelled):
        train_fold(dataclasses.replace(job, stop=WantedUntil(0)))
    assert not job.events.exists()


def told_epochs(job):
    events = [json.loads(line) for line in job.events.read_text().splitlines()]
    return [event for event in events if event["kind"] == "epoch"]


def test_no_cut_is_derived_from_a_store_of_other_arithmetic(tmp_path, table, folds, spec):
    """A later cut may come from a stored earlier one, but not across precisions."""

    def pooled(place, *precisions):
        keys = []
        for depth, precision in precisions:
            changes = {"model": {"unfreeze_depth": depth}, "training": {"precision": precision}}
            job = job_of(spec.override(changes), table, folds, place)
            keys = job.keys
        stores = [open_store(place / "store", key) for key in keys]
        return [store.read(np.arange(len(table)), np.zeros(len(table), int)) for store in stores]

    mixed = pooled(tmp_path / "mixed", (4, "bfloat16"), (1, "float32"))
    alone = pooled(tmp_path / "alone", (1, "float32"))
    for a, b in zip(mixed, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("end_to_end", [False, True])
def test_predictions_can_be_means_over_views(tmp_path, table, folds, spec, end_to_end):
    changes = {"augment": "dihedral", "views": 3, "test_views": 3}
    job = job_of(spec.override({"training": changes}), table, folds, tmp_path,
                 end_to_end=end_to_end)  # fmt: skip
    mean = probabilities(job)
    model = keras.models.load_model(job.folder / "model.keras")
    pixels = np.asarray(job.pixels.open()[job.held])
    by_view = [model.predict(view_of(pixels, view), verbose=0) for view in range(3)]
    assert np.abs(mean - np.mean(by_view, axis=0)).max() <= 1e-4
    identity = identity_predictions(job.folder).probabilities
    assert np.abs(identity - by_view[0]).max() <= 1e-4
    assert np.abs(mean - identity).max() > 1e-3, "views that agree would hide a mistake"
    (job.folder / "identity_view.csv").rename(job.folder / "unturned.csv")
    before = identity_predictions(job.folder).probabilities
    np.testing.assert_array_equal(before, identity, "the file's name in runs made before")


def test_no_more_views_can_be_averaged_than_there_are(spec):
    with pytest.raises(StudyError, match="test_views = 4 asks for more than the 2 views"):
        spec.override({"training": {"augment": "dihedral", "views": 2, "test_views": 4}})


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("depth", [0, 1, 2, 6])
def test_xception_agrees_too(tmp_path, table, folds, spec, shared, depth):
    changes = {"backbone": "xception", "image_size": 71, "unfreeze_depth": depth}
    rates = {"fine_tune_lr": 3e-5, "head_lr": 1e-3, "batch_size": 32, "early_stopping": "none"}
    spec = spec.override({"model": changes, "training": rates})
    weights = shared / "weights/xception_imagenet_notop.weights.h5"
    stored = probabilities(job_of(spec, table, folds, tmp_path, weights=weights))
    whole = job_of(spec, table, folds, tmp_path, weights=weights, end_to_end=True)
    assert np.abs(stored - probabilities(whole)).max() <= 1e-4
    half = spec.override({"training": {"store_dtype": "float16"}})
    rounded = probabilities(job_of(half, table, folds, tmp_path / "half", weights=weights))
    assert np.abs(stored - rounded).max() <= 5e-3


def test_what_should_move_moves_and_the_rest_is_bit_identical(tmp_path, table, folds, spec):
    from ensemble_kit.models.staged import build_staged

    job = job_of(spec, table, folds, tmp_path)
    train_fold(job)
    model = keras.models.load_model(job.folder / "model.keras")
    start = build_staged(spec.model, None, 3, 0).whole
    for layer in start.layers:
        after = model.get_layer(layer.name).get_weights()
        same = [np.array_equal(a, b) for a, b in zip(layer.get_weights(), after, strict=True)]
        if layer.name in (
            "block4_conv",
            "block4_norm",
            "block5_conv",
            "block5_norm",
            "head_probabilities",
        ):
            assert not any(same), layer.name
        else:
            assert all(same), layer.name


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_saved_model_gives_raw_files_the_recorded_probabilities(
    tmp_path, table, folds, spec, dtype
):
    spec = spec.override({"training": {"store_dtype": dtype, "augment": "dihedral"}})
    job = job_of(spec, table, folds, tmp_path)
    recorded = probabilities(job)
    model = keras.models.load_model(job.folder / "model.keras")
    files = [Path(table.root) / table.paths[row] for row in job.held]
    raw = np.stack([decode(file, spec.model.image_size, spec.model.aspect) for file in files])
    assert np.abs(model.predict(raw, verbose=0) - recorded).max() <= 1e-4


def test_a_warm_worker_leaves_nothing_behind(tmp_path, table, folds, spec):
    """Fold 1 after fold 0 in one process equals fold 1 alone, to the byte."""
    from ensemble_kit.training import model_cache

    train_fold(job_of(spec, table, folds, tmp_path, fold=0))
    after = job_of(spec, table, folds, tmp_path, fold=1)
    train_fold(after)
    model_cache._process.cache = None
    alone = dataclasses.replace(after, folder=tmp_path / "alone")
    train_fold(alone)
    first, second = (job.folder / "predictions.csv" for job in (after, alone))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("mode", ["inner", "validation", "none"])
def test_the_rows_that_choose_the_epoch(tmp_path, table, folds, spec, mode):
    job = job_of(spec.override({"training": {"early_stopping": mode}}), table, folds, tmp_path)
    held, train, stopping = set(job.held), set(job.train), set(job.stopping_rows)
    assert not held & train
    groups = {mode: set(table.groups[list(stopping)])}
    if mode == "inner":
        assert stopping
        assert stopping.isdisjoint(held | train)
        assert groups[mode].isdisjoint(table.groups[list(train)])
    else:
        assert stopping == (held if mode == "validation" else set())


def test_a_phase_that_never_improves_leaves_no_trace(tmp_path, table, folds, spec, monkeypatch):
    from ensemble_kit.training import fold

    watching = {"early_stopping": "validation"}
    head = spec.override({"training": watching | {"fine_tune_epochs": 0}})
    before = probabilities(job_of(head, table, folds, tmp_path / "a"))
    both = spec.override({"training": watching})
    kept = probabilities(job_of(both, table, folds, tmp_path / "b"))
    assert np.abs(before - kept).max() > 0.01, "the second phase must matter when it improves"
    monkeypatch.setattr(fold, "_best", lambda history: 0.0)
    restored = probabilities(job_of(both, table, folds, tmp_path / "c"))
    assert np.abs(before - restored).max() < 1e-5


def test_a_finished_fold_is_read_back_and_a_damaged_one_is_not(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    assert read_done(job.folder, job.digest) is None
    done = train_fold(job)
    assert read_done(job.folder, job.digest) == done
    assert done.epochs == {"head": 2, "fine_tune": 2}
    with pytest.raises(RunError, match="other pixels, weights or settings"):
        read_done(job.folder, "another")
    (job.folder / "predictions.csv").write_text("image\n")
    assert read_done(job.folder, job.digest) is None


def test_history_has_a_line_an_epoch(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    train_fold(job)
    lines = (job.folder / "history.csv").read_text().splitlines()
    assert lines[0].startswith("phase,epoch,loss,val_loss,val_accuracy,val_auc,lr,seconds")
    assert [line.split(",")[0] for line in lines[1:]] == ["head"] * 2 + ["fine_tune"] * 2
    events = [json.loads(line) for line in job.events.read_text().splitlines()]
    assert [e["kind"] for e in events] == ["fold_started", *["epoch"] * 4, "fold_done"]


def test_a_loss_that_diverges_is_said(tmp_path, table, folds, spec):
    from ensemble_kit.training import phases

    job = job_of(spec.override({"training": {"head_lr": 1.0}}), table, folds, tmp_path)
    original = phases.training_batches

    def poisoned(*arguments):
        for batch in original(*arguments):
            yield dataclasses.replace(batch, inputs=batch.inputs * np.float32(np.nan))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "training_batches", poisoned)
        with pytest.raises(FloatingPointError, match="lower the learning rate"):
            train_fold(job)
    assert not (job.folder / "done.json").exists()


def test_the_weights_kept_lie_between_the_solved_head_and_the_fine_tuned_network(
    tmp_path, table, folds, spec
):
    def trained(name, **training):
        asked = {"head": "probe", "early_stopping": "none"} | training
        job = job_of(spec.override({"training": asked}), table, folds, tmp_path / name)
        train_fold(job)
        return keras.models.load_model(job.folder / "model.keras").get_weights()

    start = trained("start", fine_tune_epochs=0)
    end = trained("end", fine_tuned_share=1.0)
    kept = trained("kept", fine_tuned_share=0.3)
    assert any(not np.array_equal(a, b) for a, b in zip(start, end, strict=True))
    for first, last, between in zip(start, end, kept, strict=True):
        assert np.allclose(between, 0.7 * first + 0.3 * last, atol=1e-6)
