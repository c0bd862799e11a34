"""`store` as a user gives it: what is there, what is damaged, what may go."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.errors import OutputError, StoreError
from ensemble_kit.data import sources
from ensemble_kit.data.dataset import load_table
from ensemble_kit.stores.activation_filling import _ViewFill
from ensemble_kit.stores.activations import ActivationKey, ActivationStore, key_in, open_store
from ensemble_kit.stores.pixels import fill_pixels, pixels_ready
from tests.data.folders import write_folder

ROWS = 20


def store(*words: str) -> Any:
    """The JSON the command prints; its errors are raised with what it printed before."""
    done = CliRunner().invoke(app, ["store", *words, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def activations(place: Path, depth: int, views: int = 2) -> ActivationStore:
    """A store of random rows, written as a fill writes them."""
    shape = (128,) if depth == 0 else (4, 4, 16)
    key = ActivationKey("p", "compact", "s", "w", "tensorflow", "float32", depth,
                        "float32" if depth == 0 else "float16", shape, ROWS)  # fmt: skip
    made = open_store(place, key)
    random = np.random.default_rng(depth)
    for view in range(views):
        fill = _ViewFill(made, view, 16)
        for number, size in enumerate((16, 4)):
            fill.write(number, random.normal(size=(size, *shape)).astype(np.float32))
        fill.finish()
    return made


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``store`` with pixels (oldest), pooled features, a cut (latest), and foreign folders."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "store"
    pixels = fill_pixels(load_table(write_folder(tmp_path / "data")), 24, "crop", place, jobs=1)
    pooled, cut = activations(place, 0), activations(place, 2)
    for age, folder in ((3000, pixels.folder), (2000, pooled.folder), (1000, cut.folder)):
        for path in folder.iterdir():
            stamp = path.stat().st_mtime_ns - age * 10**9
            os.utime(path, ns=(stamp, stamp))
    for foreign in ("activations/mine", "pixels/mine"):
        (place / foreign).mkdir()
        (place / foreign / "thesis.txt").write_text("years of work")
    return place


def named(listed: Any, state: str = "complete") -> list[str]:
    return [s["kind"] + str(s.get("depth", "")) for s in listed["stores"] if s["state"] == state]


def folder_of(place: Path, kind: str) -> Path:
    found = {s["kind"] + str(s.get("depth", "")): s for s in store("list")["stores"]
             if s["state"] != "foreign"}  # fmt: skip
    return place / found[kind]["kind"] / found[kind]["name"]


def test_it_lists_what_is_there(place: Path) -> None:
    listed = store("list")
    assert named(listed) == ["activations2", "activations0", "pixels"], "latest used first"
    by_kind = {s["kind"] + str(s.get("depth", "")): s for s in listed["stores"]}
    cut = next(s for s in listed["stores"] if s.get("depth") == 2)
    assert cut["shape"] == [4, 4, 16]
    assert cut["views"] == [0, 1]
    assert cut["bytes"] >= ROWS * 4 * 4 * 16 * 2 * 3, "two parts of view 0, one of view 1"
    on_disk = sum(p.stat().st_size for p in (place / "activations").rglob("*") if p.is_file())
    assert on_disk == sum(s["bytes"] for s in listed["stores"] if s["kind"] == "activations")
    assert by_kind["activations0"]["images"] == ROWS
    assert len(named(listed, "foreign")) == 2
    told = CliRunner().invoke(app, ["store", "list"]).stdout
    assert "5 stores" in told
    assert "foreign" in told


def test_no_store_yet(tmp_path: Path) -> None:
    assert store("list", "--store", str(tmp_path / "none"))["stores"] == []
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file: --store names a folder"):
        store("list", "--store", str(tmp_path / "file"))


def test_sound_stores_are_sound(place: Path) -> None:
    found = store("verify")
    assert len(found["sound"]) == 3
    assert found["damaged"] == []


def test_damage_is_named_forgotten_and_only_once(place: Path) -> None:
    cut, pixels = folder_of(place, "activations2"), folder_of(place, "pixels")
    for path, offset in ((cut / "view_1.high.float16", 999), (pixels / "pixels.u8", 24 * 24 * 3)):
        stamp = path.stat()
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(StoreError) as caught:
        store("verify")
    assert f"{cut.name} (view 1)" in str(caught.value)
    assert f"{pixels.name} (1 image)" in str(caught.value)
    listed = store("list")
    assert next(s for s in listed["stores"] if s.get("depth") == 2)["views"] == [0]
    assert named(listed, "partial") == ["pixels"]
    assert store("verify")["damaged"] == []
    table = load_table(place.parent / "data")
    assert not pixels_ready(table, 24, "crop", place)
    fill_pixels(table, 24, "crop", place, jobs=1)
    assert pixels_ready(table, 24, "crop", place)


def test_damage_ends_with_exit_code_2(place: Path, project: Path) -> None:
    import subprocess
    import sys

    (folder_of(place, "activations0") / "view_0.high.float32").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, project / "cli.py", "store", "verify"],
        text=True, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: damaged and now forgotten")
    assert "damaged: view 0" in done.stdout


def test_the_least_recently_used_go_first(place: Path) -> None:
    sizes = {s["kind"] + str(s.get("depth", "")): s["bytes"] for s in store("list")["stores"]}
    keep = (sizes["activations0"] + sizes["activations2"]) / 1e9
    dry = store("prune", "--keep-gb", f"{keep:.9f}", "--dry-run")
    assert [r["store"].split("/")[0] for r in dry["removed"]] == ["pixels"]
    assert len(named(store("list"))) == 3, "a dry run removes nothing"
    done = store("prune", "--keep-gb", f"{keep:.9f}")
    assert (done["removed"], done["freed"]) == (dry["removed"], dry["freed"])
    assert named(store("list")) == ["activations2", "activations0"]
    store("prune", "--keep-gb", f"{keep - 1e-9:.9f}")
    assert named(store("list")) == ["activations2"]


def test_only_stores_are_ever_removed(place: Path) -> None:
    inside = folder_of(place, "activations0") / "notes.txt"
    inside.write_text("mine")
    copied = place / "activations" / "copied"
    shutil.copytree(folder_of(place, "activations2"), copied)
    pixels, target = folder_of(place, "pixels"), place.parent / "target"
    shutil.copytree(pixels, place / "pixels" / "copied")
    shutil.move(str(pixels), target)
    pixels.symlink_to(target)
    (place / "pixels" / "sources").mkdir(exist_ok=True)
    done = store("prune", "--all")
    assert len(done["removed"]) == 1
    kept = {str(p.relative_to(place)) for p in place.rglob("*.txt")}
    assert {"activations/mine/thesis.txt", "pixels/mine/thesis.txt"} < kept
    assert inside.is_file()
    assert (copied / "meta.json").is_file()
    assert (target / "pixels.u8").is_file()
    assert (place / "pixels" / "copied" / "pixels.u8").is_file()
    assert (place / "pixels" / "sources").is_dir()


def test_what_is_unfinished_goes_alone(place: Path) -> None:
    cut, pooled = folder_of(place, "activations2"), folder_of(place, "activations0")
    (cut / "view_1.json").unlink()
    for view in (0, 1):
        (pooled / f"view_{view}.json").unlink()
    (folder_of(place, "pixels") / "meta.json").unlink()
    assert sorted(named(store("list"), "partial")) == ["activations0", "activations2", "pixels"]
    done = store("prune", "--partial")
    assert len(done["removed"]) == 3
    listed = store("list")
    assert named(listed) == ["activations2"]
    assert next(s for s in listed["stores"] if s.get("depth") == 2)["views"] == [0]
    assert not pooled.exists()
    assert sum(s["bytes"] for s in listed["stores"] if s["state"] == "complete") == done["left"]


def test_a_store_in_use_is_left_alone_and_named(place: Path) -> None:
    cut, pixels = folder_of(place, "activations2"), folder_of(place, "pixels")
    with FileLock(cut / "lock"), FileLock(pixels.with_suffix(".lock")):
        busy = {s["name"] for s in store("list")["stores"] if s["busy"]}
        assert busy == {cut.name, pixels.name}
        assert len(store("verify")["busy"]) == 2
        done = store("prune", "--all")
        assert len(done["removed"]) == 1
        assert len(done["busy"]) == 2
        told = CliRunner().invoke(app, ["store", "prune", "--all"])
        assert cut.name in told.stderr
        assert pixels.name in told.stderr
    assert sorted(named(store("list"))) == ["activations2", "pixels"]
    assert len(store("prune", "--all")["removed"]) == 2


def test_use_counts_as_use(place: Path) -> None:
    pooled = folder_of(place, "activations0")
    open_store(place, key_in(pooled))
    assert named(store("list"))[0] == "activations0"
    keep = next(s["bytes"] for s in store("list")["stores"] if s.get("depth") == 0) / 1e9
    store("prune", "--keep-gb", f"{keep:.9f}")
    assert named(store("list")) == ["activations0"]


@pytest.mark.parametrize("words", [(), ("--all", "--partial"), ("--all", "--keep-gb", "1")])
def test_prune_wants_one_choice(place: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(StoreError, match="one of --keep-gb"):
        store("prune", *words)


@pytest.mark.parametrize("kind", ["activations2", "pixels"])
def test_a_store_of_another_format_is_left_alone(place: Path, kind: str) -> None:
    meta = folder_of(place, kind) / "meta.json"
    write_json(meta, json.loads(meta.read_text()) | {"format": 99})
    assert len(named(store("list"), "foreign")) == 3
    assert store("verify")["damaged"] == []
    store("prune", "--all")
    assert meta.is_file()


@pytest.mark.parametrize("kind", ["activations2", "pixels"])
def test_a_damaged_store_beside_files_of_others_is_left_alone(place: Path, kind: str) -> None:
    folder = folder_of(place, kind)
    (folder / "meta.json").write_text("[]")
    (folder / "thesis.txt").write_text("years of work")
    assert len(named(store("list"), "foreign")) == 3
    assert store("verify")["damaged"] == []
    store("prune", "--all")
    assert (folder / "thesis.txt").is_file()


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("word", ["list", "verify"])
def test_where_there_is_no_store_it_says_so_and_how_one_is_made(
    word: str, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if made:
        Path("empty").mkdir()
    done = CliRunner().invoke(app, ["store", word, "--store", "empty"])
    assert done.exit_code == 0
    assert done.stdout.startswith("empty: no store there; `cv` and `tune` make stores")
    assert Path("empty").exists() == made, "looking makes nothing"
    shown = store(word, "--store", "empty")
    assert shown.get("stores", []) == shown.get("sound", []) == []


RECORDS = {
    "pixels/meta.json": "its record meta.json", "pixels/filling.key": "its record filling.key",
    "activations0/meta.json": "its record meta.json", "activations2/meta.json": "its record",
    "activations2/view_1.json": "view 1", "sources": "what it says of image files",
}  # fmt: skip


@pytest.mark.parametrize("text", ["[]", "{}", "", "null", '"x"', "[" * 2000, None, "changed"])
@pytest.mark.parametrize("record", list(RECORDS))
def test_a_damaged_record_is_named_and_made_again(
    place: Path, record: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = load_table(place.parent / "data")
    if record == "sources":
        monkeypatch.setattr(sources, "SETTLED", -(10**12))  # files just made are not remembered
        sources.source_contents(table, place, 1)
        path = next((place / "pixels/sources").glob("*.json"))
        assert store("verify")["damaged"] == []
        name = str(path.relative_to(place.parent))
    else:
        kind, file = record.split("/")
        path = folder_of(place, kind) / file
        name = str(path.parent.relative_to(place.parent))
    before = path.read_text()
    if text == "changed":
        # of a view the size of a batch: stamps that differ only have the files read
        digits = [i for i, letter in enumerate(before) if letter.isdigit()]
        digit = digits[0 if "view" in record else -1]
        text = before[:digit] + str(9 - int(before[digit])) + before[digit + 1 :]
    path.write_text(before[: len(before) // 2] if text is None else text)
    with pytest.raises(StoreError, match="damaged and now forgotten") as caught:
        store("verify")
    assert f"{name} ({RECORDS[record]}" in str(caught.value)
    assert store("verify")["damaged"] == []
    fill_pixels(table, 24, "crop", place, jobs=1)
    assert pixels_ready(table, 24, "crop", place)
    activations(place, 0)
    activations(place, 2)
    assert store("verify")["damaged"] == []
    assert named(store("list"), "damaged") == []
    assert (place / "activations/mine/thesis.txt").is_file()


def test_a_damaged_store_is_listed_and_pruned(place: Path) -> None:
    for kind in ("activations0", "pixels"):
        (folder_of(place, kind) / "meta.json").write_text("[]")
    listed = [s["kind"] for s in store("list")["stores"] if s["state"] == "damaged"]
    assert sorted(listed) == ["activations", "pixels"]
    assert len(store("prune", "--partial")["removed"]) == 2
    assert named(store("list"), "damaged") == []
    assert (place / "pixels/mine/thesis.txt").is_file()
