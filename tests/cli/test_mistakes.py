"""Words that the command line does not know: one sentence with the next step, exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from ensemble_kit.cli.app import main
from tests.data.folders import write_folder


def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str, code: int = 2
) -> str:
    monkeypatch.setattr(sys, "argv", ["cli.py", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert (left.value.code or 0) == code
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cv", "--fold", "3"], "no such option: --fold (Possible options: --folds, "),
        (["checck"], "no such command 'checck'. Did you mean 'check'? `python cli.py --help`"),
        (["store", "lst"], "`python cli.py store --help` lists what is known"),
        (
            ["cv", "--folds", "many"],
            "--folds must be a whole number in digits, such as 20 (given 'many'); `python",
        ),
        (["cv", "--folds"], "option '--folds' requires an argument"),
        (["predict"], "missing argument 'RUN'; `python cli.py predict --help` lists"),
        (["runs", "rm"], "missing argument 'NAME…'; `python cli.py runs rm --help` lists"),
        (["report", "a", "b"], "unexpected extra argument"),
        (["fetch", "foo"], "error: name is not valid: 'foo' is not one of 'ham10000'"),
        (
            ["cv", "--set", "a.b=1"],
            "there are data, split, model, training, evaluation, search, cluster",
        ),
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


@pytest.mark.parametrize("empty", ["", " ", "\t"])
@pytest.mark.parametrize(
    "words",
    [
        ["report", "*"], ["predict", "*", "images"], ["predict", "run", "*"], ["runs", "rm", "*"],
        ["evaluate", "--predictions", "*"], ["cv", "--data", "*"], ["cv", "--study", "*"],
        ["runs", "--runs-dir", "*"], ["store", "list", "--store", "*"],
        ["store", "verify", "--store=*"], ["export", "run", "--to", "*"], ["cv", "--data=*"],
        ["validate", "run", "--data", "*"], ["ensemble", "a.csv", "*"], ["fetch", "--to", "*"],
        ["evaluate", "--predictions", "a.csv", "--truth", "*"], ["tune", "--studies-dir", "*"],
        ["report", "run", "--out", "*"], ["cv", "--run", "*"], ["explain", "run", "--data", "*"],
    ],
)  # fmt: skip
def test_an_empty_word_is_no_place(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    empty: str,
) -> None:
    told = said(capsys, monkeypatch, *(word.replace("*", empty) for word in words))
    assert "is empty: give one, or leave it out" in told
    before = [*words, "*"][words.index("*") - 1] if "*" in words else words[-1].removesuffix("=*")
    option = before if before.startswith("--") else ""
    assert (f"the value of {option} " if option else "an argument ") in told


@pytest.mark.parametrize(
    "words",
    [
        ["cv", "--runs-dir", "data/runs"], ["cv", "--store", "data"],
        ["cv", "--runs-dir", "data/."],
        ["tune", "--studies-dir", "data/s"], ["check", "--store", "data/images"],
        ["tune", "--store", "data/store"],
    ],
)  # fmt: skip
def test_nothing_is_written_into_the_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    words: list[str],
) -> None:  # fmt: skip
    write_folder(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    Path("study.toml").write_text('[data]\npath = "data"\n')
    before.append(tmp_path / "study.toml")
    given = [["--data", "data"]]
    if words[0] == "cv":
        given.append(["--study", "study.toml"])
    for more in given:
        told = said(capsys, monkeypatch, *words, *more)
        assert "would be written into the input data, which stays as it is: give --" in told
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cv", "--seed", "-4"], "error: --seed must be at least 0 (given -4)"),
        (["cv", "--repeats", "1000"], "error: --repeats must be at most 100 (given 1000)"),
        (["evaluate", "--predictions", "p.csv", "--level", "7"], "error: --level must be at most"),
        (["evaluate", "--predictions", "p.csv", "--name", "../x"], "error: --name must be at"),
        (["report", "a", "--out", "new/"], "new/: --out names a file to write, not a folder"),
        (["cv", "--store-limit", "inf"], "--store-limit must be a finite number (given inf)"),
        (["cv", "--dropout", "nan"], "error: --dropout must be a finite number (given nan)"),
        (["report", "--images", "1000"], "error: --images must be at most 400 (given '1000'); `"),
        (["evaluate", "--predictions", "p.csv", "--replicates", "1e3"],
         "error: --replicates must be a whole number in digits, such as 20 (given '1e3'); `"),
        (["cv", "--set", "training.views=true"], "training.views is not valid: true and false are"),
        (["cv", "--set", "model=3"], "--set: model must be a table of settings (given 3)"),
        (["cv", "--set", "split.seed=-1"], "--set: split.seed must be at least 0"),
    ],
)  # fmt: skip
def test_a_setting_is_named_as_it_was_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    words: list[str], sentence: str,
) -> None:  # fmt: skip
    (tmp_path / "p.csv").write_text("image,mel,nv,label\na,0.5,0.5,nv\nb,0.1,0.9,mel\n")
    monkeypatch.chdir(tmp_path)
    assert sentence in said(capsys, monkeypatch, *words)
    assert not Path("new").exists()


def test_a_working_directory_that_was_removed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    told = said(capsys, monkeypatch, "check", "--data", "sample")
    assert told == "error: the working directory was removed: change to a folder that is there\n"


def test_images_of_a_prediction_are_no_place_for_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_folder(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    words = ["predict", "r", "--data", "a.jpg", "--data", "data", "--runs-dir", "data/runs"]
    assert "data/runs would be written into the input data" in said(capsys, monkeypatch, *words)


def test_a_full_device_for_errors_keeps_the_exit_code(project: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, project / "cli.py", "evaluate", "--predictions", "none.csv"],
            cwd=tmp_path, stderr=full, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 2


@pytest.mark.parametrize("word", ["a\nb", "\x1b[31m", "x\r"])
def test_control_characters_on_the_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    assert "holds control characters" in said(capsys, monkeypatch, "report", "a", "--out", word)


@pytest.mark.parametrize("command", ["cv", "tune"])
def test_a_backbone_that_is_not_known_names_the_study_that_has_it(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[model]\nbackbone = "xeption"\n[data]\npath = "sample"\n'
        "[search.space]\ndropout = [0.3, 0.4]\n"
    )
    words = [command, "--study", str(file), "--dry-run"]
    assert f"error: {file}: backbone 'xeption'" in said(capsys, monkeypatch, *words)
    told = said(capsys, monkeypatch, *words, "--set", "model.backbone=other")
    assert "error: backbone 'other' is not known" in told


def test_members_that_fit_are_planned_though_the_study_alone_would_not_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "s.toml"
    head = '[data]\npath = "sample"\n[model]\nimage_size = 32\nweights = "none"\n'
    members = '[[members]]\nbackbone = "compact"\n[[members]]\nbackbone = "smallresnet"\n'
    words = ["cv", "--dry-run", "--folds", "2", "--store", str(tmp_path / "store")]
    file.write_text(head + "unfreeze_depth = 0\n" + members)
    fits = said(capsys, monkeypatch, *words, "--study", str(file), code=0)
    assert "member smallresnet: smallresnet, 32 px, depth 0" in fits
    file.write_text(head + "unfreeze_depth = 0\n" + members.replace("smallresnet", "xception"))
    told = said(capsys, monkeypatch, *words, "--study", str(file))
    assert told.startswith("error: member xception: image size 32 px is below the 71 px")
    file.write_text(head)
    alone = said(capsys, monkeypatch, *words, "--study", str(file))
    assert alone.startswith(f"error: {file}: image size 32 px is below the 71 px that xception")


def test_a_rule_that_leaves_one_class_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [f"i{k},{'aab'[k % 3]},P{k // 2}" for k in range(30)]
    (tmp_path / "metadata.csv").write_text("\n".join(["image_id,dx,patient_id", *rows]))
    words = ["check", "--no-images", "--folds", "2", "--data", str(tmp_path)]
    assert "--min-groups leaves class 'a' alone" in said(
        capsys, monkeypatch, *words, "--min-groups", "12=drop"
    )


@pytest.mark.parametrize("share", ["1e-9", "\u0660.\u0665", "0", "nan", "1.01"])
def test_shares_that_are_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    told = said(capsys, monkeypatch, "cv", "--fractions", share)
    assert f"{share!r} is no share from 0.0001 to 1" in told


@pytest.mark.parametrize(
    ("domain", "rule"),
    [
        ("image_size = { low = 32, high = 1000000000 }", "image_size must be at most 2048"),
        ('image_size = [32, "48"]', "image_size: '48' is text, not a number"),
        ('dropout = ["a", 0.3]', "dropout must be a number"),
        ("dropout = [0.3, nan]", "dropout must be less than 1.0 (given nan)"),
        ("views = [1, 9]", "views must be at most 8 (given 9)"),
        ("dropout = { low = 0.0, high = 0.6, step = 1e-300 }", "step 1e-300 is too small"),
    ],
)
def test_a_space_of_values_that_cannot_be(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    domain: str,
    rule: str,
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(f'[data]\npath = "sample"\n[search.space]\n{domain}\n')
    told = said(capsys, monkeypatch, "tune", "--study", str(file), "--dry-run")
    assert told.startswith("error: study 'study': search.space.")
    assert rule in told


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["report", "x", "--out", "~/y.html"], "--out '~/y.html': the shell writes out ~"),
        (["report", "x", "--out=~/y.html"], "--out '~/y.html': the shell writes out ~"),
        (["cv", "--data", "~"], "--data '~': the shell writes out ~"),
        (["evaluate", "--predictions=~/p.csv"], "--predictions '~/p.csv': the shell writes"),
        (["report", "x", "--out", "s3://b/y.html"], "--out 's3://b/y.html' is an address"),
        (["export", "x", "--to=file:///k"], "--to 'file:///k' is an address"),
        (["report", "x", "--out", "\u202ey.html"], "characters that do not show"),
        (["cv", "--runs-dir", "ru\u200bns"], "characters that do not show"),
    ],
)
def test_places_that_are_none_of_this_machine(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    rule: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert rule in said(capsys, monkeypatch, *words)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_called_so_may_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    assert "the shell" not in said(capsys, monkeypatch, "check", "--data", "~", "--no-images")
