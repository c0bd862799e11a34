"""The pixel store: what it holds, when it is filled, what it survives."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import DataError, StoreError
from ensemble_kit.core.records import ImageTable
from ensemble_kit.data import sources
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.decode import Pixels, decode
from ensemble_kit.stores import pixel_filling as filling
from ensemble_kit.stores.pixel_maintenance import list_pixels, prune_pixels, verify_pixels
from ensemble_kit.stores.pixels import PixelStore, fill_pixels, pixels_ready, plan_pixels
from tests.data.folders import write_folder, write_image

SIZE = 20


@pytest.fixture
def table(tmp_path: Path) -> ImageTable:
    table = load_table(write_folder(tmp_path / "data"))
    for path in table.paths:
        os.utime(Path(table.root) / path, (1_600_000_000, 1_600_000_000))
    return table


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store"


def filled(table: ImageTable, place: Path, jobs: int = 2) -> PixelStore:
    return fill_pixels(table, SIZE, "crop", place, jobs=jobs)


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    real = filling.decode_bytes

    def counted(data: bytes, size: int, aspect: filling.Aspect, name: str, bits: int) -> Pixels:
        calls.append(name)
        return real(data, size, aspect, name, bits)

    monkeypatch.setattr(filling, "decode_bytes", counted)
    return calls


def test_rows_are_what_the_decoder_gives(table: ImageTable, place: Path) -> None:
    done: list[int] = []
    store = fill_pixels(table, SIZE, "pad", place, jobs=2, on_progress=done.append)
    assert store.array.shape == (9, SIZE, SIZE, 3)
    assert not store.array.flags.writeable
    for row, path in enumerate(table.paths):
        assert (store.array[row] == decode(Path(table.root) / path, SIZE, "pad")).all()
    assert sum(done) == len(table)
    raw = np.fromfile(store.folder / "pixels.u8", np.uint8)
    assert (raw.reshape(store.array.shape) == store.array).all()


def test_the_second_time_nothing_is_decoded(
    table: ImageTable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_pixels(table, SIZE, "crop", place)
    assert not plan.ready
    assert not plan.folder.exists()
    first = filled(table, place)
    assert first.folder == plan.folder
    assert pixels_ready(table, SIZE, "crop", place)
    calls = count_decodes(monkeypatch)
    done: list[int] = []
    again = fill_pixels(table, SIZE, "crop", place, jobs=1, on_progress=done.append)
    assert not calls
    assert sum(done) == len(table)
    assert again.digest == first.digest


def test_the_key_is_what_the_pixels_depend_on(table: ImageTable, place: Path) -> None:
    first = filled(table, place)
    others = [
        fill_pixels(table, SIZE + 1, "crop", place, jobs=1),
        fill_pixels(table, SIZE, "stretch", place, jobs=1),
        fill_pixels(table.take(np.arange(8)), SIZE, "crop", place, jobs=1),
        fill_pixels(table.take(np.arange(9)[::-1]), SIZE, "crop", place, jobs=1),
    ]
    assert len({store.folder for store in [first, *others]}) == 5
    assert len({store.digest for store in [first, *others]}) == 5


def test_another_place_or_time_of_the_same_files_changes_nothing(
    table: ImageTable, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(table, place)
    copy = load_table(write_folder(tmp_path / "elsewhere"))
    calls = count_decodes(monkeypatch)
    assert filled(copy, place).folder == first.folder
    assert not calls


def test_a_changed_image_is_noticed(table: ImageTable, place: Path) -> None:
    first = filled(table, place)
    changed = Path(table.root) / table.paths[4]
    write_image(changed, 99)
    os.utime(changed, (1_600_000_000, 1_600_000_000))
    assert not pixels_ready(table, SIZE, "crop", place)
    second = filled(table, place)
    differs = (first.array != second.array).any(axis=(1, 2, 3))
    assert np.flatnonzero(differs).tolist() == [4]


def test_files_left_alone_are_read_once(
    table: ImageTable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = sources._digest

    def counted(root: Path, path: str) -> tuple[str, int]:
        read.append(Path(path).stem)
        return real(root, path)

    monkeypatch.setattr(sources, "_digest", counted)
    monkeypatch.setattr(sources, "SETTLED", 10**15)
    first = plan_pixels(table, SIZE, "crop", place).folder
    assert plan_pixels(table, SIZE, "crop", place).folder == first
    assert len(read) == 18, "files changed just now are not trusted by their times"
    monkeypatch.setattr(sources, "SETTLED", -(10**15))
    plan_pixels(table, SIZE, "crop", place)
    read.clear()
    assert plan_pixels(table, SIZE, "crop", place).folder == first
    assert read == []
    write_image(Path(table.root) / table.paths[4], 99)
    assert plan_pixels(table, SIZE, "crop", place).folder != first
    assert read == ["im_5"]
    index = next((place / "pixels" / "sources").iterdir())
    index.write_text("{ damaged")
    read.clear()
    plan_pixels(table, SIZE, "crop", place)
    assert len(read) == 9


def test_a_plan_may_write_nothing(table: ImageTable, place: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    assert not plan_pixels(table, SIZE, "crop", nowhere, remember=False).ready
    assert not nowhere.exists()
    first = filled(table, place)
    os.utime(first.folder / "pixels.u8", (1_600_000_000, 1_600_000_000))
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    plan = plan_pixels(table, SIZE, "crop", place, remember=False)
    assert (plan.ready, plan.digest) == (True, first.digest)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_damaged_rows_are_noticed_and_decoded_again(
    table: ImageTable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(table, place)
    pixels = first.folder / "pixels.u8"
    whole = pixels.read_bytes()
    at = 3 * SIZE * SIZE * 3 + 7
    pixels.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    calls = count_decodes(monkeypatch)
    assert filled(table, place).digest == first.digest
    assert pixels.read_bytes() == whole
    assert calls == [str(table.paths[3])]


@pytest.mark.parametrize("name", ["pixels.u8", "rows.b2", "meta.json", "filling.key"])
@pytest.mark.parametrize("damage", ["truncated", "foreign", "gone"])
def test_damaged_files_are_noticed_and_mended(
    table: ImageTable, place: Path, name: str, damage: str
) -> None:
    first = filled(table, place)
    whole = (first.folder / "pixels.u8").read_bytes()
    path = first.folder / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5] if damage == "truncated" else b"\x01other" * 9)
    again = filled(table, place)
    assert again.digest == first.digest
    assert (again.folder / "pixels.u8").read_bytes() == whole
    assert verify_pixels(place, again.folder.name) == []


def test_unreadable_images_are_all_named_and_the_rest_is_kept(
    table: ImageTable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [Path(table.root) / table.paths[row] for row in (2, 6)]
    content = [path.read_bytes() for path in broken]
    for path, data in zip(broken, content, strict=True):
        path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"2 of 9 images cannot be used: .*im_3.*im_7") as raised:
        filled(table, place)
    assert str(raised.value).count("restore") == 1, "one next step for all of them"
    assert str(raised.value).endswith("; restore or replace these files, or drop their rows")
    assert not pixels_ready(table, SIZE, "crop", place)
    with pytest.raises(DataError, match="2 of 9"):
        filled(table, place)
    assert [store.complete for store in list_pixels(place)] == [False]
    broken[0].unlink()
    with pytest.raises(DataError, match="no file for image im_3"):
        filled(table, place)


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    table: ImageTable, place: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(filling.os, call, full)
        with pytest.raises(StoreError, match="the disk is full: the pixel store of 9 images"):
            filled(table, place)
    assert list_pixels(place) == []
    assert len(filled(table, place)) == 9


SLOW_FILL = """
import sys, time
from pathlib import Path
from ensemble_kit.stores import pixel_filling as filling
from ensemble_kit.data.dataset import load_table
from ensemble_kit.stores.pixels import fill_pixels
real = filling.decode_bytes
def slow(*given):
    time.sleep(0.15)
    return real(*given)
filling.decode_bytes = slow
filling.CHUNK = 1
print("begun", flush=True)
fill_pixels(load_table(Path(sys.argv[1])), 20, "crop", Path(sys.argv[2]), jobs=1,
            on_progress=lambda done: print(done, flush=True))
print("ended", flush=True)
"""


def test_a_killed_fill_goes_on_where_it_stopped(
    table: ImageTable, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW_FILL, table.root, str(place)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = [child.stdout.readline() for _ in range(5)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert seen == ["begun\n", "0\n", "1\n", "1\n", "1\n"]
    assert not pixels_ready(table, SIZE, "crop", place)
    calls = count_decodes(monkeypatch)
    resumed = filled(table, place)
    assert 4 <= len(calls) <= 6
    straight = filled(table, tmp_path / "other")
    assert resumed.digest == straight.digest
    for name in ("pixels.u8", "rows.b2"):
        assert (resumed.folder / name).read_bytes() == (straight.folder / name).read_bytes()


def test_two_processes_do_the_work_once(table: ImageTable, place: Path) -> None:
    command = [sys.executable, "-c", SLOW_FILL, table.root, str(place)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [child.communicate(timeout=120)[0].split() for child in children]
    assert all(output[-1] == "ended" for output in outputs)
    assert sorted(output.count("1") for output in outputs) == [0, 9]
    assert pixels_ready(table, SIZE, "crop", place)


def test_a_table_without_files_is_refused(table: ImageTable, place: Path) -> None:
    bare = load_table(Path(table.root), require_images=False)
    with pytest.raises(DataError, match="no image file known for im_1"):
        filled(bare, place)


def test_care(table: ImageTable, place: Path) -> None:
    assert list_pixels(place) == []
    old = filled(table, place)
    new = fill_pixels(table, SIZE * 2, "pad", place, jobs=1)
    time.sleep(0.05)
    (old.folder / "meta.json").touch()
    stores = list_pixels(place)
    assert [store.key for store in stores] == [old.folder.name, new.folder.name]
    assert (stores[1].n_images, stores[1].size, stores[1].aspect) == (9, 40, "pad")
    assert stores[1].n_bytes >= 9 * 40 * 40 * 3
    assert prune_pixels(place) == []
    with pytest.raises(StoreError, match="no pixel store named nothing"):
        prune_pixels(place, ["nothing"])
    assert [store.key for store in prune_pixels(place, [new.folder.name])] == [new.folder.name]
    with (old.folder / "pixels.u8").open("r+b") as file:
        file.seek(5 * SIZE * SIZE * 3)
        file.write(b"\x00\x01\x02\x03")
    (place / "pixels" / "mine").mkdir()
    (place / "pixels" / "mine" / "thesis.txt").write_text("years of work")
    (place / "pixels" / "empty").mkdir()
    with pytest.raises(StoreError, match="no pixel store named mine"):
        prune_pixels(place, ["mine"])
    assert verify_pixels(place, old.folder.name) == [5]
    with pytest.raises(StoreError, match="not a complete pixel store"):
        verify_pixels(place, old.folder.name)
    assert [store.key for store in prune_pixels(place)] == [old.folder.name]
    assert {store.key for store in list_pixels(place)} == {"mine", "empty"}
