"""What could run code, or reach files that nobody named: all inert."""

import csv
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import DataError, EnsembleKitError
from ensemble_kit.data.unpack import image_members, unpack_images
from ensemble_kit.models.own import check_base_file
from tests.chaos.giving import faults, give
from tests.chaos.workplace import QUICK


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (self.mark, "w"))


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--predictions", "bomb.npz", *QUICK),
        ("cv", "--features", "bomb.npz", "--study", "study.toml"),
    ],
)
def test_pickled_arrays(place: Path, words: tuple[str, ...]) -> None:
    mark = place / "exploded"
    ids = np.array([f"I{i:02d}" for i in range(24)])
    np.savez(place / "bomb.npz", image=ids, ids=ids, x=np.array([Bomb(mark)] * 24, dtype=object))
    done = give(place, words)
    assert done.code == 2, done
    assert not mark.exists()
    assert "never loaded" in done.error or "bomb.npz" in done.error


def test_pickled_features_in_a_run(tmp_path: Path) -> None:
    from ensemble_kit.runs.features import read_features

    mark = tmp_path / "exploded"
    np.save(tmp_path / "features.npy", np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(EnsembleKitError, match=r"features\.npy"):
        read_features(tmp_path / "features.npy", 1)
    assert not mark.exists()


def test_a_network_with_code(tmp_path: Path) -> None:
    config = (
        '{"module": "keras", "class_name": "Functional", "config": {"layers": [{"module": '
        '"keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": '
        '"__lambda__", "config": {"code": "4wAAAA=="}}}}]}}'
    )
    with zipfile.ZipFile(tmp_path / "base.keras", "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(EnsembleKitError, match="would run code"):
        check_base_file(tmp_path / "base.keras")


@pytest.mark.parametrize("brackets", ["[" * 100_000, '{"a":' * 100_000])
def test_a_network_nested_too_deeply(tmp_path: Path, brackets: str) -> None:
    with zipfile.ZipFile(tmp_path / "base.keras", "w") as archive:
        archive.writestr("config.json", brackets)
    with pytest.raises(EnsembleKitError, match=r"base\.keras"):
        check_base_file(tmp_path / "base.keras")


@pytest.mark.parametrize("path", ["file:///etc", "/etc/passwd", "data/../../../etc", "http://x/y"])
def test_other_places_in_a_study(place: Path, path: str) -> None:
    text = (place / "study.toml").read_text().replace('path = "data"', f'path = "{path}"')
    (place / "study.toml").write_text(text)
    done = give(place, ["cv", "--study", "study.toml", "--dry-run"])
    assert done.code == 2, done
    assert "root:" not in done.err
    assert not faults(done, allowed=("store",))


def test_tags_of_yaml_are_no_storage(place: Path) -> None:
    done = give(place, ["tune", "--study", "study.toml", "--dry-run", "--storage",
                        '!!python/object/apply:os.system ["touch exploded"]'])  # fmt: skip
    assert done.code in (0, 2)
    assert not (place / "exploded").exists()


def renamed(place: Path, *names: str) -> None:
    """``h.csv``: ``a.csv`` with other names of its classes."""
    rows = list(csv.reader(io.StringIO((place / "a.csv").read_text())))
    swap = dict(zip(("bkl", "mel", "nv"), names, strict=False))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [[swap.get(cell, cell) for cell in row] for row in rows]
    )
    (place / "h.csv").write_text(text.getvalue())


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "@SUM(1)"])
def test_formulas_get_into_no_table_that_is_written(place: Path, name: str) -> None:
    renamed(place, name)
    done = give(place, ["evaluate", "--predictions", "h.csv", "--name", "h", *QUICK])
    assert done.code == 2, done
    assert "begins like a formula" in done.error
    assert not (place / "runs/h").exists()


def test_markup_in_names_stays_text(place: Path) -> None:
    renamed(place, "+1+1", "<script>alert(1)</script>")
    done = give(place, ["evaluate", "--predictions", "h.csv", "--name", "h", *QUICK])
    assert done.code == 0, done
    assert give(place, ["report", "h", "--out", "out/h.html"]).code == 0
    page = (place / "out/h.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page


def test_links_out_of_the_data_folder(place: Path) -> None:
    secret = place / "secret.txt"
    secret.write_text("not an image, root:x:0:0")
    image = place / "data/images/I00.jpg"
    image.unlink()
    image.symlink_to(secret)
    done = give(place, ["check", "--folds", "3", "--data", "data"])
    assert "root:x" not in done.out + done.err
    assert not faults(done, allowed=("store",))


@pytest.mark.parametrize("name", ["../out.jpg", "/tmp/out.jpg", "a/../../out.jpg", "..\\out.jpg"])
def test_a_zip_does_not_write_beside_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "to"
    folder.mkdir(parents=True)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(name, b"x")
    with pytest.raises(DataError):
        unpack_images(archive, image_members(archive), folder, lambda n: None)
    assert not list(tmp_path.rglob("out.jpg"))


def test_a_zip_bomb_of_arrays_is_not_unpacked(place: Path) -> None:
    with zipfile.ZipFile(place / "b.npz", "w", zipfile.ZIP_DEFLATED) as made:
        block = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            block, {"descr": "<f8", "fortran_order": False, "shape": (40_000_000, 1)}
        )
        with made.open("probabilities.npy", "w", force_zip64=True) as member:
            member.write(block.getvalue())
            for _ in range(320):
                member.write(b"\0" * 1_000_000)
    done = give(place, ["evaluate", "--predictions", "b.npz", *QUICK])
    assert done.code == 2, done
    assert "not unpacked" in done.error
    assert os.path.getsize(place / "b.npz") < 2_000_000  # noqa: PTH202
