"""What eight bits cost: an int8 file's fold models judged on images that each held out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.core.records import Floats, ImageTable, Predictions
from ensemble_kit.data.decode import decode
from ensemble_kit.models.export_formats import Run
from ensemble_kit.posthoc.selection.scoreboard import scoreboard
from ensemble_kit.runs.folder import read_run_study
from ensemble_kit.runs.folds import fold_predictions
from ensemble_kit.workflows.agreement import batch_of
from ensemble_kit.workflows.shipped import Shipped, apply_saved_ensemble

MOST_IMAGES = 2000
"""Images that the loss is measured on; of larger runs a part, with the run's shares of classes."""
FIGURES = ("roc_auc_ovr", "log_loss", "balanced_accuracy")


@dataclass(frozen=True)
class Change:
    """One figure out of fold. as_run, int8 : on the same images. difference : int8 minus as_run,
    with an interval that resamples groups."""

    metric: str
    as_run: float | None
    int8: float | None
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Quantized:
    """words : what is held in int8. largest : largest difference of an out-of-fold probability.
    same_decision : share of these images with the run's own decision."""

    words: str
    images: int
    groups: int
    largest: float
    same_decision: float
    changes: tuple[Change, ...]

    def plain(self) -> dict[str, Any]:
        return {"kind": "int8", **asdict(self)}

    @property
    def sentence(self) -> str:
        """What is lost, in words."""
        auc = next(change for change in self.changes if change.metric == "roc_auc_ovr")
        told = "not estimable"
        if auc.as_run is not None and auc.int8 is not None and auc.difference is not None:
            told = f"{auc.as_run:.4f} as the run, {auc.int8:.4f} in int8: {auc.difference:+.5f}"
            if auc.low is not None and auc.high is not None:
                told += f" ({auc.low:+.5f} to {auc.high:+.5f})"
        return (
            f"int8 ({self.words}): macro AUC out of fold {told}; {self.same_decision:.1%} of "
            f"{self.images:,} decisions the same, probabilities at most {self.largest:.2g} apart"
        )


def loss_of(shipped: Shipped, run: Run, words: str) -> Quantized:
    """Compare an int8 file with the run, out of fold.

    run : pixels (B, S, S, 3) -> (B, K, C), every fold model of every member in their order. Each
    image is judged by the fold models that held it out, in both with the chain that ships.
    """
    table = shipped.run.table
    rows = judged(table)
    part = table.take(rows)
    found = _answers(shipped, run, part.image_ids.tolist())
    ids = part.image_ids.tolist()
    before, after, start = [], [], 0
    for member in shipped.members:
        wanted = list(member.columns)
        place: dict[str, int] = {}
        given: dict[str, Floats] = {}
        for k, source in enumerate(member.folds):
            kept = fold_predictions(source.folder)
            for name, p in zip(kept.image_ids.tolist(), kept.probabilities, strict=True):
                if place.setdefault(name, k) == k:
                    given[name] = p[wanted]
        own = found[np.arange(len(ids)), [start + place[name] for name in ids]]
        before.append(np.stack([given[name] for name in ids])[None])
        after.append(np.asarray(own, np.float64)[None])
        start += len(member.folds)
    return _compared(shipped, part, [apply_saved_ensemble(shipped.bundle, p) for p in
                                     (before, after)], words)  # fmt: skip


def _compared(shipped: Shipped, table: ImageTable, pair: Sequence[Floats], words: str) -> Quantized:
    study = read_run_study(shipped.run.folder)
    named = [
        (name, Predictions(table.image_ids, table.class_names, p))
        for name, p in zip(("as run", "int8"), pair, strict=True)
    ]
    first, second = scoreboard(table, named, study.evaluation, study.split.seed)
    changes = []
    for metric in FIGURES:
        gap = second.minus_first[metric]
        changes.append(
            Change(metric, first.figures[metric].value, second.figures[metric].value, gap.value,
                   gap.low, gap.high)
        )  # fmt: skip
    decide = shipped.decision.decide
    return Quantized(
        words, len(table), table.n_groups, float(np.abs(pair[0] - pair[1]).max()),
        float((decide(pair[0]) == decide(pair[1])).mean()), tuple(changes),
    )  # fmt: skip


def judged(table: ImageTable, most: int = MOST_IMAGES) -> NDArray[np.int64]:
    """Rows to measure on: all, or ``most`` spread evenly over the classes' own shares."""
    if len(table) <= most:
        return np.arange(len(table))
    order = np.random.default_rng(0).permutation(len(table))
    share = np.empty(len(table))
    for code in range(table.n_classes):
        rows = order[table.labels[order] == code]
        share[rows] = np.arange(len(rows)) / max(len(rows), 1)
    return np.sort(np.lexsort((order, share))[:most])


def _answers(shipped: Shipped, run: Run, ids: Sequence[str]) -> NDArray[np.float32]:
    """(n, K, C) of the images, decoded a batch at a time."""
    member = shipped.members[0]
    table, spec = member.run.table, member.spec
    paths = dict(zip(table.image_ids.tolist(), table.paths.tolist(), strict=True))
    parts, batch = [], batch_of(shipped)
    for start in range(0, len(ids), batch):
        try:
            pixels = [
                decode(Path(table.root) / str(paths[name]), spec.image_size, spec.aspect)
                for name in ids[start : start + batch]
            ]
        except DataError as error:
            raise RunError(
                f"what int8 loses is measured on the run's own images, and {error}; bring them "
                "back to where the run read them, or export without --quantize"
            ) from None
        parts.append(np.asarray(run(np.stack(pixels).astype(np.float32))))
    return np.concatenate(parts)
