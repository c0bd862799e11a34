"""A real PostgreSQL server: two workers, one killed in the middle of a trial."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from ensemble_kit.tuning.storage import StoragePlace, open_storage
from ensemble_kit.tuning.trials import read_trials
from tests.tuning.bench import small_study, worker

SQUARES = """
name = "squares"
[data]
path = "squares"
[split]
folds = 3
[model]
backbone = "compact"
weights = "none"
image_size = 48
unfreeze_depth = 1
[training]
head = "sgd"
head_epochs = 20
fine_tune_epochs = 20
early_stopping = "none"
batch_size = 16
[search]
pruner = "none"
trials = 6
[search.space]
head_lr = { low = 1e-4, high = 1e-1, log = true }
fine_tune_lr = { low = 1e-5, high = 1e-3, log = true }
"""
pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server of our own, on a Unix socket; no port is opened."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install '.[test]')")
    place = binaries()
    if place is None:
        pytest.skip("no PostgreSQL server is installed here (initdb not found)")
    folder = tmp_path_factory.mktemp("pg")
    account: dict[str, object] = {}
    if os.geteuid() == 0:
        import pwd

        names = {entry.pw_name for entry in pwd.getpwall()}
        owner = next((name for name in ("postgres", "nobody") if name in names), None)
        if owner is None:
            pytest.skip("PostgreSQL refuses to run as root and no other account is here")
        ids = pwd.getpwnam(owner)
        home = Path("/tmp") / f"ek-pg-{os.getpid()}"
        home.mkdir(mode=0o700)
        os.chown(home, ids.pw_uid, ids.pw_gid)
        folder = home
        account = {"user": ids.pw_uid, "group": ids.pw_gid, "extra_groups": []}

    def give(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, timeout=120, cwd=folder, **account)

    data = str(folder / "data")
    give(str(place / "initdb"), "-D", data, "-U", "ek", "-A", "trust", "--no-sync")
    settings = f"-c listen_addresses='' -k {folder} -c fsync=off"
    give(
        str(place / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start"
    )
    try:
        give(str(place / "createdb"), "-h", str(folder), "-U", "ek", "search")
        yield f"postgresql+psycopg://ek@/search?host={folder}"
    finally:
        give(str(place / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path, url: str, name: str, trials: int, pause: float):
    process = multiprocessing.get_context("spawn").Process(
        target=worker, args=(str(folder), url, name, trials, pause)
    )
    process.start()
    return process


def wait_for(true, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.1)


def load(folder: Path, url: str, name: str) -> optuna.Study | None:
    try:
        return optuna.load_study(study_name=name, storage=open_storage(StoragePlace(folder, url)))
    except KeyError:
        return None


def test_two_workers_one_killed_no_trial_lost_or_doubled(server, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    wanted = 10
    workers = [start(folder, server, "shared", wanted, 0.25) for folder in folders]

    def both_at_work() -> bool:
        study = load(tmp_path, server, "shared")
        running = study.get_trials(states=(optuna.trial.TrialState.RUNNING,)) if study else []
        return len({t.user_attrs.get("worker") for t in running} - {None}) == 2

    wait_for(both_at_work, 90)
    workers[0].kill()
    workers[0].join()
    workers[1].join(150)
    assert workers[1].exitcode == 0
    study = load(tmp_path, server, "shared")
    trials = read_trials(study)
    assert [t.state for t in trials] == ["COMPLETE"] * wanted
    slots = [t.user_attrs["slot"] for t in study.get_trials() if t.state.name == "COMPLETE"]
    assert sorted(slots) == list(range(wanted)), "each asked-for trial once"
    killed = [t for t in study.get_trials() if t.state.name == "FAIL"]
    assert len(killed) == 1, "the one trial of the killed worker"
    again = next(t for t in study.get_trials() if t.state.name == "COMPLETE"
                 and t.user_attrs["slot"] == killed[0].user_attrs["slot"])  # fmt: skip
    assert killed[0].params.items() <= again.params.items(), "with the parameters it had"
    assert trials[0].params.keys() or trials[0].params == {}


def test_two_workers_that_begin_together_make_one_study(server, tmp_path):
    workers = [start(tmp_path / str(n), server, "together", 6, 0.02) for n in range(2)]
    for process in workers:
        process.join(120)
        assert process.exitcode == 0
    study = load(tmp_path, server, "together")
    assert len(read_trials(study)) == 6
    assert {t.state for t in read_trials(study)} == {"COMPLETE"}
    first = next(t for t in study.get_trials() if t.user_attrs["slot"] == 0)
    assert first.params["head_lr"] == small_study().training.head_lr


def tuner(folder: Path, url: str) -> subprocess.Popen:
    """`tune` as a user gives it, in a folder of its own as on a machine of its own."""
    from tests.training.conftest import write_squares

    write_squares(folder / "squares")
    (folder / "squares.toml").write_text(SQUARES, encoding="utf-8")
    command = [sys.executable, "-m", "ensemble_kit.cli", "tune", "--study", "squares.toml",
               "--storage", url, "--heartbeat", "1", "--resume", "--no-progress"]  # fmt: skip
    with (folder / "said.txt").open("wb") as said:
        return subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip


def test_two_commands_that_train_one_killed_amid_a_trial(server, tmp_path):
    pytest.importorskip("keras")
    folders = [tmp_path / "one", tmp_path / "two"]
    commands = [tuner(folder, server) for folder in folders]
    try:

        def first_runs_a_trial() -> bool:
            study = load(tmp_path, server, "squares")
            running = study.get_trials(states=(optuna.trial.TrialState.RUNNING,)) if study else []
            mine = f"-{commands[0].pid}-"
            return any(
                mine in t.user_attrs.get("worker", "") and t.user_attrs.get("folds") == 1
                for t in running
            )

        def first_is_amid_a_trial() -> bool:
            """Held still, so that the trial cannot end between the look and the kill."""
            if not first_runs_a_trial():
                return False
            commands[0].send_signal(signal.SIGSTOP)
            if first_runs_a_trial():
                return True
            commands[0].send_signal(signal.SIGCONT)
            return False

        wait_for(first_is_amid_a_trial, 120)
        commands[0].kill()
        commands[0].wait()
        assert commands[1].wait(240) == 0, (folders[1] / "said.txt").read_text()
    finally:
        for command in commands:
            if command.poll() is None:
                os.killpg(command.pid, signal.SIGKILL)
    study = load(tmp_path, server, "squares")
    assert [t.state for t in read_trials(study)] == ["COMPLETE"] * 6
    complete = [t for t in study.get_trials() if t.state.name == "COMPLETE"]
    assert sorted(t.user_attrs["slot"] for t in complete) == list(range(6))
    assert {t.state.name for t in study.get_trials()} == {"COMPLETE", "FAIL"}
    assert json.loads((folders[1] / "studies/store/squares/tuning.json").read_text())["trials"]
    assert "6 complete" in (folders[1] / "said.txt").read_text()
