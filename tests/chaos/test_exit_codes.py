"""What is the user's to mend has exit code 2 and a sentence; nothing is waited for."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.giving import faults, give
from tests.chaos.workplace import QUICK

RUN = [sys.executable, "-m", "ensemble_kit.cli"]
SECONDS = 60
FILES = [
    ("evaluate", "--predictions", "{}.csv"),
    ("evaluate", "--predictions", "{}.npz"),
    ("evaluate", "--predictions", "{}.parquet"),
    ("evaluate", "--predictions", "a.csv", "--truth", "{}.csv"),
    ("evaluate", "--predictions", "a.csv", "--folds-file", "{}.csv"),
    ("ensemble", "a.csv", "{}.csv"),
    ("check", "--data", "data", "--duplicates", "{}.csv"),
    ("check", "--data", "data", "--map-labels", "{}.csv"),
    ("check", "--data", "{}.csv"),
    ("cv", "--study", "{}.toml", "--dry-run"),
    ("tune", "--study", "{}.toml", "--dry-run"),
    ("cv", "--study", "study.toml", "--dry-run", "--weights", "{}.h5"),
    ("cv", "--study", "study.toml", "--features", "{}.npz"),
    ("cv", "--study", "study.toml", "--features", "{}.csv"),
    ("cv", "--study", "study.toml", "--dry-run", "--backbone", "{}.keras"),
    ("report", "{}.json"),
]


@pytest.mark.parametrize("words", FILES, ids=lambda words: " ".join(words))
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_pipe_is_not_waited_for(place: Path, words: tuple[str, ...], kind: str) -> None:
    ending = next(word for word in words if "{}" in word).partition("}")[2]
    if kind == "pipe":
        os.mkfifo(place / f"odd{ending}")
    else:
        (place / f"odd{ending}").mkdir()
    done = give(place, [word.format("odd") for word in words])
    assert done.code == 2, done
    assert not faults(done, f"odd{ending}", ("store",))
    assert "there is no such file" not in done.error


def test_a_pipe_among_the_images(place: Path) -> None:
    (place / "data/images/I00.jpg").unlink()
    os.mkfifo(place / "data/images/I00.jpg")
    done = give(place, ["check", "--folds", "3", "--data", "data"])
    assert done.code == 2, done


@pytest.mark.parametrize("words", [["runs"], ["runs", "show", "a"], ["report"]], ids=" ".join)
def test_a_file_where_the_runs_should_be(place: Path, words: list[str]) -> None:
    done = give(place, [*words, "--runs-dir", "a.csv"])
    assert done.code == 2, done
    assert not faults(done, "a.csv")


def test_three_thousand_classes(place: Path) -> None:
    names = [f"c{i:04d}" for i in range(3000)]
    rows = [f"I{i},{names[i]}," + ",".join([f"{1 / 3000:.8f}"] * 3000) for i in range(5)]
    (place / "wide.csv").write_text("\n".join(["image,label," + ",".join(names), *rows]) + "\n")
    began = time.process_time()
    done = give(place, ["evaluate", "--predictions", "wide.csv", *QUICK])
    assert time.process_time() - began < 10
    assert done.code == 2, done
    assert "at most 2,000 classes" in done.error
    assert not faults(done, "wide.csv")


def shell(place: Path, command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        ["bash", "-c", command.replace("ENSEMBLE", " ".join(RUN))], cwd=place, text=True,
        capture_output=True, timeout=SECONDS * 5, check=False,
        env=os.environ | {"PYTHONPATH": root} | environment,
    )  # fmt: skip


def test_a_reader_who_has_enough(place: Path) -> None:
    done = shell(place, "ENSEMBLE runs | head -c 1; exit ${PIPESTATUS[0]}")
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    full = shell(place, "ENSEMBLE runs > /dev/full")
    assert full.returncode == 2, full
    assert full.stderr.startswith("error: the disk is full")
    closed = shell(place, "ENSEMBLE runs >&- 2>&-")
    assert closed.returncode == 0, closed


def test_a_terminal_without_the_letters(place: Path) -> None:
    table = (place / "a.csv").read_text(encoding="utf-8").replace("mel", "mélanome")
    (place / "é.csv").write_text(table, encoding="utf-8")
    done = shell(
        place, "ENSEMBLE evaluate --predictions é.csv --replicates 20 --name x",
        LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "m\\xe9lanome" in done.stdout


@pytest.mark.parametrize("words", [
    ["predict", "f", "--features", "features.npz", "--out", "loop/x.csv"],
    ["evaluate", "--predictions", "loop", *QUICK],
    ["report", "a", "--out", "loop/x.html"],
    ["export", "f", "--to", "loop/x"],
])  # fmt: skip
def test_a_link_that_leads_to_itself(place: Path, words: list[str]) -> None:
    (place / "loop").symlink_to("loop")
    done = give(place, words)
    assert done.code == 2, done
    assert not faults(done, "loop")
    assert not done.written


FOLDERS = [
    ["runs", "--runs-dir", "odd"], ["runs", "rm", "x", "--yes", "--runs-dir", "odd"],
    ["report", "--runs-dir", "odd"], ["store", "list", "--store", "odd"],
    ["store", "prune", "--all", "--store", "odd"],
    ["cv", "--study", "study.toml", "--dry-run", "--runs-dir", "odd"],
    ["cv", "--study", "study.toml", "--dry-run", "--store", "odd"],
    ["tune", "--study", "study.toml", "--dry-run", "--studies-dir", "odd"],
    ["doctor", "--store", "odd"],
]  # fmt: skip


@pytest.mark.parametrize("words", FOLDERS, ids=" ".join)
@pytest.mark.parametrize(
    "kind", ["file", "below a file", "below nowhere", "nowhere", "itself", "pipe"]
)
def test_what_is_no_folder_is_refused_before_any_work(
    place: Path, words: list[str], kind: str
) -> None:
    odd = place / "odd"
    if kind.startswith("below"):
        words = ["odd/sub" if word == "odd" else word for word in words]
    if kind in ("file", "below a file"):
        odd.touch()
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("odd" if kind == "itself" else "nothing")
    done = give(place, words)
    assert done.code == 2, done
    assert not faults(done, "odd")
    assert not done.written


def test_nobody_can_be_asked_where_the_input_is_closed(place: Path) -> None:
    done = shell(place, "ENSEMBLE runs rm a <&-")
    assert done.returncode == 2, done
    assert "give --yes" in done.stderr
    assert (place / "runs/a").is_dir()


@pytest.mark.parametrize("words", [["tune", "--name", "../x"], ["cv", "--run", "../x"]])
def test_names_are_checked_by_a_dry_run_too(place: Path, words: list[str]) -> None:
    done = give(place, [*words, "--study", "study.toml", "--dry-run"])
    assert done.code == 2, done
    assert "'../x'" in done.error
