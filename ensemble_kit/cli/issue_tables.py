"""What `check --run` prints: doubted labels and near-duplicates, as tables or as JSON."""

from typing import TYPE_CHECKING

from ensemble_kit.cli.console import results

if TYPE_CHECKING:
    from ensemble_kit.workflows.issues import Found

SHOWN = 10


def print_issues(found: "Found") -> None:
    from rich.markup import escape
    from rich.table import Table

    from ensemble_kit.core.errors import count

    labels, n = found.labels, len(found.run.table)
    if labels:
        shown = Table("image", "given", "suggested", box=None, pad_edge=False)
        shown.title, shown.title_justify = "labels to look at", "left"
        shown.add_column("P(wrong)", justify="right")
        for issue in labels[:SHOWN]:
            names = (escape(text) for text in (issue.image, issue.given, issue.suggested))
            shown.add_row(*names, f"{issue.suspicion:.2f}")
        results.print(shown)
        if len(labels) > SHOWN:
            results.print(f"and {len(labels) - SHOWN:,} more")
    results.print(
        f"{count(len(labels), 'label')} of {n:,} likely wrong; share of wrong labels that fits "
        f"best {found.rate:.2%}; confident learning counts {found.off_diagonal:,} images as "
        "another class"
    )
    if found.pairs:
        shown = Table("image", "other", box=None, pad_edge=False)
        shown.title, shown.title_justify = "\nimages of different groups that look alike", "left"
        shown.add_column("points that agree", justify="right")
        shown.add_column("likeness", justify="right")
        for pair in found.pairs[:SHOWN]:
            names = (escape(text) for text in (pair.first, pair.second))
            shown.add_row(*names, f"{pair.points or '–'}", f"{pair.likeness:.3f}")
        results.print(shown)
        if len(found.pairs) > SHOWN:
            results.print(f"and {len(found.pairs) - SHOWN:,} more")
    for note in found.notes:
        results.print(escape(note))
    results.print(escape(f"written: {found.issues_file} and {found.pairs_file} (for --duplicates)"))


def print_issues_json(found: "Found") -> None:
    import dataclasses
    import json

    document = {
        "run": found.run.name,
        "noise_rate": found.rate,
        "off_diagonal": found.off_diagonal,
        "issues": [dataclasses.asdict(issue) for issue in found.issues],
        "pairs": [dataclasses.asdict(pair) for pair in found.pairs],
        "notes": list(found.notes),
    }
    print(json.dumps(document, indent=1, ensure_ascii=False))
