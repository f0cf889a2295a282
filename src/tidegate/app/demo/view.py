"""The live view in a terminal: blocks, prices, decisions, outcomes, profit after gas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tidegate.app.progress import FEED, V2, V3, Progress
from tidegate.model import OutcomeKind, format_units, format_usd

_BARS = "▁▂▃▄▅▆▇█"
_LINES_ABOVE = 12
"""Lines of all but the strategies' rows and the outcomes."""
_FEWEST_OUTCOMES = 3
_WORDS_BESIDE_GAPS = 32
"""Columns that the gap's line needs beside its bars."""
_OUTCOME_COLUMNS: tuple[JustifyMethod, ...] = ("right", "left", "left", "right")


class LiveView:
    """Shows a ``Progress`` on a screen of its own, which is gone when it ends; 80 by 24 are enough."""

    def __init__(self, console: Console, *, title: str, blocks: int) -> None:
        self._live = Live(console=console, auto_refresh=False, screen=True)
        self._console, self._title, self._blocks = console, title, blocks

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, progress: Progress) -> None:
        """Draw the newest state."""
        self._live.update(self._draw(progress), refresh=True)

    def _draw(self, progress: Progress) -> RenderableType:
        rows = self._console.height - _LINES_ABOVE - len(progress.accounts)
        return Group(
            self._market(progress),
            _strategies(progress),
            _reasons(progress),
            _outcomes(progress, max(rows, _FEWEST_OUTCOMES)),
        )

    def _market(self, progress: Progress) -> Panel:
        body = Table.grid(padding=(0, 2))
        for _ in range(5):
            body.add_column()
        if progress.prices:
            body.add_row(
                _figure("block", f"{progress.block}"),
                _figure("v2", f"{progress.prices[V2]:,.2f}"),
                _figure("v3", f"{progress.prices[V3]:,.2f}"),
                _figure("feed", f"{progress.prices[FEED]:,.2f}"),
                _figure("base fee", f"{format_units(progress.base_fee_wei, 9, 2)}", " gwei"),
            )
        gap = Text.assemble(
            ("gap v2 over v3  ", "dim"),
            (sparkline(list(progress.gaps_bps)[-self._gaps_shown() :]), "cyan"),
            f"  {progress.gaps_bps[-1] if progress.gaps_bps else 0:+d} bps",
        )
        subtitle = (
            f"{progress.blocks} of {self._blocks} blocks"
            if self._blocks
            else f"{progress.blocks} blocks, Ctrl-C ends"
        )
        return Panel(Group(body, gap), title=self._title, subtitle=subtitle, border_style="cyan")

    def _gaps_shown(self) -> int:
        return max(self._console.width - _WORDS_BESIDE_GAPS, 1)


def _figure(name: str, value: str, unit: str = "") -> Text:
    return Text.assemble(f"{name} ", (value, "bold"), unit)


def _strategies(progress: Progress) -> Table:
    table = Table(expand=True, padding=(0, 1), box=box.SIMPLE_HEAD)
    table.add_column("strategy", no_wrap=True)
    for name in ("acted", "landed", "rev.", "denied", "gas", "after gas"):
        table.add_column(name, justify="right", no_wrap=True)
    for subject, account in sorted(progress.accounts.items()):
        table.add_row(
            subject,
            str(account.intents),
            str(account.outcomes[OutcomeKind.LANDED]),
            str(account.outcomes[OutcomeKind.REVERTED]),
            str(account.outcomes[OutcomeKind.DENIED]),
            f"{account.gas_used:,}",
            Text(format_usd(account.value_usd_e6), "green" if account.value_usd_e6 >= 0 else "red"),
        )
    return table


def _reasons(progress: Progress) -> Group:
    """Return a line each for decisions that did not act and for intents that the street refused."""
    counted = (("did not act", progress.reasons), ("refused by the street", progress.refusals))
    return Group(*(_counts(title, counts) for title, counts in counted))


def _counts(title: str, counts: Counter[str]) -> Text:
    told = " · ".join(f"{reason} {count}" for reason, count in counts.most_common()) or "none"
    return Text.assemble((f" {title}  ", "dim"), told, no_wrap=True, overflow="ellipsis")


def _outcomes(progress: Progress, most: int) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    for justify in _OUTCOME_COLUMNS:
        table.add_column(no_wrap=True, justify=justify)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for ended in islice(progress.recent, most):
        table.add_row(str(ended.block), ended.subject, ended.kind.value, ended.worth, Text(ended.why))
    return Panel(table, title="outcomes", title_align="left")


def sparkline(values: Iterable[int]) -> str:
    """Return one bar a value, scaled by the greatest distance from zero."""
    shown = [abs(value) for value in values]
    top = max(shown, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, value * len(_BARS) // (top + 1))] for value in shown)
