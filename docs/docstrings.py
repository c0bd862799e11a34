"""How the package's docstrings become lists and links on the page of the Python API.

They read ``name : what it is. other : what that is.``; here each name gets a line of its own.
"""

import re
from typing import Any

import griffe

NAME = re.compile(r"(?:(?<=[.;:)]) |^)((?:[a-z_]+, )*[a-z_]+) : ")
PAGE = re.compile(r"docs/([\w/-]+)\.md")


class Docstrings(griffe.Extension):
    """Listed in mkdocs.yml; griffe calls it for whatever it has read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text: str) -> str:
    """The docstring in Markdown."""
    paragraphs = re.split(r"\n\s*\n", text)
    joined = (" ".join(line.strip() for line in part.splitlines()).strip() for part in paragraphs)
    return PAGE.sub(r"[\1](\1.md)", "\n\n".join(map(listed, joined)))


def listed(paragraph: str) -> str:
    """A paragraph, its ``name : text`` parts as a list."""
    before, *parts = NAME.split(paragraph)
    lines = [f"- **{name}**: {text}" for name, text in zip(parts[::2], parts[1::2], strict=True)]
    return "\n\n".join(filter(None, (before.strip(), "\n".join(lines))))
