from dataclasses import replace

import numpy as np
import pytest

from ensemble_kit.core.errors import DataError
from ensemble_kit.metrics.slices import banded, make_slices
from tests.metrics.examples import as_records, drawn_cases


def test_age_bands() -> None:
    ages = np.array(["0", "29.9", "30", "44", "45", "59.5", "60", "75", "90", "", "old", "nan"])
    assert banded("age", ages).tolist() == [
        "0-29", "0-29", "30-44", "30-44", "45-59", "45-59", "60-74", "75+", "75+",
        "unknown", "unknown", "unknown",
    ]  # fmt: skip


def test_slices_cover_every_image_once_a_column() -> None:
    table, _, _ = as_records(drawn_cases(0, 60, 3))
    slices = make_slices(table)
    for column in ("sex", "age"):
        masks = [piece.rows for piece in slices if piece.column == column]
        assert (np.sum(masks, axis=0) == 1).all()
    assert {piece.name for piece in slices if piece.column == "sex"} == {
        "sex=male", "sex=female", "sex=unknown",
    }  # fmt: skip


def test_named_columns() -> None:
    table, _, _ = as_records(drawn_cases(0, 60, 3))
    camera = np.array(["x", "y"])[table.group_codes % 2]
    many = np.array([f"v{k}" for k in range(len(table))])
    table = replace(table, slices={"camera": camera, "many": many, "one": np.full(len(table), "z")})
    assert {piece.column for piece in make_slices(table)} <= {"images of the lesion"}
    named = make_slices(table, ("camera", "one"))
    assert [piece.value for piece in named if piece.column != "images of the lesion"] == ["x", "y"]
    with pytest.raises(DataError, match="at most 50"):
        make_slices(table, ("many",))


def test_images_that_are_the_only_one_of_their_lesion() -> None:
    table, _, _ = as_records(drawn_cases(0, 60, 3))
    table = table.take(np.arange(6))
    lesions = np.array(["a", "b", "b", "c", "", ""])
    groups = np.array(["p", "p", "p", "q", "i5", "i6"])
    found = make_slices(replace(table, lesions=lesions, groups=groups, slices={}))
    assert {piece.name: piece.rows.nonzero()[0].tolist() for piece in found} == {
        "images of the lesion=one": [0, 3],
        "images of the lesion=several": [1, 2],
        "images of the lesion=unknown": [4, 5],
    }
    no_lesions = replace(table, lesions=np.full(6, ""), groups=groups, slices={})
    assert {piece.name: piece.rows.nonzero()[0].tolist() for piece in make_slices(no_lesions)} == {
        "images of the group=one": [3, 4, 5],
        "images of the group=several": [0, 1, 2],
    }
    alone = replace(no_lesions, groups=np.array(list("abcdef")))
    assert make_slices(alone) == []
