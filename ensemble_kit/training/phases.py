"""One phase of training: epochs, callbacks, the best epoch kept."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.disk import room_for
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.metrics.losses import class_aucs, log_losses
from ensemble_kit.models.draws import COLOUR, PHASES, FoldSeed, Phase, draw_epoch
from ensemble_kit.runs.folds import EpochRecord
from ensemble_kit.study import TrainingSpec
from ensemble_kit.training.probe import shifted
from ensemble_kit.training.sources import Source, prediction_batches, training_batches

PREDICT_BATCH = 32


@dataclass(frozen=True, eq=False)
class FoldRows:
    """The rows of one fold.

    train, stopping_rows : (m,) int; ``stopping_rows`` choose the epoch (may be empty).
    labels : (n,) int, targets : (n, C) one-hot, weights : (n,) of all rows of the table.
    shifts : (n, C) what metadata adds to the scores of each row; None: there is none.
    """

    train: Ints
    stopping_rows: Ints
    labels: Ints
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    shifts: Floats | None = None

    @property
    def asked(self) -> NDArray[np.float32]:
        """What the loss of :func:`compile_model` is given of each row: its targets (n, C), and
        the shifts of its scores beside them where there are any, (n, 2C)."""
        if self.shifts is None:
            return self.targets
        return np.hstack([self.targets, self.shifts.astype(np.float32)])


@dataclass(frozen=True)
class PhasePlan:
    """What a phase trains with. ``threshold``: validation loss that an epoch must beat."""

    phase: Phase
    epochs: int
    lr: float
    views: int
    spec: TrainingSpec
    threshold: float | None = None


def compile_model(model: Any, spec: TrainingSpec, *, shifted_scores: bool = False) -> None:
    """Attach AdamW (decoupled decay, Loshchilov & Hutter 2019) or Adam, and cross-entropy.

    shifted_scores : targets are :attr:`FoldRows.asked` with shifts, and the loss is that of the
    shifted scores.
    """
    import keras

    if spec.weight_decay > 0:
        optimizer = keras.optimizers.AdamW(weight_decay=spec.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    else:
        optimizer = keras.optimizers.Adam()
    loss: Any = keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing)
    if shifted_scores:
        loss = _loss_of_shifted(spec.label_smoothing)
    model.compile(optimizer=optimizer, loss=loss)


def _loss_of_shifted(smoothing: float) -> Any:
    """Cross-entropy of softmax(log p + shift), p the network's probabilities (B, C)."""
    import keras

    def loss(asked: Any, p: Any) -> Any:
        n_classes = p.shape[-1]
        targets = (1 - smoothing) * asked[:, :n_classes] + smoothing / n_classes
        scores = keras.ops.log(keras.ops.maximum(p, 1e-30)) + asked[:, n_classes:]
        return -keras.ops.sum(targets * keras.ops.log_softmax(scores), axis=-1)

    return loss


def weights_of(model: Any) -> list[NDArray[Any]]:
    """A copy of the trainable weights, in the model's order."""
    return [np.array(variable) for variable in model.trainable_variables]


def average_weights(model: Any, start: Sequence[NDArray[Any]], share: float) -> None:
    """Set the trainable weights to ``share`` of their own and 1 - share of ``start``.

    The straight line between a solved head on a frozen base and what fine-tuning made of it holds
    models that are less sure of themselves and rank no worse (Wortsman et al., "Robust fine-tuning
    of zero-shot models", CVPR 2022). start : as :func:`weights_of` gave before training.
    """
    if share == 1:
        return
    for variable, first in zip(model.trainable_variables, start, strict=True):
        variable.assign((1 - share) * first + share * np.array(variable))


def predict(model: Any, source: Source, rows: Ints, view: int = 0) -> Floats:
    """(m, C) probabilities of rows in one view, by default the identity; each row sums to 1."""
    parts = [
        np.asarray(model.predict_on_batch(batch.inputs), np.float64)[: batch.size]
        for batch in prediction_batches(source, rows, PREDICT_BATCH, view)
    ]
    if not parts:
        return np.empty((0, model.output_shape[-1]))
    probabilities = np.concatenate(parts)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def pooled_features(part: Any, source: Source, rows: Ints) -> NDArray[np.float32]:
    """(m, F) pooled features of rows in the identity view.

    part : model from the source's rows to them; None where the source holds them already.
    """
    parts = []
    for batch in prediction_batches(source, rows, PREDICT_BATCH):
        found = batch.inputs if part is None else part.predict_on_batch(batch.inputs)
        parts.append(np.asarray(found, np.float32)[: batch.size])
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def run_phase(
    model: Any,
    source: Source,
    rows: FoldRows,
    plan: PhasePlan,
    seed: FoldSeed,
    checkpoint: Path,
    *,
    tensorboard: Path | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> list[EpochRecord]:
    """Train a compiled model and leave it with its best epoch's weights.

    With early-stopping rows the best epoch has the least log loss on them and must beat
    ``plan.threshold``; without, it is the last. Raises FloatingPointError if the loss diverges.
    """
    import keras

    _start_afresh(model.optimizer, plan.lr)
    stopping = len(rows.stopping_rows) > 0
    start = model.get_weights() if stopping else None
    checkpoint.unlink(missing_ok=True)
    callbacks = keras.callbacks.CallbackList(
        _callbacks(plan, checkpoint, stopping, tensorboard),
        model=model,
        epochs=plan.epochs,
    )
    model.stop_training = False
    callbacks.on_train_begin()
    try:
        with room_for(checkpoint):
            history = _epochs(model, source, rows, plan, seed, callbacks, on_epoch)
        callbacks.on_train_end()
        if checkpoint.is_file():
            model.load_weights(checkpoint)
        elif start is not None:
            model.set_weights(start)
    finally:
        checkpoint.unlink(missing_ok=True)
    return history


def _epochs(
    model: Any,
    source: Source,
    rows: FoldRows,
    plan: PhasePlan,
    seed: FoldSeed,
    callbacks: Any,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> list[EpochRecord]:
    history: list[EpochRecord] = []
    for epoch in range(plan.epochs):
        callbacks.on_epoch_begin(epoch)
        record = _run_epoch(model, source, rows, plan, seed, epoch)
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)
        logs: dict[str, float | None] = {"loss": record.loss, "learning_rate": record.lr}
        if record.val_loss is not None:
            logs |= {"val_loss": record.val_loss, "val_auc": record.val_auc}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    return history


def cosine_share(step: int, steps: int, warmup: float) -> float:
    """Share of the full rate at one of ``steps``: a straight rise over ``warmup``, then a cosine
    to 0 (Loshchilov & Hutter, "SGDR", 2017; Goyal et al., "Accurate, large minibatch SGD", 2017).
    """
    rise = warmup * steps
    if step < rise:
        return min(1.0, (step + 1) / rise)
    return (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


def _run_epoch(
    model: Any, source: Source, rows: FoldRows, plan: PhasePlan, seed: FoldSeed, epoch: int
) -> EpochRecord:
    began = time.perf_counter()
    draw = draw_epoch(rows.train, plan.views, seed, plan.phase, epoch)
    stream = seed.generator(COLOUR, PHASES.index(plan.phase), epoch)
    size = plan.spec.batch_size
    steps = -(-len(draw.rows) // size)
    loss = 0.0
    batches = training_batches(source, draw, rows.asked, rows.weights, size, stream)
    for step, batch in enumerate(batches):
        if plan.spec.schedule == "cosine":
            share = cosine_share(epoch * steps + step, plan.epochs * steps, plan.spec.warmup)
            model.optimizer.learning_rate = plan.lr * share
        model.reset_metrics()
        logs = model.train_on_batch(
            batch.inputs, batch.targets, sample_weight=batch.weights, return_dict=True
        )
        loss += float(logs["loss"]) * size / len(draw.rows)
    seconds = time.perf_counter() - began
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss became {loss} in epoch {epoch + 1} of the {plan.phase} phase; "
            "lower the learning rate"
        )
    scores: dict[str, float | None] = dict.fromkeys(("log_loss", "accuracy", "roc_auc"))
    if len(rows.stopping_rows):
        probabilities = predict(model, source, rows.stopping_rows)
        if rows.shifts is not None:
            probabilities = shifted(probabilities, rows.shifts[rows.stopping_rows])
        scores = stopping_scores(rows.labels[rows.stopping_rows], probabilities)
    return EpochRecord(
        phase=plan.phase,
        epoch=epoch,
        loss=loss,
        val_loss=scores["log_loss"],
        val_accuracy=scores["accuracy"],
        val_auc=scores["roc_auc"],
        lr=float(np.asarray(model.optimizer.learning_rate)),
        seconds=seconds,
        images_per_second=len(draw.rows) / seconds,
    )


def _callbacks(
    plan: PhasePlan, checkpoint: Path, stopping: bool, tensorboard: Path | None
) -> list[Any]:
    from keras import callbacks

    chosen: list[Any] = []
    if stopping:
        patience = plan.spec.patience
        chosen = [
            callbacks.ModelCheckpoint(
                checkpoint,
                monitor="val_loss",
                mode="min",
                save_best_only=True,
                save_weights_only=True,
                initial_value_threshold=plan.threshold,
            ),
            callbacks.EarlyStopping("val_loss", patience=patience),
        ]
        if plan.spec.schedule == "plateau":
            halve = callbacks.ReduceLROnPlateau(
                "val_loss", factor=0.5, patience=max(1, patience // 2)
            )
            chosen.append(halve)
    if tensorboard is not None:
        chosen.append(callbacks.TensorBoard(tensorboard / plan.phase, write_graph=False))
    return chosen


def _start_afresh(optimizer: Any, lr: float) -> None:
    """Zero the optimizer's moments and step count, so that a used one equals a new one."""
    optimizer.learning_rate = lr
    for variable in optimizer.variables:
        if variable is not optimizer._learning_rate:
            variable.assign(np.zeros(variable.shape, dtype=str(variable.dtype)))


def stopping_scores(labels: Ints, probabilities: Floats) -> dict[str, float | None]:
    """Log loss, accuracy and macro one-vs-rest AUC over the classes that are present."""
    aucs = class_aucs(labels, probabilities)
    return {
        "log_loss": float(log_losses(labels, probabilities).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "roc_auc": None if np.isnan(aucs).all() else float(np.nanmean(aucs)),
    }
