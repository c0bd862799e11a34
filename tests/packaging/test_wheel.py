"""The wheel, installed where nothing else is, does the demonstration from an empty folder.

Minutes and about 2 GB of packages: run by `make test-wheel` (TEST_WHEEL=1), which builds it first.
"""

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from ensemble_kit.core.version import __version__


def test_the_study_of_the_sample_is_shipped_as_it_is(project: Path) -> None:
    shipped = (project / "ensemble_kit/study/sample.toml").read_bytes()
    assert shipped == (project / "studies/sample.toml").read_bytes()


def test_the_version_stands_in_one_place(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["dynamic"] == ["version"]
    assert settings["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "ensemble_kit.core.version.__version__"
    }
    changes = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {__version__}" in changes
    assert f"version: {__version__}" in (project / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("TEST_WHEEL"), reason="installs 2 GB: make test-wheel")
@pytest.mark.timeout(3000)
def test_the_wheel_does_the_demonstration_from_an_empty_folder(
    project: Path, tmp_path: Path
) -> None:
    (wheel,) = (project / "dist").glob(f"ensemble_kit-{__version__}-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    here = project / "ensemble_kit"
    wanted = {
        str(path.relative_to(project).as_posix())
        for path in here.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= names

    place, empty = tmp_path / "env", tmp_path / "empty"
    empty.mkdir()
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    told = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    programs = place / ("Scripts" if os.name == "nt" else "bin")

    def give(*words: object) -> str:
        done = subprocess.run(list(map(str, words)), cwd=empty, env=told, capture_output=True,
                              text=True, timeout=2400, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    give(programs / "python", "-m", "pip", "install", "--quiet", "--constraint",
         project / "constraints.txt", wheel)  # fmt: skip
    origin = give(programs / "python", "-c", "import ensemble_kit; print(ensemble_kit.__file__)")
    assert place in Path(origin.strip()).parents
    command = programs / "ensemble-kit"
    assert "sound" in give(command, "doctor")
    assert "macro AUC" in give(command, "cv", "--study", "sample", "--run", "demo")
    page = empty / give(command, "report", "demo").strip()
    assert "<html" in page.read_text(encoding="utf-8")[:500]
    assert page.stat().st_size > 500_000
    assert "demo" in give(command, "runs")
    installed = {path.name for path in place.rglob("*.dist-info")}
    assert f"ensemble_kit-{__version__}.dist-info" in installed
    assert not any(name.startswith(("pytest", "torch-", "jax-")) for name in installed)


def test_the_command_is_named_as_the_package() -> None:
    (found,) = (
        entry for entry in metadata.entry_points(group="console_scripts")
        if entry.name == "ensemble-kit"
    )  # fmt: skip
    assert found.value == "ensemble_kit.cli.start:main"
