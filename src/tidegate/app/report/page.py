"""The report's page: one file of HTML, with its style and its charts inside and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files

from tidegate.app.report.figures import decisions_section, market_section, result_section
from tidegate.app.report.markup import Markup, join, tag, trusted
from tidegate.app.report.reading import Reading, Run
from tidegate.app.report.scales import shown
from tidegate.app.story import short
from tidegate.model import OutcomeKind, format_units, format_usd

_MOST_ROWS = 300


def page(reading: Reading, meta: Mapping[str, str]) -> str:
    """Return the whole page. ``meta``: ``title``, and whatever else names the run."""
    title = meta.get("title", "Run report")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content="Tidegate"),
        tag("title", f"{title} · Tidegate"),
        tag("style", trusted(files(__package__).joinpath("style.css").read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag(
            "div",
            _header(reading, title),
            tag(
                "main",
                _tiles(reading),
                market_section(reading),
                result_section(reading),
                decisions_section(reading),
                _runs_section(reading.runs),
                _proof_section(reading, meta),
            ),
            tag("footer", "Made from the journal alone. This page loads nothing and runs no script."),
            class_="wrap",
        ),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _header(reading: Reading, title: str) -> Markup:
    stages = sorted({run.attempt.stage.value for run in reading.runs})
    blocks = reading.block_range
    chains = sorted({run.attempt.chain_id for run in reading.runs})
    parts = [
        f"stage {', '.join(stages)}" if stages else None,
        f"chain {', '.join(map(str, chains))}" if chains else None,
        f"blocks {shown(blocks[0])} to {shown(blocks[1])}" if blocks else None,
        _span(reading.first_ms, reading.last_ms) if reading.last_ms else None,
    ]
    verified = reading.verified
    return tag(
        "header",
        tag(
            "div",
            tag("div", _mark(), "Tidegate", class_="mark"),
            tag("h1", title),
            tag("p", " · ".join(part for part in parts if part), class_="about"),
        ),
        tag(
            "div",
            tag("strong", "✓ journal whole"),
            f" · {shown(verified.records)} records",
            tag("br"),
            "head ",
            tag("code", f"{verified.head_seq}:{short(verified.head_hash, 16)}", title=verified.head_hash),
            class_="badge",
        ),
    )


def _tiles(reading: Reading) -> Markup:
    landed, reverted = reading.count(OutcomeKind.LANDED), reading.count(OutcomeKind.REVERTED)
    profit = reading.value_usd_e6
    tiles = [
        (
            "Profit after gas",
            join(tag("span", usd(profit), class_="bad" if profit < 0 else "good"), _unit("USD")),
            f"over {_count(len({run.attempt.subject for run in reading.runs}), 'strategy', 'strategies')}",
        ),
        (
            "Landed",
            shown(landed),
            f"of {_count(reading.sent, 'run', 'runs')} sent, {shown(reverted)} reverted",
        ),
        ("Refused by the street", shown(reading.count(OutcomeKind.DENIED)), "before anything left"),
        ("Decisions", shown(reading.decisions), f"{shown(reading.acted)} acted"),
        (
            "Blocks",
            shown(reading.blocks_looked_at),
            "after the first" if reading.base_fee_wei else "looked at",
        ),
        (
            "Gas",
            join(format_units(reading.gas_cost_wei, 18, 5), _unit("ETH")),
            f"{shown(reading.gas_used)} gas",
        ),
    ]
    boxes = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", note)), class_="tile")
        for name, value, note in tiles
    ]
    return tag("dl", *boxes, class_="tiles")


def _runs_section(runs: Sequence[Run]) -> Markup:
    newest = sorted(runs, key=lambda run: run.attempt.first_seq, reverse=True)[:_MOST_ROWS]
    caption = "Newest first."
    if len(runs) > len(newest):
        caption = f"Newest first: {shown(len(newest))} of {shown(len(runs))}. The journal has them all."
    has_notes = any(_note(run) for run in newest)
    columns = ["Block", "Strategy", "Outcome", "Profit after gas, USD", "Gas", "Transaction"]
    columns += ["Why"] if has_notes else []
    numbers = {"Block", "Profit after gas, USD", "Gas"}
    head = tag("tr", *(_cell("th", name, name in numbers, scope="col") for name in columns))
    table = tag(
        "table",
        tag("caption", caption),
        tag("thead", head),
        tag("tbody", *(_run_row(run, has_notes) for run in newest)),
    )
    inside = tag("div", table, class_="scroll", tabindex=0, role="region", aria_label="Runs")
    empty = tag("p", "No desk acted in this journal.", class_="about")
    return tag("section", tag("h2", "Runs"), tag("div", inside if runs else empty, class_="card"))


def _run_row(run: Run, has_notes: bool) -> Markup:
    attempt = run.attempt
    outcome = attempt.outcome.value if attempt.outcome else "open"
    hash_ = attempt.transaction_hash
    was_paid = attempt.block_number is not None
    colour = None if not was_paid else "good" if run.value_usd_e6 >= 0 else "bad"
    return tag(
        "tr",
        _cell("td", shown(run.block), True),
        tag("td", attempt.subject),
        tag("td", tag("span", outcome, class_=f"pill {outcome}")),
        _cell("td", tag("span", usd(run.value_usd_e6), class_=colour) if was_paid else "–", True),
        _cell("td", shown(attempt.gas_used) if was_paid else "–", True),
        tag("td", tag("code", f"{hash_[:10]}…{hash_[-6:]}", title=hash_) if hash_ else "–"),
        tag("td", _note(run), class_="why", title=attempt.detail or None) if has_notes else None,
    )


def _note(run: Run) -> str:
    return run.attempt.reason.meaning if run.attempt.reason else run.attempt.detail


def _proof_section(reading: Reading, meta: Mapping[str, str]) -> Markup:
    verified = reading.verified
    facts = [
        ("Records", shown(verified.records)),
        ("Head", tag("code", f"{verified.head_seq}:{verified.head_hash}")),
        (
            "Verified",
            "Every record carries the SHA-256 of the one before it. All were computed again for this "
            "page, and all agree.",
        ),
        (
            "Check it yourself",
            tag("code", f"tidegate journal verify --checkpoint {verified.head_seq}:{verified.head_hash}"),
        ),
        *((name.replace("_", " ").capitalize(), text) for name, text in meta.items() if name != "title"),
    ]
    entries = [join(tag("dt", name), tag("dd", value)) for name, value in facts]
    return tag("section", tag("h2", "Proof"), tag("div", tag("dl", *entries), class_="card proof"))


def usd(value_usd_e6: int) -> str:
    """Return millionths of a dollar as dollars and cents, as everywhere, with a true minus sign."""
    return format_usd(value_usd_e6).removesuffix(" USD").replace("-", "−")


def _unit(name: str) -> Markup:
    return join("\u00a0", tag("span", name, class_="unit"))


def _cell(kind: str, content: Markup | str, is_number: bool, **attributes: str) -> Markup:
    return tag(kind, content, class_="number" if is_number else None, **attributes)


def _count(number: int, one: str, many: str) -> str:
    return f"{shown(number)} {one if number == 1 else many}"


def _span(first_ms: int, last_ms: int) -> str:
    first, last = (datetime.fromtimestamp(at_ms // 1000, UTC) for at_ms in (first_ms, last_ms))
    day = "" if first.date() == last.date() else f"{last:%Y-%m-%d} "
    return f"{first:%Y-%m-%d %H:%M:%S} to {day}{last:%H:%M:%S} UTC"


def _mark() -> Markup:
    """Return the sign of the house: a gate over a tide."""
    gate = tag("path", d="M4 15V5h16v10M9 5v10M15 5v10", fill="none", stroke="currentColor", stroke_width="2")
    tide = tag(
        "path",
        d="M2 19c2.5-2 4.2-2 6.7 0s4.2 2 6.6 0 4.200-2 6.700 0",
        fill="none",
        stroke="currentColor",
        stroke_width="2",
        stroke_linecap="round",
    )
    return tag("svg", gate, tide, viewBox="0 0 24 24", aria_hidden="true")
