"""Files of a run that are not as the run wrote them, and places that no output may take."""

import os
from pathlib import Path

import pytest

from ensemble_kit.runs.manifest import record_files
from tests.chaos.giving import Outcome, give

REPORT = ("report", "a", "--out", "out/p.html")


def report(place: Path, *more: str) -> Outcome:
    return give(place, [*REPORT, *more])


@pytest.mark.parametrize("name", ["metrics.csv", "curves.json", "study.toml", "images.csv"])
def test_a_changed_file_is_named_and_marks_the_page_where_it_is_trusted(
    name: str, place: Path
) -> None:
    path = place / "runs/a" / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    refused = report(place)
    assert refused.code == 2
    assert f"{name} is not the file the run wrote" in refused.error
    assert not (place / "out").exists()
    assert report(place, "--trust-changed-files").code == 0
    shown = (place / "out/p.html").read_text(encoding="utf-8")
    assert "Files were changed after the run" in shown
    assert f"{name} of run a is not as the run wrote it" in shown


def test_figures_forged_with_their_digest_are_computed_again(place: Path) -> None:
    path = place / "runs/a/metrics.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("pooled,,,roc_auc_ovr,"))
    cells = lines[at].split(",")
    lines[at] = ",".join([*cells[:4], "0.979", *cells[5:]])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    record_files(place / "runs/a", ["metrics.csv"])
    refused = report(place)
    assert refused.code == 2
    assert "says roc_auc_ovr 0.979, but the rows of oof.csv give" in refused.error
    path.unlink()
    assert report(place).code == 0


@pytest.mark.parametrize("name", ["conformal.json", "tuning.json", "external.json"])
def test_a_file_that_the_run_did_not_write_is_not_read(name: str, place: Path) -> None:
    (place / "runs/a" / name).write_text("{}", encoding="utf-8")
    refused = report(place)
    assert refused.code == 2
    assert f"{name} is not the file the run wrote" in refused.error


def test_the_list_of_runs_says_which_figures_are_forged(place: Path) -> None:
    path = place / "runs/a/metrics.csv"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    shown = give(place, ["runs"])
    assert shown.code == 0
    assert "not the file the run wrote" in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("runs/a/oof.csv", "lies in a run's folder"),
        ("runs/a/new.html", "lies in a run's folder"),
        ("runs/a/deep/new.html", "lies in a run's folder"),
        ("/dev/full", "is a device"),
        ("pipe.html", "is a pipe"),
        ("mine.html", "left alone"),
        ("a.csv", "left alone"),
        ("mine.html/page.html", "is a file where a folder is needed"),
        ("dangling.html", "leads nowhere"),
        ("store/pixels/abc/page.html", "lies in a store"),
        ("linked.html", "lies in a run's folder"),
        ("x" * 300, "name another place"),
        ("data", "is a folder"),
    ],
)
def test_the_page_goes_over_nothing_but_an_earlier_page(place: Path, to: str, said: str) -> None:
    (place / "mine.html").write_text("<p>mine")
    (place / "dangling.html").symlink_to("nowhere.html")
    (place / "linked.html").symlink_to("runs/a/metrics.csv")
    os.mkfifo(place / "pipe.html")
    (place / "store/pixels/abc").mkdir(parents=True)
    (place / "store/pixels/abc/meta.json").write_text("{}")
    for words in (["report", "a", "--out", to], ["report", "a", "--numbers", to]):
        refused = give(place, words)
        assert refused.code == 2, refused
        assert said in refused.error, refused.error
        assert not refused.written


@pytest.mark.parametrize("to", ["runs/a/new", "a.csv", "runs"])
def test_an_ensemble_goes_into_no_run_nor_file(place: Path, to: str) -> None:
    name = "a" if to == "runs" else "x"
    done = give(place, ["ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--runs-dir", to,
                        "--name", name, "--replicates", "20", "-q"])  # fmt: skip
    assert done.code == 2, done
    assert not done.written


@pytest.mark.parametrize("what", ["a row less", "a sum beyond 1", "a row twice"])
def test_trusted_rows_that_cannot_be_are_told_of_with_their_file(what: str, place: Path) -> None:
    file = place / "runs/a/oof.csv"
    lines = file.read_text().splitlines(keepends=True)
    if what == "a row less":
        del lines[3]
    elif what == "a row twice":
        lines.append(lines[-1])
    else:
        lines[2] = lines[2].replace("0.", "0.9", 1)
    file.write_text("".join(lines))
    done = report(place, "--trust-changed-files")
    assert done.code == 2
    assert done.err.startswith("error: runs/a/oof.csv: ")


@pytest.mark.parametrize(
    "words",
    [
        ["ensemble", "a", "b", "--name", "a", "--overwrite"],
        ["ensemble", "e", "a", "--name", "e", "--overwrite"],
        ["evaluate", "--predictions", "runs/a/oof.csv", "--truth", "truth.csv", "--name", "a",
         "--overwrite"],
        ["evaluate", "--predictions", "a.csv", "--folds-file", "runs/a/folds.csv", "--name", "a",
         "--overwrite"],
    ],
)  # fmt: skip
def test_no_run_replaces_what_it_is_made_of(words: list[str], place: Path) -> None:
    before = {path: path.read_bytes() for path in (place / "runs").rglob("*") if path.is_file()}
    done = give(place, [*words, "--replicates", "20", "-q"])
    assert done.code == 2
    assert "is an input of what would be written to runs/" in done.err
    assert before == {
        path: path.read_bytes() for path in (place / "runs").rglob("*") if path.is_file()
    }
