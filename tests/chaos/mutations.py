"""Small, repeatable ways to damage the bytes of a file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

TOKENS = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"nan", b"-1", b"1e400", b"1e300", b"-1e-400",
    b"1" * 400, b"[" * 100_000, b'{"a":' * 5000, b'"', b"'", b",", b";", b"\t", b"\n\n\n", b"\r",
    b"# x\n", b"=cmd|' /C calc'!A0", b"<script>alert(1)</script>", b"../../etc/passwd",
    b"file:///etc/passwd", b'!!python/object/apply:os.system ["true"]', b"${HOME}", b"%s%n",
    b"\xe2\x80\xae", b"\xed\xa0\x80", b"mel", b"image", b"true", b"null", b"x" * 5000, b"9" * 30,
    b"0.3333333", b"PK\x03\x04", b"\x93NUMPY",
)  # fmt: skip
VALUES = (b"null", b"[]", b"{}", b'""', b'"x"', b"-1", b"0", b"1e999", b"true", b"[[1]]", b"NaN")
KINDS = ("flip", "cut", "insert", "replace", "number", "line", "swap", "whole", "repeat", "value",
         "key", "node", "twice")  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """kind : one of KINDS. place : in [0, 1] of the file. token : what goes in."""

    kind: str
    place: float
    token: bytes

    def apply(self, content: bytes) -> bytes:
        at = min(int(self.place * len(content)), max(len(content) - 1, 0))
        line = content.rfind(b"\n", 0, at) + 1
        end = content.find(b"\n", at) + 1 or len(content)
        if self.kind == "flip" and content:
            bit = 1 << (len(self.token) % 8)
            return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
        if self.kind == "cut":
            return content[:at]
        if self.kind == "insert":
            return content[:at] + self.token + content[at:]
        if self.kind == "replace":
            return content[:at] + self.token + content[at + max(1, len(self.token)) :]
        if self.kind == "value":
            return _other_value(content, at, VALUES[len(self.token) % len(VALUES)])
        if self.kind == "key":
            return _other_key(content, at)
        if self.kind in ("node", "twice"):
            value = VALUES[len(self.token) % len(VALUES)]
            return _other_node(content, self.place, value, self.kind == "twice")
        if self.kind == "number":
            return _other_number(content, at, self.token)
        if self.kind == "line":
            return content[:line] + content[end:]
        if self.kind == "swap":
            return content[:line] + content[end:] + content[line:end]
        if self.kind == "repeat":
            return content[:end] + content[line:end] * (1 + len(self.token) % 50) + content[end:]
        return self.token


def _other_number(content: bytes, at: int, token: bytes) -> bytes:
    """The first number from a place on replaced."""
    digits = b"0123456789.eE+-"
    start = next((i for i in range(at, len(content)) if content[i : i + 1].isdigit()), at)
    stop = start
    while stop < len(content) and content[stop] in digits:
        stop += 1
    return content[:start] + token + content[stop:]


def _other_value(content: bytes, at: int, value: bytes) -> bytes:
    """The first value of JSON or TOML from a place on replaced, up to the end of its line."""
    found = VALUE.search(content, at) or VALUE.search(content)
    return content[: found.start(1)] + value + content[found.end(1) :] if found else content


def _other_node(content: bytes, place: float, value: bytes, twice: bool) -> bytes:
    """A value of a JSON document, objects and lists too, replaced, or its key given a second time;
    other files as they are."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return content
    nodes = [node for node in _nodes(document) if not twice or isinstance(node[1], str)]
    if not nodes:
        return content
    holder, key = nodes[min(int(place * len(nodes)), len(nodes) - 1)]
    if twice:
        holder[f"{MARK}{key}"] = MARK
    else:
        holder[key] = MARK
    text = json.dumps(document, indent=1).replace(f'"{MARK}"', value.decode())
    return text.replace(MARK, "").encode()


def _nodes(value: Any) -> Iterator[tuple[Any, str | int]]:
    """Every (container, key) of a document, from the outside in."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
    for key in keys:
        yield from _nodes(value[key])


def _other_key(content: bytes, at: int) -> bytes:
    """The first key from a place on spelled otherwise, so that it is missing."""
    found = KEY.search(content, at) or KEY.search(content)
    return content[: found.start(1)] + b"other" + content[found.end(1) :] if found else content


MARK = "~replaced~"
VALUE = re.compile(rb"[:=] *(\[[^\n\[\]]*\]|\"[^\"\n]*\"|[^\s,{}\[\]]+)")
KEY = re.compile(rb"([A-Za-z_0-9]+)\"?\s*[:=]")

mutations = st.lists(
    st.builds(
        Mutation,
        st.sampled_from(KINDS),
        st.floats(0, 1, allow_nan=False),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)),
    ),
    min_size=1,
    max_size=3,
)
