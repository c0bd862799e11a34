"""The folder of a fold: ``done.json``, ``history.csv`` and the tables of probabilities."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar

from pydantic import field_validator

from ensemble_kit.core.atomic import sha256_of_file, write_text
from ensemble_kit.core.errors import RunError, reason, some
from ensemble_kit.core.records import Predictions
from ensemble_kit.data.predictions import predictions_csv, read_predictions
from ensemble_kit.models.draws import PHASES, Phase
from ensemble_kit.runs.paths import (
    DONE,
    HISTORY,
    IDENTITY_VIEW,
    OLD_IDENTITY_VIEW,
    PREDICTIONS,
    PROBE,
)
from ensemble_kit.runs.records import Record


class FoldDone(Record):
    """What ``done.json`` records of a fold. Seconds by phase, bytes of peak memory, sha256 by
    file. Written last: a fold without it is not finished."""

    FILE: ClassVar[str] = DONE
    REMEDY: ClassVar[str] = "remove the fold's folder and give `cv` again"
    UNVERSIONED: ClassVar[bool] = True

    digest: str
    repeat: int
    fold: int
    epochs: dict[str, int]
    seconds: dict[str, float]
    images_per_second: dict[str, float]
    peak_memory: int
    device: dict[str, str]
    files: dict[str, str]
    format_version: int = 1

    @field_validator("device")
    @classmethod
    def _says_threads(cls, device: dict[str, str]) -> dict[str, str]:
        if "threads" not in device:
            raise ValueError("lacks 'threads'")
        return device

    def whole(self, folder: Path) -> bool:
        """Whether every file is there as it was written."""
        try:
            return all(sha256_of_file(folder / name) == sha for name, sha in self.files.items())
        except OSError:
            return False


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``history.csv``; losses in nats, times in seconds.

    The ``val_`` figures are of the early-stopping rows, None where there are none."""

    phase: Phase
    epoch: int
    loss: float
    val_loss: float | None
    val_accuracy: float | None
    val_auc: float | None
    lr: float
    seconds: float
    images_per_second: float


COLUMNS = tuple(field.name for field in fields(EpochRecord))


def write_history(folder: Path, history: Sequence[EpochRecord]) -> str:
    """Write ``history.csv``, an epoch a row; its name."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in history)
    write_text(folder / HISTORY, buffer.getvalue())
    return HISTORY


def has_history(folder: Path) -> bool:
    """Whether a fold's folder says how it was trained."""
    return (folder / HISTORY).is_file()


def read_history(folder: Path) -> tuple[EpochRecord, ...]:
    """Read ``history.csv``. Raises RunError where it is missing or damaged."""
    path = folder / HISTORY
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            missing = [name for name in COLUMNS if name not in names]
            if missing:
                raise RunError(f"{path}: lacks column {some(missing)}; the run is damaged")
            return tuple(_epoch(row) for row in reader)
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise RunError(f"{path}: cannot be read ({reason(error)}); the run is damaged") from None


def write_fold_predictions(
    folder: Path, mean: Predictions, identity: Predictions | None = None
) -> tuple[str, ...]:
    """Write the probabilities of the rows a fold held out; the names written.

    identity : those of the view that is neither turned nor mirrored, where ``mean`` is over more.
    """
    write_text(folder / PREDICTIONS, predictions_csv(mean))
    if identity is None:
        return (PREDICTIONS,)
    write_text(folder / IDENTITY_VIEW, predictions_csv(identity))
    return PREDICTIONS, IDENTITY_VIEW


def write_fold_probe(folder: Path, probe: Predictions, name: str = PROBE) -> str:
    """Write what the linear probe gives to the rows a fold held out; the name written."""
    write_text(folder / name, predictions_csv(probe))
    return name


def fold_probe(folder: Path, name: str = PROBE) -> Predictions | None:
    """The linear probe's probabilities of those rows; None where the fold has none."""
    return read_predictions(folder / name) if (folder / name).is_file() else None


def fold_predictions(folder: Path) -> Predictions:
    """The probabilities a finished fold gave to the images it held out."""
    return read_predictions(folder / PREDICTIONS)


def identity_predictions(folder: Path) -> Predictions:
    """What the fold's saved model gives to those images in the identity view
    (neither flipped nor rotated)."""
    for name in (IDENTITY_VIEW, OLD_IDENTITY_VIEW):
        if (folder / name).is_file():
            return read_predictions(folder / name)
    return fold_predictions(folder)


def _epoch(row: dict[str, str]) -> EpochRecord:
    phase = row["phase"]
    if phase not in PHASES:
        raise ValueError(f"phase {phase!r}")
    return EpochRecord(
        phase, int(row["epoch"]), float(row["loss"]),
        _figure(row["val_loss"]), _figure(row["val_accuracy"]), _figure(row["val_auc"]),
        float(row["lr"]), float(row["seconds"]), float(row["images_per_second"]),
    )  # fmt: skip


def _figure(text: str) -> float | None:
    return None if text == "" else float(text)
