"""`report` as a user gives it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import EnsembleKitError, OutputError, PredictionsError, RunError
from ensemble_kit.runs.folder import Run
from tests.reporting.conftest import MakeRun, guesses, make_run, plain_run  # noqa: F401


def report(*words: str | Path) -> str:
    """Standard output of the command; its errors are raised."""
    done = CliRunner().invoke(app, ["report", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def in_project(
    project: Path, *words: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=project, text=True, capture_output=True, timeout=120, check=False,
        env=os.environ | environment,
    )  # fmt: skip


def test_it_writes_the_page_and_the_numbers(plain_run: Run, tmp_path: Path) -> None:  # noqa: F811
    page = tmp_path / "deep" / "page.html"
    said = report(plain_run.folder, "--out", page, "--numbers", page.with_suffix(".json"))
    assert said.strip() == str(page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    numbers = json.loads((page.parent / "page.json").read_text(encoding="utf-8"))
    assert numbers["name"] == "plain"
    there = sorted(p.name for p in page.parent.iterdir())
    assert there == ["page.html", "page.json"], "nothing half-written"


@pytest.mark.parametrize("there", [True, False])
def test_open_shows_the_page_or_says_where_it_is(
    plain_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool  # noqa: F811
) -> None:  # fmt: skip
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address) or there)
    page = tmp_path / "a page.html"
    done = CliRunner().invoke(app, ["report", str(plain_run.folder), "--out", str(page), "--open"])
    assert done.exit_code == 0
    assert asked == [page.resolve().as_uri()]
    assert ("no browser to open" in done.stderr) is not there
    asked.clear()
    report(plain_run.folder, "--out", page)
    assert asked == []


def test_out_leaves_the_run_folder_as_it_was(make_run: MakeRun, tmp_path: Path) -> None:  # noqa: F811
    run = make_run("kept", runs_dir=tmp_path / "runs")
    other = make_run("second", runs_dir=tmp_path / "runs", predictions=guesses(run.table, 0.5))
    report(run.folder, "--out", tmp_path / "page.html")
    assert not (run.folder / "report.json").exists()
    assert [p.name for p in tmp_path.glob("page*")] == ["page.html"], "no file that nobody named"
    numbers = ["--numbers", tmp_path / "page.json"]
    report(run.folder, "--out", tmp_path / "page.html", *numbers)
    (run.folder / "report.json").write_bytes((tmp_path / "page.json").read_bytes())
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.folder.iterdir()}
    report(run.folder, "--compare", other.folder, "--out", tmp_path / "page.html", *numbers)
    after = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.folder.iterdir()}
    assert after == before
    assert json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["compared"]


def test_numbers_never_go_over_another_file(plain_run: Run, tmp_path: Path) -> None:  # noqa: F811
    for content in ('{"mine": 1}', "[1]", "not json"):
        (tmp_path / "page.json").write_text(content)
        with pytest.raises(OutputError, match="left alone"):
            report(
                plain_run.folder, "--out", tmp_path / "p.html", "--numbers", tmp_path / "page.json"
            )
        assert (tmp_path / "page.json").read_text() == content
    with pytest.raises(RunError, match="names the page"):
        report(plain_run.folder, "--out", tmp_path / "new.json")
    assert [p.name for p in tmp_path.iterdir()] == ["page.json"]


def test_the_page_is_rebuilt_without_the_run(
    plain_run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    report(plain_run.folder, "--out", first, "--numbers", tmp_path / "first.json")
    kept = tmp_path / "elsewhere" / "report.json"
    kept.parent.mkdir()
    kept.write_bytes((tmp_path / "first.json").read_bytes())
    report(kept, "--out", second)
    assert first.read_bytes() == second.read_bytes()


def test_the_latest_run_is_the_default(
    make_run: MakeRun,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = tmp_path / "runs"
    make_run("older", runs_dir=runs)
    make_run("zlast", runs_dir=runs)
    monkeypatch.chdir(tmp_path)
    assert report().strip() == "reports/zlast.html"
    assert Path("runs/zlast/report.json").is_file(), "without --out the numbers stay with the run"
    assert Path("reports/zlast.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no run named 'nowhere'"),
        (["--compare", "nowhere"], "no run named 'nowhere'"),
        (["--external", "nowhere"], "no run named 'nowhere'"),
        (["--data", "nowhere"], "no folder"),
        (["--out", "."], "is a folder"),
    ],
)
def test_mistakes_get_a_sentence_and_leave_nothing(
    words: list[str],
    said: str,
    make_run: MakeRun,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run("only", runs_dir=tmp_path / "runs")
    with pytest.raises(EnsembleKitError, match=said):
        report(*words)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", "only"], "the run reported itself"),
        (["--compare", "runs/only"], "the run reported itself"),
        (["--compare", "runs/../runs/only"], "the run reported itself"),
        (["--compare", "linked"], "the run reported itself"),
        (["--external", "./runs/only"], "the run reported itself"),
        (["--compare", "other", "--compare", "runs/other"], "given twice; name every run once"),
        (["--compare", "other", "--external", "other"], "given twice; name every run once"),
    ],
)
def test_a_run_is_not_compared_with_itself_nor_named_twice(
    words: list[str],
    said: str,
    make_run: MakeRun,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run("only", runs_dir=tmp_path / "runs")
    make_run("other", runs_dir=tmp_path / "runs")
    (tmp_path / "linked").symlink_to(tmp_path / "runs" / "only")
    with pytest.raises((RunError, PredictionsError), match=said):
        report("only", *words)
    assert not (tmp_path / "reports").exists()
    assert not (tmp_path / "runs" / "only" / "report.json").exists()


def test_a_finished_report_takes_no_other_run(plain_run: Run, tmp_path: Path) -> None:  # noqa: F811
    numbers = tmp_path / "page.json"
    report(plain_run.folder, "--out", tmp_path / "page.html", "--numbers", numbers)
    with pytest.raises(RunError, match="need the run it came from"):
        report(tmp_path / "page.json", "--compare", plain_run.folder)


def test_a_changed_run_is_refused(make_run: MakeRun, tmp_path: Path) -> None:  # noqa: F811
    run = make_run("changed", runs_dir=tmp_path)
    with (run.folder / "oof.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(RunError, match="sha256"):
        report(run.folder, "--out", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_pdf_without_a_browser_is_a_sentence(
    plain_run: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="no Chromium or Chrome"):
        report(plain_run.folder, "--out", tmp_path / "page.html", "--pdf")
    assert (tmp_path / "page.html").is_file(), "the page itself is there"


@pytest.mark.browser
def test_pdf_with_a_browser(plain_run: Run, tmp_path: Path) -> None:  # noqa: F811
    from ensemble_kit.reporting.pdf import find_browser

    if find_browser() is None:
        pytest.skip("no Chromium here: install Debian's `chromium`")
    said = report(plain_run.folder, "--out", tmp_path / "page.html", "--pdf")
    assert said.split() == [str(tmp_path / "page.html"), str(tmp_path / "page.pdf")]
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_errors_are_one_line_and_exit_code_2(project: Path, tmp_path: Path) -> None:
    done = in_project(project, "cli.py", "report", "--runs-dir", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("error: no run in")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help_loads_no_framework(project: Path) -> None:
    done = in_project(project, "cli.py", "report", "--help", COLUMNS="200")
    assert done.returncode == 0
    assert "--external" in done.stdout
    code = (
        "import sys; from ensemble_kit.cli import app;"
        "print([m for m in ('keras', 'tensorflow', 'optuna', 'numpy', 'pandas', 'matplotlib')"
        " if m in sys.modules])"
    )
    assert in_project(project, "-c", code).stdout.strip() == "[]"


def test_a_report_never_loads_a_framework(
    project: Path,
    plain_run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from ensemble_kit.reporting.collect.report import build_report;"
        "from ensemble_kit.reporting.page.page import render_page;"
        f"render_page(build_report(Path({str(plain_run.folder)!r})));"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch', 'optuna', 'matplotlib')"
        " if m in sys.modules])"
    )
    assert in_project(project, "-c", code).stdout.strip() == "[]"
