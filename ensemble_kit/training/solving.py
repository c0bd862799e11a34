"""The head of a fold solved before any epoch: on pooled features, and metadata where asked for."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats
from ensemble_kit.data.encoding import encode, fit_encoder
from ensemble_kit.models.draws import PROBE
from ensemble_kit.runs.folds import EpochRecord
from ensemble_kit.stores.activations import open_store
from ensemble_kit.training.head import Features, solve_head
from ensemble_kit.training.jobs import FoldJob
from ensemble_kit.training.metadata_head import MetadataHead, split_kernel
from ensemble_kit.training.model_cache import ModelCache
from ensemble_kit.training.phases import FoldRows
from ensemble_kit.training.probe import Probe
from ensemble_kit.training.sources import PixelSource, Source, StoredSource


def pixel_source(job: FoldJob) -> Source:
    return PixelSource(job.pixels.open(), job.spec.training.augment == "online")


def stored_at(job: FoldJob, depth: int) -> StoredSource | None:
    keys = [key for key in job.keys if key.depth == depth]
    return StoredSource(open_store(job.store_dir, keys[0])) if keys else None


@dataclass(frozen=True, eq=False)
class Solved:
    """The head solved on a fold's pooled features, with metadata where there is any.

    kernel : (F, C), bias : (C,) of the network. rows : the fold's, with what metadata adds to
    their scores. probe, without : probabilities (m, C) of held-out rows, by view, of the solved
    head and of one without metadata (empty where there is none).
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    record: EpochRecord
    rows: FoldRows
    probe: list[Floats]
    without: list[Floats]
    metadata: MetadataHead | None = None


def solve_fold(job: FoldJob, cache: ModelCache, rows: FoldRows, views: int) -> Solved:
    stored = stored_at(job, 0)
    network = None if stored is not None else cache.staged.pooled
    features = Features(stored, pixel_source(job), network)

    def solve(chosen: Features) -> tuple[Probe, EpochRecord, list[Floats]]:
        stream, n_classes = job.seed.generator(PROBE), len(job.class_names)
        probe, record = solve_head(chosen, rows, job.groups, job.views, n_classes, stream)
        return probe, record, [probe.probabilities(chosen.read(job.held, v)) for v in range(views)]

    if not job.metadata:
        probe, record, held = solve(features)
        return Solved(probe.kernel, probe.bias, record, rows, held, [])
    encoders = tuple(fit_encoder(name, c[job.train]) for name, c in job.metadata.items())
    coded = encode(encoders, job.metadata).astype(np.float32)
    probe, record, held = solve(replace(features, beside=coded))
    kernel, bias, head = split_kernel(encoders, probe.kernel, probe.bias, coded[job.train])
    rows = replace(rows, shifts=head.shift(job.metadata))
    without = solve(features)[2] if job.keep_model else []
    return Solved(kernel, bias, record, rows, held, without, head)
