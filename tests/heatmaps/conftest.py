"""A finished `cv` run of the compact network on coloured squares, made once."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from tests.training.conftest import write_squares


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``data``, ``store`` and ``runs/squares``; not to be changed."""
    place = tmp_path_factory.mktemp("explained")
    write_squares(place / "data", lesions=6, photos=2)
    words = ["cv", "--data", "data", "--backbone", "compact", "--weights", "none",
             "--image-size", "48", "--folds", "2", "--head-epochs", "3", "--fine-tune-epochs", "2",
             "--head-lr", "0.01", "--augment", "none", "--run", "squares", "-q"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in, and the working directory."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"
