"""Words that the command line does not know: one sentence with the next step, exit code 2."""

import sys

import pytest

from ensemble_kit.cli.app import main


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["cli.py", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cv", "--fold", "3"], "no such option: --fold (Possible options: --folds, "),
        (["checck"], "no such command 'checck'. Did you mean 'check'? `python cli.py --help`"),
        (["store", "lst"], "`python cli.py store --help` lists what is known"),
        (["cv", "--folds", "many"], "invalid value for '--folds': "),
        (["cv", "--folds"], "option '--folds' requires an argument"),
        (["predict"], "missing argument 'RUN'; `python cli.py predict --help` lists"),
        (["runs", "rm"], "missing argument 'NAME…'; `python cli.py runs rm --help` lists"),
        (["report", "a", "b"], "unexpected extra argument"),
    ],
)
def test_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
) -> None:
    told = said(capsys, monkeypatch, *words)
    assert told.startswith("error: ")
    assert len(told.splitlines()) == 1
    assert sentence in told


def test_no_command_prints_the_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(capsys, monkeypatch) == ""
    assert said(capsys, monkeypatch, "store") == ""
