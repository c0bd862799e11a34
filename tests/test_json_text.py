"""JSON of files that anyone may have written: what is no JSON is a ValueError, never another."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.runs.manifest import read_manifest

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19) + 1, 10**20 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(plain)
def test_what_is_written_is_read_back(value):
    assert parse_json(json.dumps(value)) == value


@given(st.text())
def test_any_text_is_a_value_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": 2, "a": 1}',
        "[" * 100_000,
        '{"a": 1e400}',
        "NaN",
        "-Infinity",
        "",
        "\x00",
        "1" * 21,
    ],
)
def test_what_json_does_not_know_is_refused(text, tmp_path):
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=r"manifest\.json: cannot be read"):
        read_manifest(tmp_path)
