"""`--help`: what it is for, lines to copy, the options used first, then the others by subject.

No word is broken at any width; where columns would be narrow, a text stands under its option.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.text import Text
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from ensemble_kit.core.errors import StudyError, UsageError
from ensemble_kit.core.places import check_apart
from ensemble_kit.core.program import program
from ensemble_kit.progress.console import columns_of, results, wrapped

WIDEST = 100
"""Columns used at most."""
LEFT = 24
"""Columns of the longest option that has its text beside it."""
NARROW = 60
"""Columns below which every text stands under its option."""

PANELS = {
    "Data": (
        "columns", "group_pattern", "label_level", "map_labels", "min_groups", "duplicates",
        "split_test", "scale", "normalise", "rows_per_image", "align", "no_images",
        "features", "metadata", "metadata_only", "metadata_anyway",
    ),
    "Folds": ("repeats", "folds_file", "seed", "fractions", "leak_audit", "fold"),
    "Model": ("aspect", "dropout", "precision"),
    "Training": (
        "head", "head_epochs", "head_lr", "fine_tune_lr", "batch_size", "class_weights", "augment",
        "views", "test_views", "early_stopping", "settings",
    ),
    "Search": ("sampler", "pruner", "min_gain", "cost", "storage", "heartbeat", "timeout"),
    "Prediction sets": (
        "set_level", "set_score", "set_scope", "set_unit", "set_method", "coverage",
    ),
    "Figures": (
        "malignant", "slice_by", "level", "replicates", "interval", "isic_conventions", "costs",
        "prevalence", "suspicion", "pairs",
    ),
    "Machine": (
        "jobs", "executor", "address", "gpus_per_fold", "devices", "stage", "stage_dir",
        "store", "store_dir", "store_limit",
    ),
    "Output": (
        "track", "runs_dir", "studies_dir", "as_json", "tensorboard", "plots", "drop_rejected",
        "overwrite", "verbose", "quiet", "no_progress", "help",
    ),
}  # fmt: skip
"""Panel -> names of parameters, for every command that has them."""

GIVEN = re.compile("^the (?:options given|study): ")
"""How a sentence on settings that no file gave begins."""
MAY_BE_EMPTY = ("--malignant",)
"""Options of which an empty value says something."""
LINE_ENDS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
WRITTEN = ("--out", "--numbers")
"""Options that name a file to write."""
DATA = ("data", "truth")
OUTPUTS = {"runs_dir": "--runs-dir", "store": "--store", "store_dir": "--store",
           "studies_dir": "--studies-dir", "to": "--to"}  # fmt: skip
"""Parameters that name folders of input, and those that name folders to write to -> option."""

_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
LONG = 14
"""Options from which a command's help is parted."""
FIRST = "Used first"
FIRST_OF = {
    "check": ("seed", "as_json"),
    "ensemble": ("overwrite",),
    "evaluate": ("folds_file", "slice_by", "costs", "align", "level", "overwrite", "as_json"),
    "predict": ("features", "metadata", "coverage", "overwrite"),
    "validate": ("features", "duplicates", "coverage", "overwrite"),
}
"""Command -> options used first there that stand in a panel elsewhere."""


TYPES = {
    " <int range>": " N", " <int>": " N", " <float>": " X", " <path>": " DIR", " <text>": "",
    " <bool>": "", " <list[str]>": "", " <list[path]>": "",
}  # fmt: skip
"""Types as Typer writes them -> what help says."""


class PanelledCommand(TyperCommand):
    """A command whose long list of options is parted by what they are about."""

    def invoke(self, ctx: Any) -> Any:
        _refuse_outputs_in_data(ctx.params)
        try:
            return super().invoke(ctx)
        except StudyError as error:
            raise StudyError(_by_options(str(error), ctx.params)) from None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _print([*_head(self, ctx), *_options(self, ctx)])


class PanelledGroup(TyperGroup):
    """The same for a command of commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _refuse_empty(args)
        return super().parse_args(ctx, args)

    def make_context(self, *given: Any, **more: Any) -> Any:
        with _mistakes_in_one_sentence():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with _mistakes_in_one_sentence():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        entries = [(name, _told(found.help)) for name, found in commands if found]
        lines = [*_head(self, ctx), *_panel("Commands", entries)]
        _print([*lines, *_options(self, ctx)])


@contextmanager
def _mistakes_in_one_sentence() -> Iterator[None]:
    """Words that the command line does not know become an error like any other."""
    try:
        yield
    except TyperException as mistake:
        message = mistake.format_message().strip().rstrip(".").replace("Value error, ", "")
        if not message:
            sys.exit(mistake.exit_code)  # no command was named: its help is printed
        ctx = getattr(mistake, "ctx", None)
        command = ctx.command_path.removeprefix(ctx.find_root().info_name) if ctx else ""
        asked = f"{program()}{command} --help"
        joint = " " if message.endswith("?") else "; "
        raise UsageError(
            f"{message[0].lower()}{message[1:]}{joint}`{asked}` lists what is known"
        ) from None


def _refuse_empty(words: Sequence[str]) -> None:
    """A word without letters, such as an unset variable leaves, would mean the working directory
    as a path."""
    for place, word in enumerate(words):
        if LINE_ENDS.search(word):
            raise UsageError(f"{word[:40]!r} holds control characters: give it without them")
        option, _, value = word.partition("=") if word.startswith("--") else ("", "", word)
        before = words[place - 1] if place and words[place - 1].startswith("-") else ""
        if (option or before) in WRITTEN and value.endswith("/"):
            raise UsageError(f"{value}: {option or before} names a file to write, not a folder")
        if value.strip() or (option and "=" not in word):
            continue
        if (option or before) not in MAY_BE_EMPTY:
            what = f"the value of {option or before}" if option or before else "an argument"
            raise UsageError(f"{what} is empty: give one, or leave it out")


def _by_options(message: str, given: Mapping[str, Any]) -> str:
    """What is wrong with a setting, by the option that gave it."""
    if not GIVEN.match(message):
        return message

    def named(setting: "re.Match[str]") -> str:
        known = given.get(setting[1]) is not None
        return f"--{setting[1].replace('_', '-')}" if known else setting[0]

    without = GIVEN.sub("", message)
    told = re.sub(r"(?<![\w.])(?:[a-z]+\.)?([a-z_]+)(?= (?:must|is not valid))", named, without)
    return message if told == without else told


def _refuse_outputs_in_data(given: Mapping[str, Any]) -> None:
    named = [given[name] for name in DATA if given.get(name)]
    sources = [one for each in named for one in (each if isinstance(each, list) else [each])]
    for name, option in OUTPUTS.items():
        for source in sources if given.get(name) else ():
            check_apart(Path(given[name]), option, Path(source))


def _print(lines: Sequence[Text]) -> None:
    for line in lines:
        results.print(line, soft_wrap=True)


def _width() -> int:
    return min(columns_of(results), WIDEST)


def _head(command: Any, ctx: Any) -> Iterator[Text]:
    """Usage, what it does, lines to copy: what follows ``\\b`` in the docstring."""
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    yield from _texts(f"usage: {usage}", 0)
    examples = (command.help or "").partition("\b")[2]
    yield Text()
    yield from _texts(_told(command.help), 0)
    lines = [line.strip() for line in examples.strip().splitlines()]
    if lines:
        parts = (line.partition("  ") for line in lines)
        yield from _panel("For example", [(left, right.strip()) for left, _, right in parts], 50)


def _options(command: Any, ctx: Any) -> Iterator[Text]:
    """The parameters of a command, in panels where there are many."""
    panels: dict[str, list[tuple[str, str]]] = {}
    parameters = command.get_params(ctx)
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        first = FIRST if len(parameters) >= LONG else "Options"
        panel = _PANEL_OF.get(parameter.name, first) if first == FIRST else first
        if parameter.name in FIRST_OF.get(ctx.info_name or "", ()):
            panel = first
        panels.setdefault(panel, []).append((_plain(record[0]), _plain(record[1])))
    for panel in (FIRST, "Options", *PANELS):
        if panel in panels:
            yield from _panel(panel, panels[panel])


def _panel(title: str, entries: Sequence[tuple[str, str]], most: int = LEFT) -> Iterator[Text]:
    """A heading, then what there is on the left and its text on the right or below."""
    yield Text()
    yield Text(f"── {title} {'─' * (_width() - len(title) - 4)}", "bold")
    fits = [len(left) for left, _ in entries if len(left) <= most]
    column = max(fits, default=0) + 4 if _width() >= NARROW else 0
    for left, right in entries:
        lines = list(_texts(right, column or 6))
        beside = bool(lines) and len(left) + 4 <= column
        for number, line in enumerate(wrapped(left, _width() - 2).split("\n")):
            text = Text(f"{'  ' if not number else '      '}{line}", "bold")
            if beside:
                text.append(lines[0].plain[len(text) :], "not bold")
            yield text
        yield from lines[1:] if beside else lines


def _texts(text: str, indent: int) -> Iterator[Text]:
    blanks = " " * indent
    for line in wrapped(text, _width() - indent).split("\n") if text else ():
        yield Text(blanks + line)


def _plain(text: str) -> str:
    """Types as letters, or none where they say nothing; ranges in words."""
    for type_, letter in TYPES.items():
        text = text.replace(type_, letter)
    text = re.sub(r"([\d.]+)<=x<=([\d.]+)", r"\1 to \2", text)
    return " ".join(re.sub(r"x>=([\d.]+)", r"at least \1", text).split())


def _told(text: str | None) -> str:
    """What a command does, without its lines to copy."""
    return " ".join((text or "").partition("\b")[0].split())
