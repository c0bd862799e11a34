"""Fetching and unpacking, from a server of our own on 127.0.0.1."""

import io
import socket
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ensemble_kit.core.errors import DataError
from ensemble_kit.data import download
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.download import Advance, look_up
from ensemble_kit.data.ham10000 import DOI, Fetched, fetch_ham10000
from ensemble_kit.data.layouts import find_layout
from ensemble_kit.data.unpack import image_members, unpack_images
from tests.data.dataverse import Server, ham10000, serving
from tests.data.folders import Rows

PARTS = ["HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "BLOCK", 100)
    with serving(ham10000(tmp_path / "source")) as running:
        yield running


def fetched(server: Server, folder: Path, **options: bool) -> Fetched:
    def begin(name: str, total: int, there: int) -> Advance:
        return lambda by: None

    return fetch_ham10000(
        folder,
        begin,
        lambda n: lambda by: None,
        server=server.url,
        keep_archives=options.get("keep", False),
    )


def test_the_data_set_is_arranged(server: Server, tmp_path: Path) -> None:
    got = fetched(server, tmp_path / "dataset")
    assert (got.n_images, got.fresh) == (9, True)
    assert sorted(path.name for path in (tmp_path / "dataset").iterdir()) == [
        "HAM10000_metadata.csv",
        "images",
    ]
    table = load_table(tmp_path / "dataset")
    assert table.image_ids.tolist() == sorted(row["image_id"] for row in Rows().rows)
    assert find_layout(tmp_path / "dataset").name == "HAM10000, one image folder"
    for path in table.paths:
        source = tmp_path / "source" / Path(path).name
        assert (tmp_path / "dataset" / path).read_bytes() == source.read_bytes()
    assert [name for name, _ in server.requests] == ["HAM10000_metadata.tab", *PARTS]
    server.requests.clear()
    again = fetched(server, tmp_path / "dataset")
    assert (again.n_images, again.fresh) == (9, False)
    assert server.requests == []


def test_a_broken_transfer_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.breaks[PARTS[0]] = [1000, 700]
    assert fetched(server, tmp_path / "dataset").n_images == 9
    assert server.requests[1:4] == [
        (PARTS[0], ""),
        (PARTS[0], "bytes=1000-"),
        (PARTS[0], "bytes=1700-"),
    ]


def test_what_has_come_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.breaks[PARTS[1]] = [1200, 0]
    with pytest.raises(DataError, match=r"cannot fetch http.*kept and continued"):
        fetched(server, tmp_path / "dataset")
    assert not (tmp_path / "dataset" / "images").exists()
    server.requests.clear()
    assert fetched(server, tmp_path / "dataset").n_images == 9
    assert server.requests[0] == (PARTS[1], "bytes=1200-")
    assert PARTS[0] not in [name for name, _ in server.requests]


@pytest.mark.parametrize("place", ["ensemble_kit.data.ham10000.write_bytes", "pathlib.Path.rename"])
def test_an_interrupt_at_the_end_is_gone_on_with(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetched(server, tmp_path / "dataset")
    again = fetched(server, tmp_path / "dataset")
    assert (again.n_images, again.fresh) == (9, True)


def test_wrong_contents_are_thrown_away(server: Server, tmp_path: Path) -> None:
    whole = server.files[PARTS[0]]
    server.md5[PARTS[0]] = "f" * 32
    with pytest.raises(DataError, match=r"not the published HAM10000_images_part_1\.zip"):
        fetched(server, tmp_path / "dataset")
    assert not list((tmp_path / "dataset").rglob("*.zip"))
    del server.md5[PARTS[0]]
    partial = tmp_path / "dataset" / ".downloads" / f".{PARTS[0]}.part"
    partial.write_bytes(whole + b"more than there is")
    with pytest.raises(DataError, match="cannot fetch"):
        fetched(server, tmp_path / "dataset")
    assert fetched(server, tmp_path / "dataset").n_images == 9


def test_archives_can_be_kept(server: Server, tmp_path: Path) -> None:
    fetched(server, tmp_path / "dataset", keep=True)
    assert sorted(p.name for p in (tmp_path / "dataset" / ".downloads").glob("*.zip")) == PARTS
    assert len(load_table(tmp_path / "dataset")) == 9


def test_a_changed_publication_is_named(server: Server, tmp_path: Path) -> None:
    del server.files[PARTS[1]]
    with pytest.raises(DataError, match=r"has no HAM10000_images_part_2\.zip"):
        fetched(server, tmp_path / "dataset")


def test_a_folder_of_ones_own_is_left_alone(server: Server, tmp_path: Path) -> None:
    mine = tmp_path / "dataset" / "images" / "mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"x")
    with pytest.raises(DataError, match="move it away"):
        fetched(server, tmp_path / "dataset")
    assert mine.read_bytes() == b"x"
    table = tmp_path / "other" / "HAM10000_metadata.csv"
    table.parent.mkdir()
    table.write_text("mine")
    server.requests.clear()
    with pytest.raises(DataError, match=r"is not the published table: move it away"):
        fetched(server, tmp_path / "other")
    assert table.read_text() == "mine"
    assert [name for name, _ in server.requests] == ["HAM10000_metadata.tab"]


def test_a_dead_network_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            DataError, match=r"cannot fetch http://127.*\(ConnectionError\): check the"
        ):
            look_up(DOI, url)


def test_another_kind_of_server_is_noticed(server: Server) -> None:
    server.listing = lambda: {"data": []}  # type: ignore[method-assign]
    with pytest.raises(DataError, match="did not answer as a data repository"):
        look_up(DOI, server.url)


def archive(path: Path, fill: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        fill(opened)
    return path


def _link(opened: zipfile.ZipFile) -> None:
    item = zipfile.ZipInfo("a.jpg")
    item.external_attr = 0o120777 << 16
    opened.writestr(item, "/etc/passwd")


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/tmp/a.jpg", "x/../../a.jpg", "..\\a.jpg", "C:/a.jpg"]
)
def test_paths_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", lambda opened: opened.writestr(name, b"x"))
    with pytest.raises(DataError, match="would leave the folder or is a link"):
        image_members(path)


def test_links_doubles_and_bombs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'a\.jpg' would leave the folder or is a link"):
        image_members(archive(tmp_path / "link.zip", _link))
    twice = archive(
        tmp_path / "twice.zip",
        lambda opened: [opened.writestr(f"{d}/a.jpg", b"x") for d in "xy"] and None,  # type: ignore[func-returns-value]
    )
    with pytest.raises(DataError, match=r"a\.jpg in it more than once"):
        image_members(twice)
    bomb = archive(tmp_path / "bomb.zip", lambda opened: opened.writestr("a.jpg", bytes(70 << 20)))
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(DataError, match=r"a\.jpg would unpack to an implausible size"):
        image_members(bomb)
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="not a readable zip archive"):
        image_members(tmp_path / "no.zip")


def test_a_damaged_member_is_named_and_not_left_behind(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("a.jpg", b"good" * 100)
        opened.writestr("b.jpg", b"evil" * 100)
    path = tmp_path / "a.zip"
    path.write_bytes(content.getvalue().replace(b"evilevil", b"evilEVIL", 1))
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(DataError, match=r"b\.jpg is damaged .*CRC"):
        unpack_images(path, image_members(path), folder, lambda done: None)
    assert [found.name for found in folder.iterdir()] == ["a.jpg"]
