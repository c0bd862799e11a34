"""Words that the command line does not know or may not take: one sentence, before any work."""

import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from typer.exceptions import TyperException

from ensemble_kit.core.broken_rules import broken_rule
from ensemble_kit.core.errors import UsageError
from ensemble_kit.core.names import CONTROL, LONGEST_PATH
from ensemble_kit.core.places import check_apart
from ensemble_kit.core.program import program

GIVEN = re.compile("^the (?:options given|study): ")
"""How a sentence on settings that no file gave begins."""
MAY_BE_EMPTY = ("--malignant",)
"""Options of which an empty value says something."""
LINE_ENDS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
WRITTEN = ("--out", "--numbers")
"""Options that name a file to write."""
PLACES = (*WRITTEN, "--to", "--runs-dir", "--store", "--studies-dir")
"""Options that name places to write to."""
HOME = re.compile("~[^/]*/|~$")
TEXTS = ("--columns", "--group-pattern", "--malignant", "--metadata", "--name", "--run", "--set",
         "--slice")  # fmt: skip
"""Options whose value is no place."""
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""``s3://…``, ``file:/…``; a letter alone is a drive."""
DATA = ("data", "truth")
OUTPUTS = {"runs_dir": "--runs-dir", "store": "--store", "store_dir": "--store",
           "studies_dir": "--studies-dir", "to": "--to"}  # fmt: skip
"""Parameters that name folders of input, and those that name folders to write to -> option."""


@contextmanager
def mistakes_in_one_sentence() -> Iterator[None]:
    """Words that the command line does not know become an error like any other."""
    try:
        yield
    except TyperException as mistake:
        message = _mistaken(mistake).strip().rstrip(".")
        if not message:
            sys.exit(mistake.exit_code)  # no command was named: its help is printed
        if message[1:2].islower():
            message = message[0].lower() + message[1:]
        ctx = getattr(mistake, "ctx", None)
        command = ctx.command_path.removeprefix(ctx.find_root().info_name) if ctx else ""
        asked = f"{program()}{command} --help"
        joint = " " if message.endswith("?") else "; "
        raise UsageError(f"{message}{joint}`{asked}` lists what is known") from None


def _mistaken(mistake: TyperException) -> str:
    """What is wrong, in Typer's words or, of a value that breaks a rule, in ours."""
    message, cause = mistake.format_message(), mistake.__cause__
    parameter = getattr(mistake, "param", None)
    if not isinstance(cause, ValidationError) or parameter is None:
        return message.replace("Value error, ", "")
    given = max([*parameter.opts, *parameter.secondary_opts], key=len)
    name = given if given.startswith("-") else str(parameter.name)
    return f"{name} {broken_rule(cause.errors(include_url=False)[0])}"


def refuse_words(words: Sequence[str]) -> None:
    """A word without letters, such as an unset variable leaves, would mean the working directory
    as a path; control characters and folders to be written as files are refused too."""
    for place, word in enumerate(words):
        if LINE_ENDS.search(word):
            raise UsageError(f"{word[:40]!r} holds control characters: give it without them")
        option, _, value = word.partition("=") if word.startswith("--") else ("", "", word)
        before = words[place - 1] if place and words[place - 1].startswith("-") else ""
        if (option or before) in WRITTEN and value.endswith("/"):
            raise UsageError(f"{value}: {option or before} names a file to write, not a folder")
        if value.strip() or (option and "=" not in word):
            _refuse_place(option or before, value)
            continue
        if (option or before) not in MAY_BE_EMPTY:
            what = f"the value of {option or before}" if option or before else "an argument"
            raise UsageError(f"{what} is empty: give one, or leave it out")


def _refuse_place(option: str, value: str) -> None:
    """A home folder that the shell did not write out, wherever it stands, and names of places to
    write to that do not show or are addresses."""
    there = len(value) < LONGEST_PATH and os.path.lexists(value)
    if HOME.match(value) and option not in TEXTS and not there:
        raise UsageError(
            f"{option or 'the argument'} {value!r:.200}: the shell writes out ~ at the beginning "
            "of a word alone; give $HOME in its place"
        )
    if option in PLACES and CONTROL.search(value):
        raise UsageError(
            f"{option} {value!r:.200} holds characters that do not show: give it without them"
        )
    if option in PLACES and ADDRESS.match(value):
        raise UsageError(f"{option} {value!r:.200} is an address: give a path of this machine")


def by_options(message: str, given: Mapping[str, Any]) -> str:
    """What is wrong with a setting, by the option that gave it."""
    if not GIVEN.match(message):
        return message

    def named(setting: "re.Match[str]") -> str:
        known = given.get(setting[1]) is not None
        return f"--{setting[1].replace('_', '-')}" if known else setting[0]

    without = GIVEN.sub("", message)
    told = re.sub(r"(?<![\w.])(?:[a-z]+\.)?([a-z_]+)(?= (?:must|is not valid))", named, without)
    return message if told == without else told


def refuse_endless(given: Mapping[str, Any]) -> None:
    """A number without end (``inf``, ``nan``), by the parameters of a command."""
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} must be a finite number (given {value})")


def refuse_outputs_in_data(given: Mapping[str, Any]) -> None:
    """A folder to write to that lies in the data read, by the parameters of a command."""
    named = [given[name] for name in DATA if given.get(name)]
    sources = [one for each in named for one in (each if isinstance(each, list) else [each])]
    for name, option in OUTPUTS.items():
        for source in sources if given.get(name) else ():
            check_apart(Path(given[name]), option, Path(source))
