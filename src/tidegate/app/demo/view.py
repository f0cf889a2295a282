"""The live view in a terminal: blocks, prices, decisions, outcomes, profit after gas."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tidegate.app.demo.progress import FEED, V2, V3, Progress
from tidegate.model import OutcomeKind, format_units, format_usd

_BARS = "▁▂▃▄▅▆▇█"


class LiveView:
    """Shows a ``Progress``; on a terminal it is redrawn in place, elsewhere it stays silent."""

    def __init__(self, console: Console, *, title: str, blocks: int) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._title, self._blocks = title, blocks

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, progress: Progress) -> None:
        """Draw the newest state."""
        self._live.update(self._draw(progress), refresh=True)

    def _draw(self, progress: Progress) -> RenderableType:
        return Group(self._market(progress), _strategies(progress), _lower(progress))

    def _market(self, progress: Progress) -> Panel:
        body = Table.grid(padding=(0, 3))
        for _ in range(5):
            body.add_column()
        if progress.prices:
            body.add_row(
                _figure("block", f"{progress.block}"),
                _figure("v2 pair", f"{progress.prices[V2]:,.2f}"),
                _figure("v3 pool", f"{progress.prices[V3]:,.2f}"),
                _figure("feed", f"{progress.prices[FEED]:,.2f}"),
                _figure("base fee", f"{format_units(progress.base_fee_wei, 9, 3)}", " gwei"),
            )
        gap = Text.assemble(
            ("gap v2 over v3  ", "dim"),
            (sparkline(progress.gaps_bps), "cyan"),
            f"  {progress.gaps_bps[-1] if progress.gaps_bps else 0:+d} bps",
        )
        subtitle = (
            f"{progress.blocks} of {self._blocks} blocks"
            if self._blocks
            else f"{progress.blocks} blocks, Ctrl-C ends"
        )
        return Panel(Group(body, gap), title=self._title, subtitle=subtitle, border_style="cyan")


def _figure(name: str, value: str, unit: str = "") -> Text:
    return Text.assemble(f"{name} ", (value, "bold"), unit)


def _strategies(progress: Progress) -> Table:
    table = Table("strategy", expand=True)
    for name in ("decisions", "acted", "landed", "reverted", "denied", "gas", "value after gas"):
        table.add_column(name, justify="right")
    for subject, account in sorted(progress.accounts.items()):
        table.add_row(
            subject,
            str(account.decisions),
            str(account.intents),
            str(account.outcomes[OutcomeKind.LANDED]),
            str(account.outcomes[OutcomeKind.REVERTED]),
            str(account.outcomes[OutcomeKind.DENIED]),
            f"{account.gas_used:,}",
            Text(format_usd(account.value_usd_e6), "green" if account.value_usd_e6 >= 0 else "red"),
        )
    return table


def _lower(progress: Progress) -> Table:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=2)
    reasons = Table("reasons for not acting", "", expand=True)
    for reason, count in progress.reasons.most_common(8):
        reasons.add_row(reason, str(count))
    grid.add_row(reasons, Panel(Text("\n".join(progress.recent)), title="outcomes", title_align="left"))
    return grid


def sparkline(values: Iterable[int]) -> str:
    """Return one bar a value, scaled by the greatest distance from zero."""
    shown = [abs(value) for value in values]
    top = max(shown, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, value * len(_BARS) // (top + 1))] for value in shown)
