"""The one decoder: colours, geometry, refusals."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.decode import Aspect, Pixels, decode, decode_bytes, read_header


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)  # type: ignore[arg-type]
    return content.getvalue()


def smooth(width: int, height: int) -> Pixels:
    """A picture without detail that any resampling could lose: each corner another colour."""
    corners = np.array([[[250, 10, 10], [10, 240, 20]], [[20, 20, 230], [240, 240, 30]]], np.uint8)
    big = Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(big)


def plain_png(width: int, height: int) -> bytes:
    """A PNG header announcing a size, without the pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + check


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("side", [(600, 450), (450, 600), (399, 299), (64, 64), (28, 28)])
def test_crop_is_the_centre_square(kind: str, side: tuple[int, int]) -> None:
    picture = smooth(*side)
    options = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    got = decode_bytes(encoded(Image.fromarray(picture), kind, **options), 50, "crop", "x")
    short = min(side)
    left, top = (side[0] - short) // 2, (side[1] - short) // 2
    square = picture[top : top + short, left : left + short]
    wanted = np.asarray(Image.fromarray(square).resize((50, 50), Image.Resampling.BOX))
    assert got.shape == (50, 50, 3)
    assert got.dtype == np.uint8
    assert np.abs(got.astype(int) - wanted).max() <= (18 if short < 50 else 8)
    assert np.abs(got.astype(int) - wanted).mean() <= 2.5


def test_pad_keeps_everything_and_adds_black() -> None:
    data = encoded(Image.fromarray(np.full((30, 90, 3), 200, np.uint8)), "PNG")
    got = decode_bytes(data, 60, "pad", "x")
    assert (got[:20] == 0).all()
    assert (got[40:] == 0).all()
    assert (got[20:40] == 200).all()
    tall = decode_bytes(
        encoded(Image.fromarray(np.full((900, 300, 3), 200, np.uint8)), "JPEG"), 60, "pad", "x"
    )
    assert (tall[:, :20] == 0).all()
    assert np.abs(tall[:, 20:40].astype(int) - 200).max() <= 2


def test_stretch_uses_the_whole_picture() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 40:] = 255
    got = decode_bytes(encoded(Image.fromarray(picture), "PNG"), 20, "stretch", "x")
    assert got[:, :9].max() < 20
    assert got[:, 11:].min() > 235


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_reduction_is_antialiased(kind: str) -> None:
    """A one-pixel chequerboard becomes grey; sampling without a filter would give stripes."""
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    options = {"quality": 100} if kind == "JPEG" else {}
    got = decode_bytes(encoded(Image.fromarray(board), kind, **options), 100, "crop", "x")
    inner = got[5:-5, 5:-5].astype(int)
    assert np.abs(inner - 127).max() <= 12


@pytest.mark.parametrize(
    ("image", "kind", "wanted"),
    [
        (Image.new("L", (9, 9), 90), "PNG", (90, 90, 90)),
        (Image.new("L", (32, 32), 90), "JPEG", (90, 90, 90)),
        (Image.new("1", (9, 9), 1), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (9, 9), (200, 100, 50, 255)), "PNG", (200, 100, 50)),
        (Image.new("RGBA", (9, 9), (200, 100, 50, 0)), "PNG", (0, 0, 0)),
        (Image.new("LA", (9, 9), (200, 255)), "PNG", (200, 200, 200)),
        (Image.new("RGB", (9, 9), (10, 200, 30)).quantize(4), "PNG", (10, 200, 30)),
        (Image.fromarray(np.full((9, 9), 0x8040, np.uint16)), "PNG", (128, 128, 128)),
        (Image.new("RGB", (32, 32), (180, 90, 40)).convert("CMYK"), "JPEG", (180, 90, 40)),
    ],
)
def test_every_kind_of_colour_becomes_rgb(
    image: Image.Image, kind: str, wanted: tuple[int, int, int]
) -> None:
    got = decode_bytes(encoded(image, kind), 8, "crop", "x")
    assert np.abs(got.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_exif_orientation_is_applied(turn: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(Image.fromarray(smooth(120, 80)), "JPEG", exif=exif, quality=98, subsampling=0)
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    wanted = decode_bytes(encoded(upright, "PNG"), 40, "crop", "x")
    got = decode_bytes(data, 40, "crop", "x")
    assert np.abs(got.astype(int) - wanted).max() <= 12


@pytest.mark.parametrize("aspect", ["crop", "pad", "stretch"])
def test_a_scaled_decode_stays_near_the_full_one(aspect: Aspect) -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    picture = rough.resize((1200, 900), Image.Resampling.BICUBIC)
    data = encoded(picture, "JPEG", quality=95, subsampling=0)
    with Image.open(io.BytesIO(data)) as opened:
        full = decode_bytes(encoded(opened.convert("RGB"), "PNG"), 150, aspect, "x")
    got = decode_bytes(data, 150, aspect, "x")
    assert np.abs(got.astype(int) - full).mean() < 2.0


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_files_are_refused(kind: str, share: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    whole = encoded(Image.fromarray(rng.integers(0, 256, (80, 90, 3), dtype=np.uint8)), kind)
    path = tmp_path / "broken.jpg"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        DataError,
        match=r"broken\.jpg: .*(truncated or )?damaged .*; restore or replace the file, or drop",
    ):
        decode(path, 32, "crop")


def test_bombs_are_refused_from_their_header() -> None:
    with pytest.raises(DataError, match="50,000×50,000 pixels, but at most"):
        read_header(plain_png(50_000, 50_000), "x")
    jpeg = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 50_000, 50_000)
    with pytest.raises(DataError, match="50,000×50,000 pixels"):
        decode_bytes(bytes(jpeg), 32, "crop", "x")
    with pytest.raises(DataError, match="0×5 pixels"):
        read_header(plain_png(0, 5), "x")


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + b"\0" * 60, b"not an image at all, but long enough", b"\xff\xd8\xff"]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="x: "):
        decode_bytes(data, 32, "crop", "x")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read"):
        decode(tmp_path / "gone.jpg", 32, "crop")


@pytest.mark.shared
def test_original_photographs(shared: Path) -> None:
    """Against a full decode reduced by Pillow, on 600×450 originals."""
    for path in sorted((shared / "data" / "ham10000-sample70" / "images").iterdir())[:12]:
        with Image.open(path) as opened:
            square = opened.convert("RGB").crop((75, 0, 525, 450))
        wanted = np.asarray(square.resize((150, 150), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(decode(path, 150, "crop") - wanted).mean() < 3.0
