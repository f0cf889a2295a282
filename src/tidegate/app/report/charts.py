"""Charts as inline SVG: lines, dots and bars, with axes, units, a legend and hover titles.

A chart is drawn once at 560 by 300 and scaled by the page; its colours are the page's
variables, so that light and dark are the reader's choice. Series differ by dash as well as by
colour. What the pointer finds, and what a screen reader says, is in ``<title>`` elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.app.report.markup import Markup, join, tag
from tidegate.app.report.scales import Scale, decimals_of, round_ticks, shown, thin, whole_ticks

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 30, 40
COLOURS = 6
_MOST_POINTS = 600
_MOST_BANDS = 240


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of (x, y), x ascending. ``steps``: the value holds until the next point."""

    name: str
    points: Sequence[tuple[int, float]]
    steps: bool = False
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A single event on a chart; ``shape`` is ``circle`` or ``cross``."""

    x: int
    y: float
    series: int
    title: str
    shape: str = "circle"


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart's two directions mean."""

    title: str
    description: str
    x_name: str
    y_name: str
    y_places: int = 0
    from_zero: bool = False
    x_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar of one or two stretches; ``note`` says more in small letters."""

    label: str
    values: tuple[int, ...]
    note: str = ""


def xy_chart(
    axes: Axes,
    series: Sequence[Series],
    *,
    dots: Sequence[Dot] = (),
    band: tuple[float, float, str] | None = None,
) -> Markup:
    """Return a chart of lines and dots over whole-numbered x; ``band`` shades a range of y.

    A chart without a point says so.
    """
    drawn = [item for item in series if item.points]
    xs = [x for item in drawn for x, _ in item.points] + [dot.x for dot in dots]
    if not xs:
        return empty_chart(axes)
    ys = [y for item in drawn for _, y in item.points] + [dot.y for dot in dots]
    ys += list(band[:2]) if band else []
    ys += [0.0] if axes.from_zero else []
    y_ticks = round_ticks(min(ys), max(ys))
    low_x, high_x = axes.x_range or (min(xs), max(xs))
    across = Scale(low_x, max(high_x, low_x + 1), LEFT, WIDTH - RIGHT)
    up = Scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    places = decimals_of(y_ticks)
    return _svg(
        axes,
        HEIGHT,
        _band(band, up) if band else None,
        _y_axis(y_ticks, up, places),
        _x_axis(axes, whole_ticks(low_x, high_x), across),
        join(*(_line(item, series.index(item), across, up) for item in drawn)),
        _hover_bands(axes, drawn, across),
        join(*(_dot(dot, across, up) for dot in dots)),
    )


def bar_chart(axes: Axes, bars: Sequence[Bar], *, colours: Sequence[int] = (0, 3)) -> Markup:
    """Return horizontal bars, each with its label above it and its sum at its end."""
    if not bars:
        return empty_chart(axes)
    row, top = 48, 6
    height = top + row * len(bars) + 4
    longest = max(sum(bar.values) for bar in bars) or 1
    along = Scale(0, longest, 0, WIDTH - 90)
    drawn = []
    for index, bar in enumerate(bars):
        y = top + index * row
        drawn.append(
            tag(
                "text", bar.label, tag("tspan", f"  {bar.note}", class_="note"), x=0, y=y + 14, class_="label"
            )
        )
        begin = 0.0
        for colour, value in zip(colours, bar.values, strict=False):
            if value:
                width = max(along(value), 2.0)
                drawn.append(
                    tag("rect", x=begin, y=y + 22, width=width, height=13, rx=2, class_=f"fill c{colour}")
                )
                begin += width
        drawn.append(tag("text", shown(sum(bar.values)), x=begin + 6, y=y + 33, class_="value"))
        told = " + ".join(shown(value) for value in bar.values if value) or "0"
        cover = tag(
            "rect", tag("title", f"{bar.label}: {told}. {bar.note}"), x=0, y=y, width=WIDTH, height=row
        )
        drawn.append(tag("g", cover, class_="hover"))
    return _svg(axes, height, *drawn)


def empty_chart(axes: Axes) -> Markup:
    """Return the place of a chart that has nothing to show."""
    words = tag("text", "nothing of this kind in the journal", x=WIDTH / 2, y=70, class_="empty")
    return _svg(axes, 140, words)


def legend(entries: Iterable[tuple[str, int, bool]], *, dots: bool = False) -> Markup:
    """Return (name, series, is_reference) as a row of names with a piece of their line, or a dot."""
    items = []
    for name, index, is_reference in entries:
        if dots:
            sample = tag("circle", cx=11, cy=5, r=4, class_=f"dot c{index % COLOURS}")
        else:
            sample = tag("line", x1=1, y1=5, x2=21, y2=5, class_=_line_class(index, is_reference))
        items.append(
            tag("li", tag("svg", sample, width=22, height=10, viewBox="0 0 22 10", aria_hidden="true"), name)
        )
    return tag("ul", *items, class_="legend")


def _svg(axes: Axes, height: float, *parts: Markup | None) -> Markup:
    return tag(
        "svg",
        tag("title", axes.title),
        tag("desc", axes.description),
        *parts,
        class_="chart",
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_label=f"{axes.title}. {axes.description}",
    )


def _y_axis(ticks: Sequence[float], up: Scale, places: int) -> Markup:
    parts: list[Markup] = []
    for index, tick in enumerate(ticks):
        y = up(tick)
        kind = "zero" if tick == 0 and ticks[0] < 0 else "grid"
        parts.append(tag("line", x1=LEFT, y1=y, x2=WIDTH - RIGHT, y2=y, class_=kind))
        words = "tick minor" if index % 2 else "tick"
        parts.append(tag("text", shown(tick, places), x=LEFT - 8, y=y + 4, class_=f"{words} end"))
    return tag("g", *parts)


def _x_axis(axes: Axes, ticks: Sequence[int], across: Scale) -> Markup:
    bottom = HEIGHT - BOTTOM
    parts = [tag("line", x1=LEFT, y1=bottom, x2=WIDTH - RIGHT, y2=bottom, class_="axis")]
    for index, tick in enumerate(ticks):
        x = across(tick)
        parts.append(tag("line", x1=x, y1=bottom, x2=x, y2=bottom + 4, class_="axis"))
        words = "tick minor" if index % 2 else "tick"
        parts.append(tag("text", shown(tick), x=x, y=bottom + 18, class_=f"{words} middle"))
    parts.append(tag("text", axes.x_name, x=WIDTH - RIGHT, y=HEIGHT - 6, class_="name end"))
    parts.append(tag("text", axes.y_name, x=0, y=13, class_="name"))
    return tag("g", *parts)


def _line(series: Series, index: int, across: Scale, up: Scale) -> Markup:
    points = thin(series.points, _MOST_POINTS)
    path = f"M{across(points[0][0]):.1f} {up(points[0][1]):.1f}"
    for x, y in points[1:]:
        path += f"H{across(x):.1f}V{up(y):.1f}" if series.steps else f"L{across(x):.1f} {up(y):.1f}"
    if len(points) == 1:
        path += "h2"
    return tag("path", d=path, class_=_line_class(index, series.is_reference))


def _line_class(index: int, is_reference: bool) -> str:
    return f"line c{index % COLOURS}{' reference' if is_reference else ''}"


def _dot(dot: Dot, across: Scale, up: Scale) -> Markup:
    x, y, kind = across(dot.x), up(dot.y), f"c{dot.series % COLOURS}"
    title = tag("title", dot.title)
    if dot.shape == "cross":
        path = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"
        return tag("g", title, tag("path", d=path, class_=f"cross {kind}"))
    return tag("circle", title, cx=x, cy=y, r=4, class_=f"dot {kind}")


def _band(band: tuple[float, float, str], up: Scale) -> Markup:
    low, high, name = band
    top, bottom = up(high), up(low)
    width = WIDTH - LEFT - RIGHT
    box = tag("rect", tag("title", name), x=LEFT, y=top, width=width, height=bottom - top, class_="band")
    edges = [tag("line", x1=LEFT, y1=y, x2=WIDTH - RIGHT, y2=y, class_="edge") for y in (top, bottom)]
    return tag("g", box, *edges)


def _hover_bands(axes: Axes, series: Sequence[Series], across: Scale) -> Markup:
    """Return one invisible strip an x, with what every series says there."""
    told: dict[int, list[str]] = {}
    for item in series:
        for x, y in item.points:
            told.setdefault(x, []).append(f"{item.name} {shown(y, axes.y_places)}")
    xs = sorted(told)[:: max(1, len(told) // _MOST_BANDS)]
    strips = []
    for index, x in enumerate(xs):
        begin = across((xs[index - 1] + x) / 2) if index else across(x) - 2
        end = across((x + xs[index + 1]) / 2) if index + 1 < len(xs) else across(x) + 2
        title = tag("title", "\n".join([f"{axes.x_name} {shown(x)}", *told[x]]))
        strips.append(tag("rect", title, x=begin, y=TOP, width=end - begin, height=HEIGHT - BOTTOM - TOP))
    return tag("g", *strips, class_="hover")
