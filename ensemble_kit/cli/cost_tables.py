"""What `--costs` prints: ways to choose actions with their costs, then the actions by class."""

from rich.table import Table
from rich.text import Text

from ensemble_kit.cli.console import print_whole, results
from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.costs import CostsRecord


def print_costs(found: CostsRecord) -> None:
    shown = Table("actions", box=None, pad_edge=False)
    shown.title, shown.title_justify = "\ncost an image", "left"
    for head in ("cost", "more than least expected", "referred"):
        shown.add_column(head, justify="right")
    for line in found.policies:
        more = "" if line.minus_decided is None else _words(line.minus_decided, "+")
        away = "" if line.referred is None else _words(line.referred)
        shown.add_row(Text(line.name), _words(line.cost), more, away)
    print_whole(shown)
    if found.kept is not None:
        results.print(f"cost of an image that is not referred: {_words(found.kept)}", markup=False)
    classes = Table("class", box=None, pad_edge=False)
    for action in found.actions:
        classes.add_column(Text(action), justify="right")
    classes.add_column("cost an image", justify="right")
    for row in found.by_class:
        counts = (f"{row.taken[action]:,}" for action in found.actions)
        classes.add_row(Text(row.name), *counts, _words(row.cost))
    print_whole(classes)
    results.print(found.fitted, markup=False)


def _words(number: Estimate, sign: str = "") -> str:
    if number.value is None:
        return "–"
    if number.low is None or number.high is None:
        return f"{number.value:{sign}.3f}"
    return f"{number.value:{sign}.3f} [{number.low:{sign}.3f}, {number.high:{sign}.3f}]"
