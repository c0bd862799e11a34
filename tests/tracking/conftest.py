"""A small trained run, with everything that was told while it trained."""

from dataclasses import dataclass
from typing import Any

import pytest

from ensemble_kit.study import StudySpec
from ensemble_kit.training.preparing import Resources
from ensemble_kit.workflows.cross_validation import cross_validate
from ensemble_kit.workflows.finished import FinishedRun
from tests.training.conftest import write_squares

SMALL: dict[str, Any] = {
    "split": {"folds": 2},
    "model": {"backbone": "compact", "weights": "none", "image_size": 48, "unfreeze_depth": 2},
    "training": {"head_epochs": 1, "fine_tune_epochs": 2, "views": 1, "batch_size": 16},
    "evaluation": {"replicates": 100},
}


@dataclass(frozen=True, eq=False)
class Trained:
    """heard : kind and facts of every step, in order."""

    run: FinishedRun
    heard: list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    pytest.importorskip("keras")
    place = tmp_path_factory.mktemp("tracked")
    heard: list[tuple[str, dict[str, Any]]] = []
    run = cross_validate(
        write_squares(place / "data"), StudySpec(**SMALL), name="tiny", runs_dir=place / "runs",
        resources=Resources(place / "store"),
        tell=lambda kind, **facts: heard.append((kind, facts)),
    )  # fmt: skip
    return Trained(run, heard)
