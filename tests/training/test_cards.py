"""Graphics cards: every process has one to itself; what is not there is refused at once."""

import os
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import StudyError
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors import check_executor
from ensemble_kit.training.executors.cards import cards_of
from ensemble_kit.training.workers import Workers


def numbered_as() -> str | None:
    return os.environ.get("CUDA_DEVICE_ORDER")


def seen(seconds: float) -> tuple[str, int]:
    """The cards this process may see, after a while in which the other process takes its own."""
    time.sleep(seconds)
    return os.environ["CUDA_VISIBLE_DEVICES"], os.getpid()


@pytest.fixture
def two_cards(tmp_path, monkeypatch):
    """A machine on which nvidia-smi lists two cards."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100, 81559 MiB'\necho 'NVIDIA H100, 81559 MiB'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")


def test_each_process_has_a_card_to_itself_and_its_successor_takes_it_over(tmp_path, two_cards):
    cluster = ClusterSpec(devices="0,1")
    with Workers(1, tmp_path / "events", lambda event: None, cluster) as workers:
        assert workers.jobs == 2
        first = workers.finish([workers.submit(seen, 2.0) for _ in range(2)])
        assert {card for card, _ in first} == {"0", "1"}
        workers.renew()
        second = workers.finish([workers.submit(seen, 2.0) for _ in range(2)])
        assert {card for card, _ in second} == {"0", "1"}
        assert {process for _, process in first}.isdisjoint(process for _, process in second)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_jobs_are_processes_of_each_card(tmp_path, two_cards):
    cluster = ClusterSpec(devices="1")
    with Workers(2, tmp_path / "events", lambda event: None, cluster) as workers:
        found = workers.finish([workers.submit(seen, 1.0) for _ in range(2)])
        order = workers.finish([workers.submit(numbered_as)])
    assert order == ["PCI_BUS_ID"], "as nvidia-smi counts, not the fastest card first"
    assert [card for card, _ in found] == ["1", "1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,2", r"there is no card 2, this machine has 2, counted from 0"),
        ("0,0", r"a card is named twice"),
        ("-1", r"give the numbers of cards"),
        ("gpu", r"give the numbers of cards"),
        ("0,", r"give the numbers of cards"),
    ],
)
def test_cards_that_are_not_there_are_refused(two_cards, text, said):
    with pytest.raises(StudyError, match=said):
        cards_of(text)


def test_cards_are_counted_among_those_that_a_scheduler_left(tmp_path, two_cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-8932f937")
    assert cards_of("0,1") == (0, 1)
    with pytest.raises(StudyError, match=r"no card 2.*lets this command see 2 \(CUDA_VISIBLE_DEV"):
        cards_of("2")
    with Workers(1, tmp_path / "events", lambda event: None, ClusterSpec(devices="0,1")) as workers:
        found = workers.finish([workers.submit(seen, 2.0) for _ in range(2)])
    assert {card for card, _ in found} == {"5", "GPU-8932f937"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(StudyError, match="see 0"):
        cards_of("0")


def test_a_dry_run_looks_for_cards(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for verb in ("cv", "tune"):
        done = CliRunner().invoke(
            app, [verb, "--study", str(project / "studies/sample.toml"), "--devices", "0",
                  "--dry-run", "--store", str(tmp_path / "store")]
        )  # fmt: skip
        assert "has none that nvidia-smi lists" in str(done.exception)


def test_cards_of_this_machine_are_not_a_clusters(two_cards):
    with pytest.raises(StudyError, match="declare --gpus-per-fold"):
        check_executor(ClusterSpec(executor="dask", devices="0"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"gpus": 1}, r"cluster.gpus = 1 is what a fold declares .* --devices"),
        ({"memory": 8}, r"cluster.memory = 8 is what a fold declares"),
        ({"address": "tcp://h:1"}, r"--address tcp://h:1: the executor 'local' is this machine"),
    ],
)
def test_what_is_of_a_cluster_is_not_taken_for_this_machine(asked, said):
    with pytest.raises(StudyError, match=said):
        check_executor(ClusterSpec(**asked))


@pytest.mark.parametrize(
    "words",
    [
        ("cv", "--study", "sample", "--dry-run", "--executor", "spark"),
        ("cv", "--study", "sample", "--dry-run", "--gpus-per-fold", "1"),
        ("predict", "none", "x.jpg", "--address", "tcp://h:1"),
        ("explain", "none", "--address", "tcp://h:1"),
    ],
)
def test_every_command_refuses_it_before_it_reads_anything(words):
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, StudyError)
    assert "executor" in str(done.exception)


def test_a_command_refuses_them_before_any_work(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    call = [sys.executable, "cli.py", "cv", "--study", "studies/sample.toml", "--devices", "0"]
    places = ["--runs-dir", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]
    done = subprocess.run([*call, *places], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2
    assert "has none that nvidia-smi lists" in done.stderr
    assert not (tmp_path / "runs").exists()
