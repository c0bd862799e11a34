"""Values given to a function of the package that are not what their parameter takes: refused in
one sentence, before any work."""

import types
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, signature
from math import isfinite
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from ensemble_kit.core.errors import UsageError
from ensemble_kit.core.names import LONGEST_PATH

P = ParamSpec("P")
R = TypeVar("R")
SHOWN = 60
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    Path: "a path",
    type(None): "None",
}
"""Types -> what a sentence calls them."""
MADE_BY = {
    "ImageTable": "load_images(...)",
    "StudySpec": "Study(...) or Study.read(FILE)",
    "Folds": 'make_folds(...) (their number is Study(split={"folds": K}))',
    "FinishedRun": "a run",
}
"""Names of classes -> what makes one."""
MANY = {int: "whole numbers", float: "numbers", str: "texts"}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, refusing with UsageError what does not fit the annotations of its parameters:
    numbers, text, paths, lists of them, choices and classes. ``Any`` is left to the function."""
    taken = {
        name: parameter.annotation
        for name, parameter in signature(function).parameters.items()
        if parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    }
    order = list(taken)

    @wraps(function)
    def careful(*args: P.args, **options: P.kwargs) -> R:
        for name, value in [*zip(order, args, strict=False), *options.items()]:
            if name in taken:
                check_value(name, value, taken[name])
        return function(*args, **options)

    return careful


def check_value(name: str, value: object, kind: Any) -> None:
    """Raise UsageError where a value is not of the kind (a type, a union, ``Sequence[…]``,
    ``Literal[…]``) that its parameter takes."""
    if not _fits(value, kind):
        raise UsageError(f"{name} = {_shown(value)}: give {_words(kind)}")
    if Path in (kind, *get_args(kind)) and isinstance(value, (str, PathLike)):
        check_path(name, value)


def check_path(name: str, value: "str | PathLike[str]") -> None:
    """Raise UsageError for a path that no system takes: with a NUL, or too long."""
    if "\0" in str(value):
        raise UsageError(f"{name} = {_shown(str(value))}: a path holds no NUL")
    if len(str(value)) > LONGEST_PATH:
        raise UsageError(
            f"{name} = {_shown(str(value))}: {len(str(value)):,} letters are too many for a path"
        )


def _fits(value: Any, kind: Any) -> bool:
    if kind in (Any, Parameter.empty) or isinstance(kind, (str, TypeVar)):
        return True
    parts, origin = get_args(kind), get_origin(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin in (Sequence, tuple):
        many = hasattr(value, "__len__") and hasattr(value, "__getitem__")
        whole = many and not isinstance(value, (str, bytes, dict))
        return whole and all(_fits(one, parts[0]) for one in value)
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, Real) and isfinite(value)
    if kind is bool:
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")  # numpy's
    if kind is Path:
        return isinstance(value, PathLike)
    if not isinstance(kind, type):
        return value is None if kind is None else True
    return isinstance(value, kind)


def _words(kind: Any) -> str:
    """What a parameter takes: ``a path or None``."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        ordered = sorted(parts, key=_is_list)
        words = list(dict.fromkeys(_words(part) for part in ordered))
        if {WORDS[Path], WORDS[str]} <= set(words):
            words.remove(WORDS[str])
        return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Sequence, tuple):
        return f"a list of {MANY.get(parts[0], 'them')}"
    name = getattr(kind, "__name__", str(kind))
    return WORDS.get(kind, MADE_BY.get(name, name))


def _is_list(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is Sequence


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2]} …"
