"""Finished `cv` runs of the compact network on coloured squares, made once."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from tests.training.conftest import write_squares

SETTINGS = [
    "--data", "data", "--backbone", "compact", "--weights", "none", "--image-size", "48",
    "--folds", "3", "--head-epochs", "3", "--fine-tune-epochs", "2", "--head-lr", "0.01",
    "--batch-size", "16", "--early-stopping", "none", "--set", "training.store_dtype=float32", "-q",
]  # fmt: skip


def give(*words: str) -> None:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``data``, ``store`` and ``runs/{tail,head,both}``; not to be changed.

    tail trains two blocks with two views, head none; both is an ensemble of the two.
    """
    place = tmp_path_factory.mktemp("shop")
    write_squares(place / "data", lesions=8, photos=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        give("cv", *SETTINGS, "--unfreeze-depth", "2", "--views", "2", "--predict-views", "2",
             "--run", "tail")  # fmt: skip
        give("cv", *SETTINGS, "--unfreeze-depth", "0", "--augment", "none", "--run", "head")
        give("ensemble", "tail", "head", "--name", "both", "--replicates", "50")
    return place


@pytest.fixture
def place(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in, and the working directory."""
    shutil.copytree(shop, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"
