"""What `check` prints: a survey and the folds, as tables or as JSON."""

from typing import TYPE_CHECKING, Any

from ensemble_kit.cli import tables
from ensemble_kit.cli.console import note, results

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ensemble_kit.core.errors import EnsembleKitError
    from ensemble_kit.core.records import Folds, ImageTable
    from ensemble_kit.data.dataset import DataSet
    from ensemble_kit.data.survey import Survey


def print_reading(
    read: "DataSet", say: "Callable[[str], None] | None" = None, seen: "Sequence[str]" = ()
) -> None:
    """What the data set was taken for: columns, then what was supposed, then the warnings."""
    tell = say or note
    for line in (read.told, *read.notes):
        tell(_escaped(f"read: {line}") if say else f"read: {line}")
    for line in (*read.warnings, *seen):
        tell(_escaped(f"warning: {line}") if say else f"warning: {line}")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def print_survey(
    layout: str, table: "ImageTable", found: "Survey", no_images: bool = False
) -> None:
    from rich.table import Table

    facts = Table(show_header=False, box=None, pad_edge=False)
    known = f"{found.n_lesions:,} lesions, {found.n_patients:,} patients named"
    sizes = ", ".join(f"{many:,} of {size}" for size, many in list(found.image_sizes.items())[:4])
    more = len(found.image_sizes) - 4
    rest = f" and {more:,} other sizes" if more > 0 else ""
    for name, value in (
        ("data", table.root),
        ("layout", layout),
        (
            "images",
            f"{found.n_images:,}" + (f" ({sizes}{rest})" if sizes else ""),
        ),
        ("groups", f"{found.n_groups:,} ({known})"),
        ("images a group", _sizes(found.group_sizes)),
        ("not known", ", ".join(f"{k} {v:,}" for k, v in found.unknown.items()) or "no metadata"),
        ("unreadable", "not looked at" if no_images else f"{len(found.unreadable):,}"),
        ("files without a row", f"{found.unlisted:,}"),
    ):
        facts.add_row(name, value)
    results.print(facts, markup=False)
    classes = Table("class", box=None, pad_edge=False)
    for head in ("images", "share", "lesions", "groups"):
        classes.add_column(head, justify="right")
    for item in found.classes:
        share = f"{item.n_images / found.n_images:.1%}"
        numbers = (f"{n:,}" for n in (item.n_images, item.n_lesions, item.n_groups))
        images, lesions, groups = numbers
        classes.add_row(_plain(item.name), images, share, lesions, groups)
    results.print()
    tables.show(classes)


def _sizes(group_sizes: dict[int, int]) -> str:
    parts = [f"{n:,}×{size}" for size, n in list(group_sizes.items())[:8]]
    rest = list(group_sizes.items())[8:]
    if rest:
        parts.append(f"{sum(n for _, n in rest):,} larger, up to {rest[-1][0]:,}")
    return ", ".join(parts)


def print_folds(table: "ImageTable", folds: "Folds") -> None:
    from rich.table import Table

    from ensemble_kit.splits.making import fold_class_counts

    counts = fold_class_counts(table, folds)
    shown = Table(f"held out (seed {folds.seed})", box=None, pad_edge=False)
    for k in range(folds.n_folds):
        shown.add_column(f"fold {k}", justify="right")
    for name, row in zip(table.class_names, counts.T.tolist(), strict=True):
        shown.add_row(_plain(name), *(f"{number:,}" for number in row))
    shown.add_row("images", *(f"{number:,}" for number in counts.sum(axis=1).tolist()))
    results.print()
    tables.show(shown)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def print_json(
    layout: str,
    table: "ImageTable",
    found: "Survey",
    folds: "Folds | None",
    problem: "EnsembleKitError | None",
    reading: "dict[str, object]",
    seen: "Sequence[str]",
) -> None:
    import dataclasses
    import json

    from ensemble_kit.splits.making import fold_class_counts

    document = {"data": table.root, "layout": layout} | dataclasses.asdict(found)
    document["reading"] = reading | {"seen": list(seen)}
    if folds:
        counts = fold_class_counts(table, folds)
        document["folds"] = {
            "seed": folds.seed,
            "digest": folds.digest,
            "counts": dict(zip(table.class_names, counts.T.tolist(), strict=True)),
        }
    document["problem"] = str(problem) if problem else None
    print(json.dumps(document, indent=1, ensure_ascii=False))
