"""`--help`: what it is for, lines to copy, the options used first, then the others by subject.

No word is broken at any width; where columns would be narrow, a text stands under its option.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from ensemble_kit.cli.mistakes import (
    by_options,
    mistakes_in_one_sentence,
    refuse_endless,
    refuse_outputs_in_data,
    refuse_words,
)
from ensemble_kit.core.errors import StudyError
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
        refuse_endless(ctx.params)
        refuse_outputs_in_data(ctx.params)
        try:
            return super().invoke(ctx)
        except StudyError as error:
            raise StudyError(by_options(str(error), ctx.params)) from None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _print([*_head(self, ctx), *_options(self, ctx)])


class PanelledGroup(TyperGroup):
    """The same for a command of commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        refuse_words(args)
        return super().parse_args(ctx, args)

    def make_context(self, *given: Any, **more: Any) -> Any:
        with mistakes_in_one_sentence():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with mistakes_in_one_sentence():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        entries = [(name, _told(found.help)) for name, found in commands if found]
        lines = [*_head(self, ctx), *_panel("Commands", entries)]
        _print([*lines, *_options(self, ctx)])


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
