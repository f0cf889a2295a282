"""The report's charts: which figures of a reading go into which drawing, and in what words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tidegate.app.report.charts import Axes, Bar, Dot, Series, bar_chart, legend, xy_chart
from tidegate.app.report.markup import Markup, join, tag
from tidegate.app.report.reading import Gap, Reading, Run
from tidegate.app.report.scales import shown
from tidegate.model import OutcomeKind, Reason

_MOST_FIGURES = 400


def market_section(reading: Reading) -> Markup:
    """Return the prices and their gaps, block by block."""
    return _section("Market", _prices(reading), *(_gap(gap, reading) for gap in reading.gaps.values()))


def result_section(reading: Reading) -> Markup:
    """Return what was earned and what gas it took."""
    return _section("Result", _profit(reading), _gas(reading))


def decisions_section(reading: Reading) -> Markup:
    """Return how many decisions became transactions, and why the others did not."""
    held = "The desk looked at a block and left it at that."
    refused = "The desk wanted to act; a limit, a guard or a simulation said no."
    return _section(
        "Decisions",
        _funnel(reading),
        _reasons("Reasons for not acting", held, reading.held_back, 0),
        _reasons("Intents refused by the street", refused, reading.refused, 3),
    )


def _prices(reading: Reading) -> Markup:
    names = sorted(reading.prices, key=lambda name: (name not in reading.traded, name))
    series = [
        Series(
            name,
            [(block, float(price)) for block, price in reading.prices[name]],
            is_reference=name not in reading.traded,
        )
        for name in names
    ]
    axes = Axes(
        "Prices by block",
        "Where one could trade, and what the references said.",
        "block",
        "price, in the quote token",
        y_places=2,
        x_range=reading.block_range,
    )
    return _card(axes, xy_chart(axes, series), series)


def _gap(gap: Gap, reading: Reading) -> Markup:
    at = dict(gap.points)
    dots = [
        Dot(
            run.decided_at,
            at[run.decided_at],
            1,
            f"block {shown(run.decided_at)}\n{run.attempt.subject} acted",
        )
        for run in _ended(reading, OutcomeKind.LANDED)
        if run.decided_at in at
    ]
    axes = Axes(
        f"Gap: {gap.name}",
        f"Inside the band, ±{gap.threshold_bps} bps, the fees eat the gap. Dots: acted, and landed.",
        "block",
        "gap, bps",
        y_places=1,
        x_range=reading.block_range,
    )
    band = (
        -float(gap.threshold_bps),
        float(gap.threshold_bps),
        f"the fees of both trades: {gap.threshold_bps} bps",
    )
    series = [Series(gap.name, gap.points)]
    return _card(axes, xy_chart(axes, series, dots=dots, band=band), series)


def _profit(reading: Reading) -> Markup:
    blocks = reading.block_range
    series = [_added_up(subject, (subject,), reading) for subject in reading.subjects]
    if len(series) > 1:
        series.append(_added_up("all together", reading.subjects, reading))
    axes = Axes(
        "Profit after gas, added up",
        "Balance changes less gas, at each plan's prices. What an open position holds counts when it closes.",
        "block",
        "USD",
        y_places=2,
        from_zero=True,
        x_range=blocks,
    )
    return _card(axes, xy_chart(axes, series), series)


def _added_up(name: str, subjects: Sequence[str], reading: Reading) -> Series:
    blocks = reading.block_range
    if blocks is None:
        return Series(name, [])
    total, at = 0, {blocks[0]: 0.0}
    for run in _in_order(reading.runs):
        if run.attempt.subject in subjects and run.attempt.block_number is not None:
            total += run.value_usd_e6
            at[run.block] = total / 1e6
    at[blocks[1]] = total / 1e6
    return Series(name, list(at.items()), steps=True)


def _gas(reading: Reading) -> Markup:
    dots = [
        Dot(
            run.block,
            float(run.attempt.gas_used),
            reading.subjects.index(run.attempt.subject),
            f"block {shown(run.block)}\n{run.attempt.subject} {run.attempt.outcome or 'open'}\n"
            f"{shown(run.attempt.gas_used)} gas",
            shape="cross" if run.attempt.outcome is OutcomeKind.REVERTED else "circle",
        )
        for run in _in_order(reading.runs)
        if run.attempt.block_number is not None
    ]
    axes = Axes(
        "Gas used by each run",
        "One dot a transaction; a cross is one that reverted.",
        "block",
        "gas",
        from_zero=True,
        x_range=reading.block_range,
    )
    rows = [(shown(dot.x), dot.title.split("\n")[1], shown(dot.y)) for dot in dots]
    series = [Series(subject, []) for subject in reading.subjects]
    return _card(axes, xy_chart(axes, series, dots=dots), series, _figures(("block", "run", "gas"), rows))


def _funnel(reading: Reading) -> Markup:
    steps = (
        ("Decisions", reading.decisions, "every look at a block"),
        ("Intents", len(reading.runs), "the desk wanted to act"),
        ("Sent", reading.sent, "passed limits, guards, simulation and bounds"),
        ("Landed", reading.count(OutcomeKind.LANDED), "included and successful"),
    )
    bars = [Bar(name, (count,), note) for name, count, note in steps]
    axes = Axes("From decision to chain", "How far each look at the market came.", "", "")
    return _card(axes, bar_chart(axes, bars if reading.decisions or reading.runs else ()), ())


def _reasons(name: str, description: str, counts: Counter[Reason], colour: int) -> Markup:
    bars = [Bar(reason.value, (count,), reason.meaning) for reason, count in counts.most_common()]
    axes = Axes(name, description, "", "")
    return _card(axes, bar_chart(axes, bars, colours=(colour,)), ())


def _card(axes: Axes, chart: Markup, series: Sequence[Series], figures: Markup | None = None) -> Markup:
    is_dots = not any(item.points for item in series)
    entries = ((item.name, index, item.is_reference) for index, item in enumerate(series))
    names = legend(entries, dots=is_dots) if series else None
    if figures is None and any(item.points for item in series):
        figures = _figures((axes.x_name, *(item.name for item in series)), _rows(series, axes.y_places))
    return tag(
        "article",
        tag("h3", axes.title),
        tag("p", axes.description, class_="hint"),
        names,
        chart,
        figures,
        class_="card",
    )


def _rows(series: Sequence[Series], places: int) -> list[tuple[str, ...]]:
    columns = [dict(item.points) for item in series]
    xs = sorted({x for column in columns for x in column})
    return [(shown(x), *(shown(column[x], places) if x in column else "" for column in columns)) for x in xs]


def _figures(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup | None:
    """Return the figures behind a chart as a table that opens on demand."""
    if not rows:
        return None
    head = tag("tr", *(tag("th", name, scope="col", class_="number") for name in names))
    body = [tag("tr", *(tag("td", cell, class_="number") for cell in row)) for row in rows[-_MOST_FIGURES:]]
    table = tag("table", tag("thead", head), tag("tbody", *body))
    shown_rows = "The figures" if len(rows) <= _MOST_FIGURES else f"The last {_MOST_FIGURES} figures"
    region = tag("div", table, class_="scroll", tabindex=0, role="region", aria_label="Figures")
    return tag("details", tag("summary", shown_rows), region)


def _section(name: str, *cards: Markup) -> Markup:
    return tag("section", tag("h2", name), tag("div", join(*cards), class_="cards"))


def _ended(reading: Reading, kind: OutcomeKind) -> list[Run]:
    return [run for run in _in_order(reading.runs) if run.attempt.outcome is kind]


def _in_order(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.block, run.attempt.first_seq))
