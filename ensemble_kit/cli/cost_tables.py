"""What `--costs` prints: ways to choose actions with their costs, then the actions by class."""

from rich.text import Text

from ensemble_kit.cli import tables
from ensemble_kit.cli.console import results
from ensemble_kit.core.wording import in_words
from ensemble_kit.runs.costs import CostsRecord


def print_costs(found: CostsRecord) -> None:
    shown = tables.table(
        "actions", "cost", "more than least expected", "referred", title="\ncost an image"
    )
    for line in found.policies:
        more = "" if line.minus_decided is None else in_words(line.minus_decided, sign="+")
        away = "" if line.referred is None else in_words(line.referred)
        shown.add_row(Text(line.name), in_words(line.cost), more, away)
    tables.show(shown)
    if found.kept is not None:
        results.print(
            f"cost of an image that is not referred: {in_words(found.kept)}", markup=False
        )
    classes = tables.table("class", *found.actions, "cost an image")
    for row in found.by_class:
        counts = (f"{row.taken[action]:,}" for action in found.actions)
        classes.add_row(Text(row.name), *counts, in_words(row.cost))
    tables.show(classes)
    results.print(found.fitted, markup=False)
