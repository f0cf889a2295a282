from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.app.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axes,
    Bar,
    Dot,
    Series,
    bar_chart,
    legend,
    xy_chart,
)
from tidegate.app.report.markup import join, tag
from tidegate.app.report.scales import Scale, decimals_of, round_ticks, shown, thin, whole_ticks

AXES = Axes("A chart", "what it shows", "block", "USD")


def test_a_tag_escapes_what_it_is_given() -> None:
    assert tag("p", "a < b & c", title='"x"') == '<p title="&quot;x&quot;">a &lt; b &amp; c</p>'
    assert tag("rect", x=1.0, y=2.345, class_=None) == '<rect x="1" y="2.35"/>'
    assert join(tag("b", "x"), None, 3) == "<b>x</b>3"


def test_scale() -> None:
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (0, 5, 10)] == [100, 50, 0]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (2_931, 3_068, [2900, 2950, 3000, 3050, 3100]),
        (0, 832.11, [0, 200, 400, 600, 800, 1000]),
        (-60, 60, [-75, -50, -25, 0, 25, 50, 75]),
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
        (0.001, 0.0042, [0.001, 0.002, 0.003, 0.004, 0.005]),
    ],
)
def test_ticks_are_round_and_span_the_data(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


@given(
    low=st.integers(-(10**15), 10**15).map(lambda millionths: millionths / 1e6),
    size=st.integers(0, 10**15).map(lambda millionths: millionths / 1e6),
)
@settings(deadline=None, derandomize=True)
def test_ticks_always_span_the_data_and_ascend(low: float, size: float) -> None:
    ticks = round_ticks(low, low + size)
    slack = (ticks[-1] - ticks[0]) * 1e-6
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + size - slack
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= 8


def test_whole_ticks_stay_inside() -> None:
    assert whole_ticks(12, 211) == [50, 100, 150, 200]
    assert whole_ticks(7, 7) == [7]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(1234567, 0, "1,234,567"), (-1.5, 2, "−1.50"), (-0.001, 2, "0.00"), (0, 0, "0")],
)
def test_numbers_for_people(value: float, places: int, text: str) -> None:
    assert shown(value, places) == text


def test_decimals_tell_ticks_apart() -> None:
    assert decimals_of([0, 0.25, 0.5]) == 2
    assert decimals_of([0, 50]) == 0


def test_thinning_keeps_the_extremes() -> None:
    points = [(x, 100.0 if x == 777 else -5.0 if x == 12 else 0.0) for x in range(5_000)]
    kept = thin(points, 100)
    assert len(kept) <= 200
    assert {(777, 100.0), (12, -5.0)} <= set(kept)
    assert kept == sorted(kept)
    assert thin(points[:10], 100) == points[:10]


def test_a_line_runs_from_corner_to_corner() -> None:
    chart = xy_chart(AXES, [Series("a", [(0, 0.0), (10, 100.0)])])
    path = re.search(r'<path d="([^"]+)" class="line c0"', chart)[1]
    assert path == f"M{LEFT:.1f} {HEIGHT - BOTTOM:.1f}L{WIDTH - RIGHT:.1f} {TOP:.1f}"


def test_steps_hold_until_the_next_point() -> None:
    chart = xy_chart(AXES, [Series("a", [(0, 0.0), (10, 100.0)], steps=True)])
    assert f"H{WIDTH - RIGHT:.1f}V{TOP:.1f}" in chart


def test_hover_titles_tell_every_series_at_a_block() -> None:
    chart = xy_chart(AXES, [Series("a", [(1, 2.0), (2, 3.0)]), Series("b", [(1, 5.0)])])
    titles = [item.text for item in ElementTree.fromstring(chart).iter("title")]
    assert titles == ["A chart", "block 1\na 2\nb 5", "block 2\na 3"]


def test_dots_and_bands() -> None:
    dots = [Dot(1, 5.0, 1, "landed"), Dot(2, 6.0, 0, "reverted", shape="cross")]
    chart = xy_chart(AXES, [], dots=dots, band=(-10.0, 10.0, "the fees"))
    root = ElementTree.fromstring(chart)
    assert [item.get("class") for item in root.iter("circle")] == ["dot c1"]
    assert 'class="cross c0"' in chart
    titles = {item.text for item in root.iter("title")}
    assert {"landed", "reverted", "the fees"} <= titles


def test_bars_are_as_long_as_their_values() -> None:
    chart = bar_chart(AXES, [Bar("a", (300, 100), "note"), Bar("b", (0, 100)), Bar("c", (0, 0))])
    rows = [
        item for item in ElementTree.fromstring(chart).iter("rect") if "fill" in (item.get("class") or "")
    ]
    widths = [float(item.get("width") or 0) for item in rows]
    assert widths == pytest.approx([352.5, 117.5, 117.5])
    assert [item.get("class") for item in rows] == ["fill c0", "fill c3", "fill c3"]
    assert "a: 300 + 100. note" in chart


def test_a_chart_without_data_says_so() -> None:
    for chart in (xy_chart(AXES, []), xy_chart(AXES, [Series("a", [])]), bar_chart(AXES, [])):
        assert "nothing of this kind in the journal" in chart


def test_a_legend_names_each_series() -> None:
    drawn = legend([("a <b>", 0, False), ("feed", 7, True)])
    assert "a &lt;b&gt;" in drawn
    assert 'class="line c1 reference"' in drawn
    assert 'class="dot c0"' in legend([("a", 0, False)], dots=True)
