"""A disk that is full at the n-th write, for every n: one sentence, nothing left, then all well."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.chaos.commands import TRAINING, Made, run_files, searched
from tests.chaos.faults import failing
from tests.chaos.giving import faults, give, seen
from tests.chaos.processes import ROOT, start, well
from tests.chaos.workplace import QUICK, make_trained

EVALUATE = ("evaluate", "--predictions", "a.csv", "--runs-dir", "out", "--name", "x", *QUICK)
COMMANDS: dict[str, Sequence[str]] = {
    "evaluate": EVALUATE,
    "ensemble": ("ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--runs-dir", "out",
                 "--name", "x", *QUICK),
    "report": ("report", "a", "--out", "out/p.html", "--numbers", "out/p.json"),
    "predict": ("predict", "f", "--features", "features.npz", "--out", "out/p.csv", "-q"),
    "parquet": ("predict", "f", "--features", "features.npz", "--out", "out/p.parquet", "-q"),
    "validate": ("validate", "runs/f", "--data", "data", "--features", "features.npz",
                 "--allow-overlap", "--runs-dir", "out", "--name", "x", *QUICK),
}  # fmt: skip
RESUMED = ("predict", "parquet")
"""What they began is kept, hidden, for the same command."""
CV = ("cv", "--study", "study.toml", "--features", "features.npz", "--run", "k", "-q", "--set",
      "evaluation.replicates=20")  # fmt: skip
TUNE = ("tune", "--data", "data", "--features", "features.npz", "--name", "k", "--trials", "2",
        "--folds", "3", "--resume", "-q")  # fmt: skip
RESUMING: dict[str, tuple[Sequence[str], Callable[[Path], Made], Sequence[str]]] = {
    "cv": (CV, run_files("k"), ("runs/k", "runs/.k.lock")),
    "tune": (TUNE, searched, ("studies",)),
}
"""Words, what they make, and where."""
NETWORK = ("cv", "--study", "study.toml", "--run", "x", "--runs-dir", "small/runs", "--store",
           "small/store", *TRAINING)  # fmt: skip
MOST = 60
"""More writes than any of them makes."""


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_write_may_fail(place: Path, name: str) -> None:
    words = COMMANDS[name]
    before = seen(place)
    for n in range(1, MOST):
        with failing(n) as disk:
            outcome = give(place, words)
        if len(disk.written) < n:
            assert outcome.code == 0, outcome
            break
        assert outcome.code == 2, (n, outcome)
        assert "disk is full" in outcome.error, outcome.error
        assert str(disk.written[n - 1].parent) in outcome.error, outcome.error
        assert "bytes free" in outcome.error, outcome.error
        assert not faults(outcome), faults(outcome)
        kept = ".partial" if name in RESUMED else ".lock"
        left = [p for p in (place / "out").rglob(".*") if p.suffix not in (".lock", kept)]
        assert not [p for p in left if p.is_file()], f"write {n} left {left}"
        folders = [p for p in (place / "out", *(place / "out").rglob("*")) if p.is_dir()]
        assert not [p for p in folders if not any(p.iterdir())], f"write {n} left empty folders"
        assert {k: v for k, v in seen(place).items() if not k.startswith("out")} == before
        shutil.rmtree(place / "out", ignore_errors=True)
    else:
        raise AssertionError("it writes without end")
    assert n > 2, "it writes something"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RESUMING))
def test_every_write_may_fail_and_the_same_command_goes_on(place: Path, name: str) -> None:
    words, made, allowed = RESUMING[name]
    assert give(place, words).code == 0
    whole = made(place)
    _remove(place, allowed)
    for n in range(1, MOST):
        with failing(n) as disk:
            outcome = give(place, words)
        if len(disk.written) < n:
            break
        assert outcome.code == 2, (n, outcome)
        assert "disk is full" in outcome.error, outcome.error
        assert not faults(outcome, allowed=allowed), outcome
        assert not _begun(place), n
        if n % 5 == 0:
            again = give(place, words)
            assert again.code == 0, again
            assert made(place) == whole
        _remove(place, allowed)
    else:
        raise AssertionError("it writes without end")
    assert n > 10


def _remove(place: Path, names: Sequence[str]) -> None:
    for name in names:
        if (place / name).is_dir():
            shutil.rmtree(place / name)
        else:
            (place / name).unlink(missing_ok=True)


def _begun(place: Path) -> list[Path]:
    """What was begun and not finished, locks aside."""
    return [p for p in place.rglob(".*") if not p.name.endswith((".lock", ".in-use"))]


@pytest.fixture(scope="module")
def trained(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_trained(made, tmp_path_factory.mktemp("trained") / "t")


@pytest.mark.slow
def test_every_write_of_a_bundle_may_fail(trained: Path) -> None:
    made = ("out", "runs/t/report.json")
    before = {k: v for k, v in seen(trained).items() if not k.startswith(made)}
    for n in range(1, MOST):
        with failing(n) as disk:
            outcome = give(trained, ("export", "t", "--to", "out/k", "-q"))
        if len(disk.written) < n:
            assert outcome.code == 0, outcome
            break
        assert outcome.code == 2, (n, outcome)
        assert "disk is full" in outcome.error, outcome.error
        assert not faults(outcome, allowed=made), outcome
        assert not [p for p in (trained / "out").rglob("*") if p.is_file()], n
        assert {k: v for k, v in seen(trained).items() if not k.startswith(made)} == before
        shutil.rmtree(trained / "out", ignore_errors=True)
    else:
        raise AssertionError("it writes without end")
    assert n > 2


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EROFS, "read-only"), (errno.EACCES, "permission denied"), (errno.EIO, "")],
)
def test_a_disk_that_forbids(place: Path, number: int, said: str) -> None:
    with failing(1, number):
        outcome = give(place, EVALUATE)
    assert outcome.code == 2, outcome
    assert said in outcome.error
    assert not faults(outcome)


@pytest.fixture
def small(place: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 64 kB or as many as asked, where this process may mount one."""
    kilobytes = getattr(request, "param", 64)
    place = place / "small"
    place.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)],
            capture_output=True, check=False,
        )  # fmt: skip
    except OSError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("this process may not mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=False)


def test_a_real_disk_that_is_full(place: Path, small: Path) -> None:
    words = [str(small) if word == "out" else word for word in EVALUATE]
    outcome = give(place, words)
    assert outcome.code == 2, outcome
    assert "disk is full" in outcome.error
    assert str(small) in outcome.error
    left = [p for p in small.rglob("*") if p.is_file()]
    assert not left, left
    page = give(place, ["report", "a", "--out", str(small / "p.html")])
    assert page.code == 2, page
    assert not list(small.iterdir())


FILLING = ("*/pixels/sources/*", "*/rows.b2", "*/pixels/*/meta.json", "*/activations/*/meta.json",
           "*/events/*/fill_0.jsonl", "*/view_0.high.*", "*/view_3.json")  # fmt: skip
TRAINED = ("*.making/manifest.json", "*/events/*/fold_0_0.jsonl", "*/fold_0/.best-*",
           "*/fold_0/predictions.csv", "*/fold_1/model.keras", "*/fold_2/done.json", "*/k/oof.csv",
           "*/k/curves.json")  # fmt: skip
"""Places that `cv` of a network writes to in turn: while stores are filled, and afterwards."""


def _goes_on_after_each(place: Path, patterns: Sequence[str], told: Path) -> None:
    """A disk that is full at each of the places in turn; what was finished is not done again."""
    site = f"{ROOT / 'tests/chaos/everywhere'}{os.pathsep}{ROOT}"
    words = [*("cv", "--study", "study.toml", "--run", "k"), *TRAINING]
    for pattern in patterns:
        told.unlink(missing_ok=True)
        more = {"PYTHONPATH": site, "FULL_FROM": pattern, "FULL_TOLD": str(told)}
        code, err = start(place, words, more).end()
        assert told.exists(), f"nothing is written to {pattern}"
        assert code == 2, (pattern, code, err)
        said = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(said) == 1, (pattern, err)
        assert "disk is full" in said[0], said
        above = [folder.name for folder in list(Path(told.read_text()).parents)[:3]]
        assert any(name and name in said[0] for name in above), (above, said)
        assert "Traceback" not in err, err
        assert not _begun(place), pattern
    told.unlink()


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_place_where_stores_are_filled(
    place: Path, tmp_path: Path
) -> None:
    _goes_on_after_each(place, FILLING, tmp_path / "told")


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_place_while_folds_are_trained(
    trained: Path, tmp_path: Path
) -> None:
    _goes_on_after_each(trained, TRAINED, tmp_path / "told")
    well(trained, ["cv", "--study", "study.toml", "--run", "k", *TRAINING])
    assert run_files("k")(trained)["oof.csv"] == run_files("t")(trained)["oof.csv"]


SIZES = {"pixels": 100, "activations": 700, "folds": 2200}
"""What does not fit -> kB of the disk."""


@pytest.mark.slow
@pytest.mark.parametrize("small", [SIZES["activations"]], indirect=True)
def test_a_disk_that_is_full_while_networks_are_trained(place: Path, small: Path) -> None:
    """By hand also with the other sizes: docs/reliability.md."""
    began = start(place, NETWORK)
    code, err = began.end()
    assert code == 2, err
    said = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, err
    assert "disk is full" in said[0] or "bytes" in said[0], said
    assert "Traceback" not in err
    left = [p for p in small.rglob(".*") if p.suffix != ".lock" and p.name != ".in-use"]
    assert not left, left
