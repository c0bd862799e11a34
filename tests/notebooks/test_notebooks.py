"""The notebooks under ``examples/`` run from the first cell to the last in an empty folder."""

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="not installed: make test-notebooks")
nbclient = pytest.importorskip("nbclient", reason="not installed: make test-notebooks")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.filterwarnings("ignore")]

LARGEST = 300_000
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch())
"""


def executed(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, first: str = "") -> Any:
    """The notebook after its run. first : a cell put before all others."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path.parents[1]), *_path()]))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(path, as_version=4)
    if first:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    nbclient.NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def _path() -> list[str]:
    return [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []


def outputs(notebook: Any, kind: str) -> list[Any]:
    """What was shown as this kind of data, such as image/png."""
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


def printed(notebook: Any) -> str:
    cells = [cell.get("outputs", ()) for cell in notebook.cells]
    return "".join(output.get("text", "") for shown in cells for output in shown)


def test_the_notebooks_are_shipped_without_outputs(project: Path) -> None:
    for path in (project / "examples").glob("*.ipynb"):
        assert path.stat().st_size < LARGEST
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), path.name
            assert not cell.get("execution_count"), path.name


def test_the_reference_study_runs_on_the_sample(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.perf_counter()
    notebook = executed(project / "examples/ham10000.ipynb", tmp_path, monkeypatch)
    print(f"ham10000.ipynb: {time.perf_counter() - began:.0f} s")
    assert len(outputs(notebook, "image/png")) == 8
    html = "".join(outputs(notebook, "text/html"))
    assert "<b>sample-notebook</b>, cv run of 332 images" in html
    assert "<b>sample-ensemble</b>, ensemble run" in html
    assert html.count("95% interval") == 2
    assert "<title>" in (tmp_path / "sample.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("with_torch", [False, True])
def test_a_table_of_predictions_is_judged_with_and_without_pytorch(
    with_torch: bool, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_torch and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    path = project / "examples/evaluate_pytorch.ipynb"
    notebook = executed(path, tmp_path, monkeypatch, "" if with_torch else WITHOUT_TORCH)
    assert ("PyTorch is not installed" in printed(notebook)) is not with_torch
    assert len(outputs(notebook, "image/png")) == 1
    assert (tmp_path / "mine.csv").is_file()
    assert "<title>" in (tmp_path / "mine-and-forest.html").read_text(encoding="utf-8")
