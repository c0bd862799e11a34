"""Nothing of Unix alone is needed to import the package, nor to evaluate, ensemble and report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_ensemble import frame


def elsewhere(place: Path, project: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.packaging.elsewhere", *words],
        cwd=place, capture_output=True, text=True, timeout=400, check=False,
        env=os.environ | {"PYTHONPATH": str(project)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_is_imported(project: Path, tmp_path: Path) -> None:
    words = elsewhere(tmp_path, project, "import").split()
    files = [p for p in (project / "ensemble_kit").rglob("*.py") if p.name != "__main__.py"]
    assert words[0] == "imported"
    assert int(words[1]) == len(files)


@pytest.mark.slow
def test_evaluate_ensemble_report_and_runs(project: Path, tmp_path: Path) -> None:
    for m, name in enumerate("AB"):
        frame(m).to_csv(tmp_path / f"{name}.csv", index=False)
    files = ["--predictions", "A.csv", "--predictions", "B.csv"]
    assert "roc_auc_ovr" in elsewhere(tmp_path, project, "evaluate", *files, "--replicates", "50")
    elsewhere(tmp_path, project, "ensemble", *files, "--name", "both", "--replicates", "50")
    page = elsewhere(tmp_path, project, "report", "both", "--quiet").strip()
    assert "<html" in (tmp_path / page).read_text(encoding="utf-8")[:500]
    assert "both" in elsewhere(tmp_path, project, "runs")
    assert "not told" in elsewhere(tmp_path, project, "doctor")
    elsewhere(tmp_path, project, "runs", "rm", "both", "--yes")
    assert not (tmp_path / "runs" / "both").exists()


def test_whether_a_process_lives_is_asked_without_a_signal() -> None:
    """Signal 0 is a question on Unix and Ctrl-C on Windows."""
    from ensemble_kit.core.atomic import alive

    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert alive(os.getpid())
    assert not alive(ended.pid)
    source = Path(sys.modules[alive.__module__].__file__ or "").read_text(encoding="utf-8")
    assert "os.kill" not in source
