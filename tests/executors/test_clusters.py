"""One study by this machine's processes and by clusters: bytes, deaths, resumption, mistakes."""

import json
import os
import shutil
import signal
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.executors.clusters import agents, end, free_port, listening, wait_until
from tests.executors.giving import BEGUN, LONGEST, Driver, command, cv, give

pytest.importorskip("keras")
pytestmark = pytest.mark.timeout(3 * LONGEST)


def rows(place, run):
    return (place / "runs" / run / "oof.csv").read_bytes()


def test_a_cluster_gives_the_same_bytes_though_its_processes_die_amid_folds(
    place, local, tmp_path, begin, executor
):
    store = f"store-{executor}"
    with (
        begin(tmp_path) as cluster,
        Driver(place, cv("--run", executor, "--store", store, *cluster.side_by_side)) as driver,
    ):
        driver.wait_for(BEGUN.format(1))
        one, other = cluster.trainers()
        one.parent().send_signal(signal.SIGKILL)  # a worker of the cluster, and its process
        other.send_signal(signal.SIGKILL)
        assert driver.ended() == 0, driver.said
        assert driver.said.count("last blocks epoch 1:") > 3, driver.said
        wait_until(lambda: not cluster.trainers(), 120)
    assert rows(place, executor) == local
    manifest = json.loads((place / "runs" / executor / "manifest.json").read_text())
    assert manifest["facts"]["executor"] == executor
    assert manifest["status"] == "complete"


def test_a_killed_driver_leaves_no_process_and_is_resumed(place, local, executor):
    """By a cluster of its own, which no other machine can reach."""
    words = cv("--run", f"resumed-{executor}", "--store", f"store-{executor}", "--jobs", "2",
               "--executor", executor)  # fmt: skip
    with Driver(place, words) as driver:
        driver.wait_for(BEGUN.format(2))
        begun = psutil.Process(driver.process.pid).children(recursive=True)
        assert {place.removeprefix("::ffff:") for place in listening(begun)} == {"127.0.0.1"}
        assert driver.send(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not [p for p in begun if p.is_running() and p not in agents(begun)], 180)
    end([p.pid for p in agents(begun)])
    done = give(place, words)
    assert done.returncode == 0, done.stderr
    assert ": finished before, kept" in done.stderr
    assert rows(place, f"resumed-{executor}") == local


def test_ctrl_c_ends_the_fold_on_the_cluster_and_leaves_the_cluster(place, tmp_path, begin):
    words = cv("--run", "stopped")
    with begin(tmp_path) as cluster, Driver(place, [*words, *cluster.options]) as driver:
        driver.wait_for(BEGUN.format(0))
        assert driver.send(signal.SIGINT) == 130
        assert driver.said.splitlines()[-1].startswith("error: interrupted; what was finished")
        wait_until(lambda: not cluster.trainers(), 120)
        assert all(psutil.pid_exists(pid) for pid in cluster.pids)
        assert not (place / "store/events").exists()


def test_predictions_and_heat_maps_are_those_of_this_machine(place, local, tmp_path, begin):
    names = sorted(path.name for path in (place / "squares/images").iterdir())[:40]
    files = [f"squares/images/{name}" for name in names]
    ids = ",".join(Path(name).stem for name in names[:4])
    with begin(tmp_path) as cluster:
        for out, options in (("here", []), (cluster.executor, cluster.options)):
            words = command("predict", "local", *files, "--batch-size", "8",
                            "--out", f"{out}.csv", "--overwrite", *options)  # fmt: skip
            done = give(place, words)
            assert done.returncode == 0, done.stderr
            assert "40 images predicted" in done.stderr
            explained = place / "runs/local/explain"
            shutil.rmtree(explained, ignore_errors=True)
            done = give(place, command("explain", "local", "--images", ids, *options))
            assert done.returncode == 0, done.stderr
            assert "4 heat maps drawn" in done.stderr
            assert len(list(explained.glob("*.png"))) == 4
    here, there = (pd.read_csv(place / f"{name}.csv") for name in ("here", cluster.executor))
    pd.testing.assert_frame_equal(here, there, rtol=1e-5, atol=1e-6)


def sentence(place, *words: str, before: str = "") -> str:
    done = give(place, cv("--run", "refused", *words, before=before))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (place / "runs/refused").exists()
    return done.stderr.splitlines()[-1]


def test_an_address_where_nobody_listens(place, executor):
    port = free_port()
    said = sentence(place, "--executor", executor, "--address", f"127.0.0.1:{port}")
    assert f"nobody listens at 127.0.0.1:{port} (connection refused)" in said


def test_a_package_that_is_missing_is_named_with_its_command(place, executor):
    package = {"dask": "distributed", "ray": "ray"}[executor]
    hidden = f"import sys; sys.modules[{package!r}] = None; "
    said = sentence(place, "--executor", executor, before=hidden)
    assert f"pip install 'ensemble-kit[{executor}]'" in said


def test_a_worker_of_another_keras_is_refused(place, tmp_path, begin):
    other = tmp_path / "other/keras-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: keras\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(other.parent), os.environ.get("PYTHONPATH", "")])
    with begin(tmp_path, {"PYTHONPATH": path}) as cluster:
        said = sentence(place, *cluster.options)
        assert "has keras 0.0.1, this command keras 3." in said


def test_a_store_that_a_worker_does_not_see_is_refused(place, tmp_path, begin):
    """The worker is asked for a mark that its folder does not have, as on another machine."""
    other = (
        "import ensemble_kit.training.workers as w; "
        "w.marked = lambda folders: {f.absolute(): 'drawn elsewhere' for f in folders}; "
    )
    with begin(tmp_path) as cluster:
        said = sentence(place, *cluster.options, before=other)
    assert f"does not see the folder {place / 'store'} of this machine" in said


def test_more_gpus_than_a_worker_offers_are_refused(place, tmp_path, begin):
    with begin(tmp_path) as cluster:
        said = sentence(place, "--gpus-per-fold", "1", *cluster.options)
        assert "asks for 1 GPUs" in said
        assert "offers more than 0 GPUs" in said
