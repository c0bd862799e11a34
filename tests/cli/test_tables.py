"""Tables break no word and no number, at any width; columns that do not fit follow below."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from ensemble_kit.core.records import Estimate
from ensemble_kit.core.wording import in_words, rate_text
from ensemble_kit.progress.tables import GAP, show, table


def printed(drawn, width, terminal=False):
    """What stands below the empty line before each table."""
    file = io.StringIO()
    show(drawn, Console(file=file, width=width, force_terminal=terminal, highlight=False))
    return file.getvalue().removeprefix("\n")


def figures():
    drawn = table("", "pooled", "95% interval", *(f"fold {k}" for k in range(5)), title="a run")
    for name in ("macro AUC", "balanced accuracy", "log loss"):
        drawn.add_row(name, "0.895", "[0.872 0.914]", *(f"0.{k}91" for k in range(5)))
    return drawn


def test_one_table_where_it_fits():
    lines = printed(figures(), 80).splitlines()
    assert [line.rstrip() for line in lines] == [
        "a run",
        "                   pooled   95% interval  fold 0  fold 1  fold 2  fold 3  fold 4",
        "macro AUC           0.895  [0.872 0.914]   0.091   0.191   0.291   0.391   0.491",
        "balanced accuracy   0.895  [0.872 0.914]   0.091   0.191   0.291   0.391   0.491",
        "log loss            0.895  [0.872 0.914]   0.091   0.191   0.291   0.391   0.491",
    ]


def test_columns_that_do_not_fit_follow_with_the_first_one_repeated():
    text = printed(figures(), 40)
    assert all(len(line.rstrip()) <= 40 for line in text.splitlines())
    assert text.count("balanced accuracy") == 3
    assert text.count("a run") == 1


def test_headings_break_between_words_before_a_table_is_parted():
    drawn = table("class", "images", "sensitivity at specificity 90")
    drawn.add_row("mel", "12", "0.5")
    assert "sensitivity at specificity 90" in printed(drawn, 60)
    lines = printed(drawn, 30).splitlines()
    assert [line.split()[-1] for line in lines[:4]] == ["sensitivity", "at", "specificity", "90"]


def test_names_are_no_markup_and_intervals_stand_under_their_values():
    drawn = table("class", "AUC")
    drawn.add_row("[bold]mel[/]", "0.9 [0.8 1.0]")
    drawn.add_row("nv", "-")
    assert "0.9 [0.8 1.0]" in printed(drawn, 80)
    text = printed(drawn, 24)
    assert "[bold]mel[/]" in text
    assert [line.split() for line in text.splitlines()[1:3]] == [
        ["[bold]mel[/]", "0.9"], ["[0.8", "1.0]"],
    ]  # fmt: skip


def test_prose_breaks_between_words():
    drawn = table("store", "what", "size", numbers=False, prose=[1])
    drawn.add_row("a1", "activations before the last two blocks of one thousand images", "1 GB")
    assert len(printed(drawn, 80).splitlines()) == 2
    lines = printed(drawn, 45).splitlines()
    assert len(lines) == 3
    assert "activations before the last" in lines[1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(20, 120),
    st.lists(st.text("abcdefg0123456789.-", min_size=1, max_size=18), min_size=2, max_size=9),
    st.integers(1, 4),
)
def test_every_cell_stands_whole_in_one_line(width, cells, rows):
    drawn = table(*(f"head {k} long" for k in range(len(cells))))
    for _ in range(rows):
        drawn.add_row(*cells)
    text = printed(drawn, width)
    words = re.split(r"\s+", text)
    for cell in cells:
        assert words.count(cell) >= rows
    assert set(words) - {""} == {"head", "long", *map(str, range(len(cells))), *cells}
    longest = max(map(len, cells)) + GAP
    assert max(map(len, text.splitlines())) <= max(width, longest)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_table_without_rows_or_columns(terminal):
    assert "only" in printed(table("only"), 80, terminal)


def test_every_name_in_a_panel_is_an_option_of_some_command():
    import typer

    from ensemble_kit.cli.app import app
    from ensemble_kit.cli.panels import PANELS

    commands = typer.main.get_command(app).commands.values()
    known = {parameter.name for command in commands for parameter in command.params}
    assert {name for names in PANELS.values() for name in names} - {"help"} <= known


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (-0.0002, -0.0004, 0.1, "0.000 [0.000 +0.100]"),
        (-0.0006, -0.02, 0.0, "-0.001 [-0.020 0.000]"),
        (0.25, None, None, "+0.250"),
    ],
)
def test_zero_has_no_sign(value, low, high, words):
    assert in_words(Estimate(value, low, high), sign="+") == words


def test_slow_rates_keep_a_digit():
    assert [rate_text(r) for r in (0.44, 1, 9.96, 132.4, 4306)] == [
        "0.4 images/s", "1.0 images/s", "10.0 images/s", "132 images/s", "4,306 images/s",
    ]  # fmt: skip
