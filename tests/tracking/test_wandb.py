"""Runs written by W&B itself, offline, and read back from its files."""

import struct
from pathlib import Path
from typing import Any

import pytest

from ensemble_kit.tracking.registry import open_tracking
from tests.tracking.conftest import Trained

wandb = pytest.importorskip("wandb", reason="wandb is not installed: make test-trackers")
pytestmark = pytest.mark.filterwarnings("ignore")

BLOCK, HEADER, RECORD = 32768, 7, 7


def records(path: Path) -> list[Any]:
    """The records of a ``.wandb`` file, which is a LevelDB log: blocks of 32 KB, pieces with a
    checksum (4 bytes), length (2) and kind (1: whole, 2: first, 3: middle, 4: last)."""
    from wandb.proto import wandb_internal_pb2

    data, at, held, found = path.read_bytes(), HEADER, b"", []
    while at + RECORD <= len(data):
        if BLOCK - at % BLOCK < RECORD:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + RECORD])
        piece, at = data[at + RECORD : at + RECORD + length], at + RECORD + length
        held = piece if kind in (1, 2) else held + piece
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(held)
            found.append(record)
    return found


def test_a_group_of_runs_is_written_without_a_network(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    with open_tracking("wandb", said.append) as tracked:
        for kind, facts in trained.heard:
            tracked.tell(kind, **facts)
        tracked.finish(trained.run)
    assert said == []

    written = {}
    for path in tmp_path.glob("wandb/offline-run-*/*.wandb"):
        found = records(path)
        begun = next(r.run for r in found if r.WhichOneof("record_type") == "run")
        written[begun.display_name] = (begun, found, path.parent)
    assert set(written) == {"tiny", "fold 0", "fold 1"}
    parent, told, folder = written["tiny"]
    assert {run.run_group for run, _, _ in written.values()} == {parent.run_group}
    assert (parent.job_type, written["fold 1"][0].job_type) == ("cv", "fold")

    summary = {}
    for record in told:
        if record.WhichOneof("record_type") == "summary":
            for item in record.summary.update:
                summary[item.key or ".".join(item.nested_key)] = item.value_json
    auc = trained.run.evaluation.figure("roc_auc_ovr")
    assert float(summary["roc_auc_ovr"]) == pytest.approx(auc.value)
    assert float(summary["roc_auc_ovr.low"]) == pytest.approx(auc.low)

    epochs = [r for r in written["fold 1"][1] if r.WhichOneof("record_type") == "history"]
    assert len(epochs) == sum(1 for k, f in trained.heard if k == "epoch" and f["fold"] == 1)
    assert (folder / "files/metrics.csv").read_bytes() == (
        (trained.run.folder / "metrics.csv").read_bytes()
    )
    assert len(list((folder / "files/media/html").glob("*.html"))) == 1
