"""Faults that were silent and wrong, each as the smallest input and its kind."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError, SplitError, StudyError
from ensemble_kit.data.dataset import DataSet, load_data
from ensemble_kit.data.decode import decode_bytes, read_header
from ensemble_kit.data.depth import bits_used
from ensemble_kit.data.groups import NO_GROUPS
from ensemble_kit.data.survey import survey
from ensemble_kit.data.tables import read_table
from ensemble_kit.metrics.view import check_names_of_view, view_mask, view_name
from ensemble_kit.splits import audit_split, read_folds_file
from ensemble_kit.splits.folds_file import read_image_list
from ensemble_kit.stores.pixels import fill_pixels
from ensemble_kit.study import DataSpec
from tests.data import native

UNKNOWN = ("#N/A", "<NA>", "NaT", "-", "?", "unk", "-1", "-1.0", "none", "nan", "NULL", "N/A")


def read(root: Path, text: str | bytes, n: int = 6, **spec: object) -> DataSet:
    native.files(root, [f"images/im_{k}.png" for k in range(n)])
    content = text if isinstance(text, bytes) else text.encode()
    (root / "metadata.csv").write_bytes(content)
    return load_data(root, DataSpec.model_validate(spec))


def rows(head: str, *columns: object) -> str:
    lines = [",".join(str(column[k]) for column in columns) for k in range(6)]  # type: ignore[index]
    return "\n".join([head, *lines, ""])


PLAIN = rows("image_id,dx,patient_id", native.ids(), native.LABELS, native.PATIENTS)


def test_lists_without_a_header_line_lose_no_image(tmp_path: Path) -> None:
    table = read(tmp_path, PLAIN).table
    (tmp_path / "train.txt").write_text("images/im_0.png\nim_2\nim_3\n")
    (tmp_path / "test.txt").write_text("im_1.PNG\nim_4\nim_5\n")
    sides = [read_image_list(tmp_path / f"{side}.txt", table) for side in ("train", "test")]
    assert sides[0].tolist() == ["im_0", "im_2", "im_3"]
    assert audit_split(table, *sides).groups == ("P1",)
    (tmp_path / "f.csv").write_text("\n".join(f"im_{k},{k // 2 % 2}" for k in range(6)))
    assert read_folds_file(tmp_path / "f.csv", table).fold.tolist() == [0, 0, 1, 1, 0, 0]


def test_pairs_say_how_many_were_used(tmp_path: Path) -> None:
    pairs = tmp_path / "p" / "pairs.csv"
    pairs.parent.mkdir()
    pairs.write_text("im_0,im_2\nim_4.png,im_5\nim_1,gone\n")
    found = read(tmp_path, PLAIN, duplicates=str(pairs))
    assert found.table.n_groups == 2
    assert "2 of 3 pairs used" in " ".join(found.notes)
    assert "1 pair left out, as the data set has no gone" in " ".join(found.warnings)
    pairs.write_text("a,b\nim_0,im_2\nim_4_small,im_5\nim_1,gone\n")
    with pytest.raises(DataError, match="only 1 of its 3 pairs"):
        read(tmp_path, PLAIN, duplicates=str(pairs))


@pytest.mark.parametrize("token", UNKNOWN)
def test_no_way_of_saying_unknown_is_a_patient(token: str, tmp_path: Path) -> None:
    patients = [token, "P1", token, "P1", token, token]
    found = read(tmp_path, rows("image_id,dx,patient_id", native.ids(), native.LABELS, patients))
    assert found.table.n_groups == 5
    written = token.removesuffix(".0")
    assert f"{written!r} (4 images) taken for not known" in " ".join(found.notes)


def test_a_large_group_is_named_and_no_groups_are_said_once(tmp_path: Path) -> None:
    names = native.ids()
    patients = ["zz"] * 6
    found = read(tmp_path, rows("image_id,dx,patient_id", names, native.LABELS, patients))
    assert found.warnings == ()
    found = read(tmp_path / "b", rows("image_id,dx", names, native.LABELS))
    assert found.warnings == (NO_GROUPS,)
    many = "image_id,dx,patient_id\n" + "".join(
        f"im_{k},{('mel', 'nv')[k % 2]},{'x9' if k < 10 else k}\n" for k in range(30)
    )
    (tmp_path / "c.csv").write_text(many)
    spec = load_data(tmp_path / "c.csv", require_images=False)
    assert "group x9 (10 images, 33%) holds more than 5%" in spec.warnings[0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_null_is_unknown_in_every_format(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"image_id": range(6), "dx": native.LABELS,
                          "lesion_id": [1, 1, None, None, None, None]})  # fmt: skip
    path = tmp_path / f"t.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    with pytest.raises(DataError, match=r"lesion 1 \(mel and nv\)"):
        load_data(path, require_images=False)
    frame["dx"] = ["nv", "nv", *native.LABELS[2:]]
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    table = load_data(path, require_images=False).table
    assert table.image_ids.tolist() == [str(k) for k in range(6)]
    assert table.n_groups == 5
    frame["dx"] = ["nv", "mel", None, "nv", "mel", "nv"]
    frame["lesion_id"] = None
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    with pytest.raises(DataError, match="no dx for 2"):
        load_data(path, require_images=False)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN + ",,\n,,\n",
        PLAIN.replace("\n", ",,\n"),
        PLAIN.upper().replace("IM_", "im_"),
        PLAIN.replace("im_1", '"im_1"'),
        PLAIN.replace("image_id,dx", "Image ID,DX"),
        PLAIN.replace("im_", "images/im_"),
        PLAIN.replace("im_", "images\\im_").replace(",nv", ".png,nv").replace(",mel", ".png,mel"),
        "\n".join(f"{k - 1 if k else ''},{line}" for k, line in enumerate(PLAIN.splitlines())),
    ],
)
def test_a_table_reads_the_same_however_it_is_written(content: str | bytes, tmp_path: Path) -> None:
    table = read(tmp_path, content).table
    assert table.image_ids.tolist() == native.ids()
    assert table.class_names == ("mel", "nv")
    assert table.n_groups == 3


def test_mixed_separators_are_named(tmp_path: Path) -> None:
    text = "image_id,dx,age\nim_0;nv;3\nim_1;mel;3\nim_2,nv,3\n"
    with pytest.raises(
        DataError, match=r"line 2 \(1\), line 3 \(1\) \(parted by commas; there are"
    ):
        read(tmp_path, text)


def test_a_class_may_be_called_unknown(tmp_path: Path) -> None:
    labels = ["unknown", "none", "na"] * 2
    assert read(tmp_path, rows("image,dx", native.ids(), labels)).table.class_names == (
        "na", "none", "unknown",
    )  # fmt: skip


def test_labels_of_true_and_false_and_one_hot(tmp_path: Path) -> None:
    mel = [label == "mel" for label in native.LABELS]
    hot = rows("image,MEL,NV", native.ids(), mel, [not flag for flag in mel])
    assert read(tmp_path, hot).table.class_names == ("mel", "nv")
    single = rows(
        "image,localization,target,is_duplicate", native.ids(), "bbbbbb", "010101", "000000"
    )
    assert read(tmp_path / "b", single).table.class_names == ("0", "1")


def test_labels_mapped_dropped_and_merged(tmp_path: Path) -> None:
    labels = ["a", "b", "c", "a", "b", "c"]
    text = rows("image,dx", native.ids(), labels)
    mapping = tmp_path / "m" / "map.csv"
    mapping.parent.mkdir()
    mapping.write_text("from,to,drop\nA,x,\nb,y,\nc,,drop\n")
    found = read(tmp_path, text, map_labels=str(mapping))
    assert found.table.class_names == ("x", "y")
    assert len(found.table) == 4
    mapping.write_text("from,to\na,x\nb,y\n")
    with pytest.raises(DataError, match="label c of the data set is not in its column from"):
        read(tmp_path, text, map_labels=str(mapping))
    uneven = rows("image,dx", native.ids(), ["a", "a", "a", "b", "b", "c"])
    found = read(tmp_path, uneven, min_groups="3=merge:rest")
    assert found.table.class_names == ("a", "rest")
    assert "b (2 groups), c (1 group)" in " ".join(found.notes)
    found = read(tmp_path, uneven, min_groups="2=drop")
    assert found.table.class_names == ("a", "b")
    with pytest.raises(DataError, match="give N=drop or N=merge:NAME"):
        read(tmp_path, uneven, min_groups="two")


def test_usual_names_forbid_no_others_but_slips_are_refused(tmp_path: Path) -> None:
    labels = ["ack", "bcc", "mel", "nev", "scc", "sek"]
    assert len(read(tmp_path, rows("image,dx", native.ids(), labels)).table.class_names) == 6
    slip = ["mel", "nv", "mel", "nv", "bcc?", "bcc"]
    with pytest.raises(DataError, match=r"unknown dx 'bcc\?'.*perhaps 'bcc' for 'bcc\?'"):
        read(tmp_path, rows("image,dx", native.ids(), slip))


def test_ages_as_deidentified(tmp_path: Path) -> None:
    ages = ["90+", "300", "89", ">89", "50.0", ""]
    found = read(tmp_path, rows("image,dx,age", native.ids(), native.LABELS, ages))
    assert found.table.slices["age"].tolist() == ["90", "90", "89", "89", "50", ""]
    assert "300, 90+, >89 (3 images)" in " ".join(found.notes)


def test_masks_beside_the_images_are_left_out(tmp_path: Path) -> None:
    native.files(tmp_path, [f"masks/im_{5 - k}.png" for k in range(6)])
    found = read(tmp_path, PLAIN)
    assert all(path.startswith("images/") for path in found.table.paths.tolist())
    assert "masks/ is left out" in " ".join(found.notes)
    native.files(tmp_path, [f"small/im_{5 - k}.png" for k in range(6)])
    with pytest.raises(DataError, match="copies of another size, or masks"):
        read(tmp_path, PLAIN)
    assert len(read(tmp_path, PLAIN.replace("im_", "images/im_")).table) == 6


def test_the_same_image_under_two_ids_is_one_group(tmp_path: Path) -> None:
    text = rows("image,dx", native.ids(), native.LABELS)
    read(tmp_path, text)
    (tmp_path / "images" / "im_1.png").write_bytes(native.png(0))
    found = load_data(tmp_path)
    assert found.table.n_groups == 5
    assert "im_0 = im_1" in " ".join(found.notes)
    assert "im_0 (nv), im_1 (mel)" in " ".join(found.warnings)


def grey(values: np.ndarray, sbit: int = 0) -> bytes:
    content = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(content, "PNG")
    data = content.getvalue()
    if not sbit:
        return data
    chunk = b"sBIT" + bytes([sbit])
    whole = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + whole + data[33:]


def test_twelve_bits_in_sixteen_are_not_black(tmp_path: Path) -> None:
    ramp = np.arange(4096).reshape(64, 64)
    assert bits_used(grey(ramp)) == 12
    assert bits_used(grey(ramp // 16, sbit=12)) == 12
    assert bits_used(grey(ramp * 16)) == 16
    assert bits_used(native.png(0)) == 0
    text = rows("image,dx", native.ids(), native.LABELS)
    read(tmp_path, text)
    for k in range(6):
        values = ramp if k == 0 else np.full((64, 64), 2048 + k)
        (tmp_path / "images" / f"im_{k}.png").write_bytes(grey(values))
    table = load_data(tmp_path).table
    store = fill_pixels(table, 16, "crop", tmp_path / "store", jobs=1)
    assert store.bits == 12
    assert store.array[1].mean() == pytest.approx(128, abs=1)
    looked = survey(table)
    assert looked.bits == 12
    assert len(looked.constant) == 5
    assert looked.dark == ()


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP", "PNG"])
def test_kinds_of_image(kind: str) -> None:
    content = io.BytesIO()
    picture = native.pixels()[0]
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(picture).save(content, kind, **options)
    assert read_header(content.getvalue(), "x").kind == kind
    assert (decode_bytes(content.getvalue(), 8, "crop", "x") == picture).all()


def test_dicom_is_read_and_what_is_no_image_is_refused() -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)

    def encoded() -> bytes:
        content = io.BytesIO()
        pydicom.dcmwrite(content, found, enforce_file_format=True)
        return content.getvalue()

    found.SOPClassUID, found.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    with pytest.raises(DataError, match="not an image"):
        read_header(encoded(), "x")
    found.Rows = found.Columns = 8
    found.SamplesPerPixel, found.BitsAllocated, found.BitsStored, found.HighBit = 1, 16, 12, 11
    found.PixelRepresentation, found.PhotometricInterpretation = 0, "MONOCHROME1"
    values = (np.arange(64).reshape(8, 8) * 65).astype(np.uint16)
    found.PixelData = values.tobytes()
    got = decode_bytes(encoded(), 8, "crop", "x")
    assert got[0, 0].tolist() == [255] * 3
    assert got[7, 7].tolist() == [0] * 3


def test_the_view_knows_squamous_cells_and_has_its_own_name() -> None:
    names = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
    mask = view_mask(("usual",), names)
    assert [n for n, bad in zip(names, mask, strict=True) if bad] == ["MEL", "BCC", "AK", "SCC"]
    words = (
        "Melanoma, NOS",
        "Nevus",
        "Solar or actinic keratosis",
        "basal cell carcinoma",
        "benign",
    )
    assert view_mask(("usual",), words).tolist() == [True, False, True, True, False]
    assert view_name(("benign", "Malignant")) == "malignant view"
    with pytest.raises(StudyError, match="melanome is no class"):
        check_names_of_view(("MEL", "melanome"), names)


@pytest.mark.parametrize("head", ["lesion_id,image_id,fold", "lesion_id,IMAGE_ID,Fold"])
def test_folds_are_read_by_the_names_of_columns(head: str, tmp_path: Path) -> None:
    table = read(tmp_path, PLAIN).table
    path = tmp_path / "folds.csv"
    fold = [0, 0, 1, 1, 0, 0]
    path.write_text(rows(head, "abcdef", native.ids(), [f"{f}.0" for f in fold]))
    assert read_folds_file(path, table).fold.tolist() == fold
    path.write_text(rows(head, "abcdef", native.ids(), [-1, -1, 1, 1, 0, 0]))
    with pytest.raises(SplitError, match="fold '-1'"):
        read_folds_file(path, table)


def test_a_large_table_is_read_in_time(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "im_1,mel,0.5\n" * 100_000)
    assert read_table(path).frame.shape == (100_000, 3)


def test_a_pipe_is_refused_and_never_waited_for(tmp_path):
    import os
    from pathlib import Path

    import pytest

    from ensemble_kit.core.errors import DataError
    from ensemble_kit.data.tables import read_table

    pipe = Path(tmp_path) / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="give a regular file"):
        read_table(pipe)
