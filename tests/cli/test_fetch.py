"""`fetch`, from a server of our own on 127.0.0.1."""

from pathlib import Path

import pytest

from tests.cli.test_check import run
from tests.data.dataverse import ham10000, serving


def test_fetch_then_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(ham10000(tmp_path / "source")) as server:
        words = ["fetch", "ham10000", "--to", "dataset/", "--server", server.url]
        assert run(monkeypatch, *words) == 0
        shown = capsys.readouterr()
        assert shown.out == "ham10000: 9 images, fetched\n"
        assert "fetching HAM10000_images_part_1.zip" in shown.err
        assert "next: python cli.py check --data dataset" in shown.err
        assert run(monkeypatch, *words, "--quiet") == 0
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == ("ham10000: 9 images, already there\n", "")
    assert run(monkeypatch, "check", "--folds", 2) == 0
    assert "HAM10000, one image folder" in capsys.readouterr().out


def test_a_dead_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(ham10000(tmp_path / "source")) as server:
        url = server.url
    words = ["fetch", "ham10000", "--to", tmp_path / "dataset", "--server", url]
    assert run(monkeypatch, *words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: cannot fetch {url} (ConnectionError)")
    assert error.count("\n") == 1
    assert not (tmp_path / "dataset").exists()
