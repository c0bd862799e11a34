"""A disk that is full at the n-th write, for every n: one sentence, nothing left, then all well."""

import errno
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.chaos.faults import failing
from tests.chaos.giving import faults, give, seen
from tests.chaos.workplace import QUICK

EVALUATE = ("evaluate", "--predictions", "a.csv", "--runs-dir", "out", "--name", "x", *QUICK)
COMMANDS: dict[str, Sequence[str]] = {
    "evaluate": EVALUATE,
    "ensemble": ("ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--runs-dir", "out",
                 "--name", "x", *QUICK),
    "report": ("report", "a", "--out", "out/p.html", "--numbers", "out/p.json"),
    "issues": ("check", "--run", "a"),
}  # fmt: skip
MOST = 60
"""More writes than any of them makes."""


@pytest.mark.parametrize("name", ["evaluate", "ensemble", "report"])
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
        left = [path for path in (place / "out").rglob(".*") if path.suffix != ".lock"]
        assert not [p for p in left if p.is_file()], f"write {n} left {left}"
        assert {k: v for k, v in seen(place).items() if not k.startswith("out")} == before
        shutil.rmtree(place / "out", ignore_errors=True)
    else:
        raise AssertionError("it writes without end")
    assert n > 2, "it writes something"


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
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this process may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)],
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
