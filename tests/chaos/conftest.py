"""A folder of one of every file, made once, copied for those who change it."""

from pathlib import Path

import pytest

from tests.chaos.workplace import fresh_copy, make_workplace


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("chaos") / "made")


@pytest.fixture(scope="module")
def workplace(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for the tests of one module, which leave it as it was."""
    return fresh_copy(made, tmp_path_factory.mktemp("copy") / "w")


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy for one test."""
    return fresh_copy(made, tmp_path / "w")
