"""Every random choice of a fold's training, drawn from named seeds and nothing else."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Ints

Phase = Literal["head", "fine_tune"]
PHASES: tuple[Phase, ...] = ("head", "fine_tune")
HEAD_INIT, DROPOUT, COLOUR, INNER, PROBE, MIX = 101, 102, 103, 104, 105, 106


@dataclass(frozen=True)
class FoldSeed:
    """Names one fold of one draw of folds."""

    seed: int
    repeat: int
    fold: int

    def generator(self, *purpose: int) -> np.random.Generator:
        """An independent stream for each purpose."""
        return np.random.default_rng([self.seed, self.repeat, self.fold, *purpose])

    def number(self, purpose: int) -> int:
        """A 31-bit seed for a framework."""
        return int(self.generator(purpose).integers(2**31 - 1))


@dataclass(frozen=True, eq=False)
class EpochDraw:
    """Order of the training rows in one epoch and the view drawn for each. Both (m,) int."""

    rows: Ints
    views: Ints


def draw_epoch(rows: Ints, views: int, seed: FoldSeed, phase: Phase, epoch: int) -> EpochDraw:
    """Shuffle ``rows`` and draw one of ``views`` views for each, the same wherever it is read."""
    generator = seed.generator(PHASES.index(phase), epoch)
    order = generator.permutation(len(rows))
    return EpochDraw(rows[order], generator.integers(0, views, len(rows), dtype=np.int64))


def initial_head(features: int, classes: int, seed: FoldSeed) -> NDArray[np.float32]:
    """Glorot-uniform kernel (features, classes) of a fold's new head."""
    limit = np.sqrt(6.0 / (features + classes))
    return seed.generator(HEAD_INIT).uniform(-limit, limit, (features, classes)).astype(np.float32)
