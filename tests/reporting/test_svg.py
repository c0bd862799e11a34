"""SVG text: escaped, short, faithful."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.reporting.figures.axes import Plot, log_ticks, nice_ticks
from ensemble_kit.reporting.figures.svg import (
    clean,
    drawing,
    element,
    num,
    path_data,
    short,
    text,
)


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1"), (-0.01, "0"), (2.25, "2.2"), (-3.96, "-4"), (10.5, "10.5")]
)
def test_numbers_take_the_fewest_characters(value: float, shown: str) -> None:
    assert num(value) == shown


@given(st.text(max_size=60))
def test_any_text_is_well_formed_xml_and_comes_back(content: str) -> None:
    picture = drawing(10, 10, content, [text(1, 2, content)])
    found = ET.fromstring(picture)
    said = found[0].text or ""
    expected = clean(content).replace("\r", "\ufffd")
    assert said == expected or any(ord(c) in (0xFFFE, 0xFFFF) for c in content)


def test_markup_in_names_is_inert() -> None:
    made = element("g", {"aria-label": '"><script>x</script>'}, text(0, 0, "<script>y</script>"))
    assert "<script" not in made


def test_a_straight_line_keeps_its_two_ends() -> None:
    assert path_data([(x, 2 * x) for x in range(50)]) == "M0 0L49 98"


def test_turning_back_on_a_straight_line_is_kept() -> None:
    assert path_data([(0, 0), (10, 0), (4, 0)]) == "M0 0L10 0L4 0"


@given(st.lists(st.floats(0, 100), min_size=2, max_size=80))
def test_no_point_left_out_is_further_than_a_pixel_from_the_path(ys: list[float]) -> None:
    points = [(float(i), y) for i, y in enumerate(ys)]
    kept = [tuple(map(float, p.split())) for p in path_data(points)[1:].split("L")]
    for x, y in points:
        after = next((i for i, (kx, _) in enumerate(kept) if kx >= x), len(kept) - 1)
        (ax, ay), (bx, by) = kept[max(after - 1, 0)], kept[after]
        share = 0.0 if bx == ax else (x - ax) / (bx - ax)
        assert abs(ay + share * (by - ay) - y) < 1


def test_long_names_are_cut() -> None:
    assert short("x" * 200, 12) == "x" * 11 + "…"


@given(st.floats(-1e4, 1e4), st.floats(0.001, 1e4), st.integers(2, 10))
def test_ticks_are_inside_rising_and_few(low: float, span: float, about: int) -> None:
    ticks = [value for value, _ in nice_ticks(low, low + span, about)]
    margin = 1e-6 * (abs(low) + span)
    assert ticks == sorted(ticks)
    assert all(low - margin <= t <= low + span + margin for t in ticks)
    assert len(ticks) <= 2 * about + 2


def test_ticks_are_round_numbers_and_use_a_true_minus() -> None:
    assert nice_ticks(-0.1, 0.3, 4) == [
        (pytest.approx(-0.1), "−0.1"), (0.0, "0.0"), (pytest.approx(0.1), "0.1"),
        (pytest.approx(0.2), "0.2"), (pytest.approx(0.3), "0.3"),
    ]  # fmt: skip


def test_logarithmic_ticks_stand_at_their_logarithms() -> None:
    assert log_ticks(2e-5, 2e-3) == [
        (pytest.approx(math.log10(v)), label)
        for v, label in ((3e-5, "3e−5"), (1e-4, "1e−4"), (3e-4, "3e−4"), (1e-3, "0.001"))
    ]
    assert [label for _, label in log_ticks(1e-6, 1e3)] == [
        "1e−6", "1e−5", "1e−4", "0.001", "0.01", "0.1", "1", "10", "100", "1000",
    ]  # fmt: skip
    assert len(log_ticks(4.0, 5.0)) == 2, "the ends where no round number lies between"


def test_a_plot_puts_corners_where_they_belong() -> None:
    plot = Plot(10, 20, 100, 50, 0, 2, -1, 1)
    assert (plot.x(0), plot.x(2), plot.y(-1), plot.y(1)) == (10, 110, 70, 20)
    assert math.isclose(plot.points([1.0], [5.0])[0][1], 20), "values are kept inside the frame"
