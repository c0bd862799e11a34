"""`check`, as a user gives it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble_kit.cli.app import main
from ensemble_kit.core.errors import StudyError
from ensemble_kit.study import parse_study
from tests.data.folders import Rows, write_folder, write_table


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Exit code of the command line with these words."""
    monkeypatch.setattr(sys, "argv", ["cli.py", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_a_sound_set_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path)
    assert run(monkeypatch, "check", "--data", tmp_path, "--folds", 2) == 0
    shown = capsys.readouterr()
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["nv", "4", "44.4%", "3", "3"] in lines
    words = " ".join(shown.out.split())  # a long name of the folder puts values on their own lines
    assert "layout images with a metadata table" in words
    assert "groups 6 (7 lesions, 6 patients named)" in words
    assert "age 1, sex 2, site 2" in shown.out
    assert "held out" in shown.out
    assert shown.err == ""


def test_json_has_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path)
    assert run(monkeypatch, "check", "--data", tmp_path, "--folds", 2, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n_images"], told["n_groups"], told["problem"]) == (9, 6, None)
    assert told["classes"][2] == {"name": "nv", "n_images": 4, "n_lesions": 3, "n_groups": 3}
    assert told["group_sizes"] == {"1": 4, "2": 1, "3": 1}
    assert told["image_sizes"] == {"24×18": 9}
    assert {name: sum(row) for name, row in told["folds"]["counts"].items()} == {
        "bkl": 2,
        "mel": 3,
        "nv": 4,
    }


@pytest.mark.parametrize("quick", [True, False])
def test_unreadable_images_are_refused(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path)
    broken = tmp_path / "images" / "im_4.jpg"
    broken.write_bytes(b"" if quick else broken.read_bytes()[:-60])
    words = ["--quick"] if quick else []
    assert run(monkeypatch, "check", "--data", tmp_path, "--folds", 2, *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: 1 image of 9 cannot be used: im_4.jpg")
    assert error.count("restore") == 1
    assert "Traceback" not in error


def test_what_cannot_be_folded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path)
    assert run(monkeypatch, "check", "--data", tmp_path) == 2
    assert "class bkl (2 groups, 2 images), mel (2 groups" in capsys.readouterr().err
    assert run(monkeypatch, "check", "--data", tmp_path, "--folds", 1) == 2
    assert "needs at least 2" in capsys.readouterr().err
    assert run(monkeypatch, "check", "--data", tmp_path / "none") == 2
    assert "does not exist" in capsys.readouterr().err
    assert run(monkeypatch, "check", "--data", tmp_path, "--json") == 2
    assert "cannot be in each of 5" in json.loads(capsys.readouterr().out)["problem"]


def test_seeds_beyond_the_generators_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path)
    words = ["check", "--data", tmp_path, "--folds", 2, "--seed"]
    assert run(monkeypatch, *words, 2**31 - 1) == 0
    assert run(monkeypatch, *words, 5_000_000_000) == 2
    error = capsys.readouterr().err
    assert "2147483647" in error
    assert "Traceback" not in error
    with pytest.raises(StudyError, match=r"split\.seed must be at most 2147483647"):
        parse_study("[split]\nseed = 5000000000", "study")


def test_splits_made_elsewhere_are_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path)
    ids = [row["image_id"] for row in Rows().rows]
    sides = {"sound": (ids[:5], ids[5:]), "leaky": (ids[:4], ids[4:])}
    for name, (train, test) in sides.items():
        for side, names in (("train", train), ("test", test)):
            write_table(tmp_path / name / f"{side}.csv", [{"image": f"{n}.jpg"} for n in names])
        words = [
            "--split",
            tmp_path / name / "train.csv",
            "--split-test",
            tmp_path / name / "test.csv",
        ]
        code = run(monkeypatch, "check", "--data", tmp_path, *words)
        error = capsys.readouterr().err
        assert code == (0 if name == "sound" else 2)
        assert ("1 group is on both sides" in error) == (name == "leaky")
    rows = [{"image": name, "fold": str(int(name in ids[4:]))} for name in ids]
    write_table(tmp_path / "folds" / "folds.csv", rows)
    words = ["--split", tmp_path / "folds" / "folds.csv"]
    assert run(monkeypatch, "check", "--data", tmp_path, *words) == 2
    assert "1 group with 2 images cross folds: P2" in capsys.readouterr().err


@pytest.mark.shared
def test_the_published_leaky_split(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shared / "data"
    words = [
        "--split", data / "leaky-split" / "split_data_1_fold_train.csv",
        "--split-test", data / "leaky-split" / "split_data_1_fold_test.csv",
    ]  # fmt: skip
    assert run(monkeypatch, "check", "--data", data / "ham10000-28px", "--quick", *words) == 2
    error = capsys.readouterr().err
    assert "698 groups are on both sides, with 749 of the 2,005 test images" in error
    assert "HAM_0000002 (training ISIC_0033848; test ISIC_0032622" in error
    assert "and 688 more" in error


@pytest.mark.parametrize("command", ["check", "fetch"])
def test_help_starts_without_the_heavy_libraries(command: str, project: Path) -> None:
    code = (
        "import sys; sys.argv = ['cli.py', sys.argv[1], '--help']\n"
        "from ensemble_kit.cli.app import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'tensorflow', 'keras', 'pooch'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, command],
        capture_output=True,
        text=True,
        cwd=project,
        check=True,
    )
    assert shown.stdout.rstrip().endswith("[]")
