"""A fold model of a table: features made elsewhere, metadata, or both; no image, no framework."""

import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.atomic import sha256_of_file, write_bytes, write_json
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.disk import make_folder
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.records import Floats, Folds, ImageTable, Ints, Predictions, Strings
from ensemble_kit.data.binary_tables import open_npz
from ensemble_kit.data.encoding import ColumnEncoder, encode, fit_encoder
from ensemble_kit.data.features import FeatureTable
from ensemble_kit.models.draws import PROBE, FoldSeed
from ensemble_kit.posthoc.convex.softmax_regression import Float32s
from ensemble_kit.runs.features import write_features
from ensemble_kit.runs.folds import FoldDone, write_fold_predictions, write_fold_probe
from ensemble_kit.runs.paths import DONE, ENCODERS, FEATURES, TABLE_MODEL, WITHOUT_METADATA
from ensemble_kit.runs.paths import PROBE as PROBE_ROWS
from ensemble_kit.study import StudySpec
from ensemble_kit.training.fold import class_weights
from ensemble_kit.training.head import score_shift
from ensemble_kit.training.network_head import NetworkHead, fit_network
from ensemble_kit.training.probe import Probe, fit_probe, shifted
from ensemble_kit.training.trees import Trees, fit_trees

ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class TableInputs:
    """Rows in the table's order. x : (n, F) float32 or None. columns : metadata, name -> (n,) str,
    ``""`` where missing. digest : of both. names : F names of the features."""

    x: NDArray[np.float32] | None
    columns: Mapping[str, Strings]
    digest: str = ""
    names: tuple[str, ...] = ()


def join_inputs(features: FeatureTable | None, columns: Mapping[str, Strings]) -> TableInputs:
    """Features (in the table's order) and metadata as one value, with the digest of both."""
    digest = digest_of(
        features.digest if features else "",
        [(name, [str(value) for value in values]) for name, values in columns.items()],
    )
    if features is None:
        return TableInputs(None, columns, digest)
    return TableInputs(features.x, columns, digest, features.names)


@dataclass(frozen=True, eq=False)
class TableModel:
    """head : multinomial logistic regression, or networks, on features and encoded metadata.
    trees : beside it for metadata alone; the probabilities are then the mean of both. shift : (C,)
    of the scores. names : of the features; () for none, and in models written before names were
    kept. spread : (2, F) means and deviations of the training rows; None without features, and in
    older models."""

    encoders: tuple[ColumnEncoder, ...]
    head: Probe | NetworkHead
    trees: Trees | None
    shift: Floats
    names: tuple[str, ...] = ()
    spread: Float32s | None = None

    @property
    def n_features(self) -> int:
        """Features beside the metadata."""
        return self.head.n_inputs - sum(encoder.width for encoder in self.encoders)

    def probabilities(self, inputs: TableInputs, rows: Ints) -> Floats:
        """(m, C); each row sums to 1."""
        x = _joined(inputs, self.encoders, rows)
        p = self.head.probabilities(x)
        if self.trees is not None:
            p = (p + self.trees.probabilities(x.astype(np.float64))) / 2
        return shifted(p, self.shift)

    def compared(self, x: Float32s) -> Float32s:
        """(m, F + 1) features as they are compared with those of other images: standardised, beside
        a constant, so that rows brought to length 1 still differ in size; (m, 0) where the model
        does not know how."""
        if self.spread is None:
            return np.empty((len(x), 0), np.float32)
        constant = np.full((len(x), 1), math.sqrt(x.shape[1]), np.float32)
        return np.hstack([(x - self.spread[0]) / self.spread[1], constant])

    def write(self, folder: Path) -> tuple[str, ...]:
        """Encoders as JSON, numbers as npz; the names written."""
        write_json(folder / ENCODERS, [encoder.to_json() for encoder in self.encoders])
        arrays: dict[str, Any] = self.head.arrays()
        arrays |= {"shift": self.shift, "names": np.array(self.names, np.str_)}
        if self.spread is not None:
            arrays["spread"] = self.spread
        if self.trees is not None:
            arrays |= {f"trees_{name}": a for name, a in self.trees.arrays().items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_bytes(folder / TABLE_MODEL, buffer.getvalue())
        return ENCODERS, TABLE_MODEL


def read_table_model(folder: Path) -> TableModel:
    """The model of a fold. Raises RunError where it is missing or damaged."""
    done = FoldDone.read(folder)
    if not done.whole(folder):
        raise RunError(f"{folder}: its files are not those the run wrote; make the run again")
    arrays = open_npz(folder / TABLE_MODEL)
    encoders = parse_json((folder / ENCODERS).read_text(encoding="utf-8"))
    trees = {n.removeprefix("trees_"): a for n, a in arrays.items() if n.startswith("trees_")}
    head = NetworkHead if "hidden" in arrays else Probe
    return TableModel(
        tuple(ColumnEncoder.from_json(values) for values in encoders),
        head.of_arrays(arrays),
        Trees.of_arrays(trees) if trees else None,
        arrays["shift"],
        tuple(arrays["names"].tolist()) if "names" in arrays else (),
        arrays.get("spread"),
    )


def fit_table_model(
    inputs: TableInputs, table: ImageTable, train: Ints, spec: StudySpec, seed: FoldSeed
) -> TableModel:
    """Fit to the rows ``train`` (m,); encoders, penalty (inner folds of whole groups) and all."""
    encoders = tuple(fit_encoder(name, c[train]) for name, c in inputs.columns.items())
    labels, n_classes = table.labels.astype(np.int64), table.n_classes
    by_class = class_weights(labels, train, n_classes, spec.training)
    weights = by_class[labels].astype(np.float32)

    def read(rows: Ints, view: int) -> NDArray[np.float32]:
        return _joined(inputs, encoders, rows)

    groups, stream = table.group_codes, seed.generator(PROBE)
    head: Probe | NetworkHead
    if spec.training.head == "network":
        head = fit_network(
            lambda rows: read(rows, 0), train, labels, groups, weights, n_classes, spec, stream
        )
    else:
        head = fit_probe(read, train, 1, labels, groups, weights, n_classes, stream)
    trees = None
    if inputs.x is None:
        x = read(train, 0).astype(np.float64)
        w = weights[train].astype(np.float64)
        trees = fit_trees(x, labels[train], w, n_classes, seed.number(PROBE))
    shift = score_shift(labels, train, n_classes, spec.training)
    spread = None if inputs.x is None else _spread(inputs.x, train)
    return TableModel(encoders, head, trees, shift, inputs.names, spread)


def _spread(x: Float32s, rows: Ints) -> Float32s:
    """(2, F) mean and deviation of some rows, 1 where they have none."""
    pieces = np.array_split(rows, max(1, len(rows) // ROWS_AT_ONCE))
    mean = np.sum([x[piece].sum(axis=0, dtype=np.float64) for piece in pieces], axis=0) / len(rows)
    centred = (x[piece] - mean.astype(np.float32) for piece in pieces)
    squares = [np.einsum("ij,ij->j", part, part) for part in centred]
    deviation = np.sqrt(np.sum(squares, axis=0, dtype=np.float64) / len(rows))
    return np.stack([mean, np.where(deviation > 0, deviation, 1.0)]).astype(np.float32)


def fit_table_fold(
    inputs: TableInputs, table: ImageTable, folds: Folds, spec: StudySpec, seed: FoldSeed,
    folder: Path, digest: str,
) -> FoldDone:  # fmt: skip
    """Fit one fold, write its model and held-out rows, ``done.json`` last."""
    began = time.perf_counter()
    train = np.flatnonzero((folds.fold != seed.fold) & (folds.fold >= 0))
    held = np.flatnonzero(folds.fold == seed.fold)
    model = fit_table_model(inputs, table, train, spec, seed)
    p = Predictions(table.image_ids[held], table.class_names, model.probabilities(inputs, held))
    make_folder(folder)
    (folder / DONE).unlink(missing_ok=True)
    names = [*model.write(folder), *write_fold_predictions(folder, p)]
    if inputs.x is not None:
        write_features(folder / FEATURES, model.compared(inputs.x[held]))
        names.append(FEATURES)
    for name, seen in _linear_models_beside(inputs, spec).items():
        linear = spec.override({"training": {"head": "probe"}})
        of_linear = fit_table_model(seen, table, train, linear, seed).probabilities(seen, held)
        rows = Predictions(table.image_ids[held], table.class_names, of_linear)
        names.append(write_fold_probe(folder, rows, name))
    seconds = time.perf_counter() - began
    done = FoldDone(
        digest=digest, repeat=seed.repeat, fold=seed.fold, epochs={}, seconds={"head": seconds},
        images_per_second={"head": len(train) / seconds}, peak_memory=0, device={"threads": "0"},
        files={name: sha256_of_file(folder / name) for name in names},
    )  # fmt: skip
    done.write(folder)
    return done


def _linear_models_beside(inputs: TableInputs, spec: StudySpec) -> dict[str, TableInputs]:
    """File -> inputs of the linear models that a fold model is compared with: of the same inputs
    where it is a network, without metadata where there is some."""
    beside = {}
    if spec.training.head == "network":
        beside[PROBE_ROWS] = inputs
    if inputs.x is not None and inputs.columns:
        beside[WITHOUT_METADATA] = replace(inputs, columns={})
    return beside


def _joined(
    inputs: TableInputs, encoders: Sequence[ColumnEncoder], rows: Ints
) -> NDArray[np.float32]:
    """(m, F) features and encoded metadata of some rows."""
    if not encoders:
        assert inputs.x is not None
        return np.asarray(inputs.x[rows])
    columns = {name: column[rows] for name, column in inputs.columns.items()}
    encoded = encode(encoders, columns).astype(np.float32)
    return encoded if inputs.x is None else np.hstack([inputs.x[rows], encoded])
