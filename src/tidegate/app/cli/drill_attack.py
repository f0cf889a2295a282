"""How ``tidegate drill attack`` shows itself: a bar while it plays, then a table, attack by attack."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from tidegate.app.cli.common import console
from tidegate.app.drills import AttackDrill, AttackRow, drill_attack, shown


def play_attacks(*, shows: bool) -> AttackDrill:
    """Play every attack, with a bar on a terminal."""
    if not shows or not sys.stdout.isatty():
        return drill_attack()
    with Bar(console=console(), transient=True) as bar:
        task = bar.add_task("attacking", total=None)
        return drill_attack(tell=lambda done, cases: bar.update(task, completed=done, total=cases))


def render_attacks(out: Console, drill: AttackDrill) -> None:
    """Print a rule a heading, an attack a line; what was not played stands last."""
    table = Table("attack", "tried", "stopped by", "cases", box=None, pad_edge=False)
    rule = ""
    for row in drill.rows:
        if row.rules[0] != rule:
            rule = row.rules[0]
            table.add_row(Text(rule, style="bold"), Text(row.stands_for[0], style="bold"), "", "")
        also = f" (also {', '.join(row.rules[1:])})" if row.rules[1:] else ""
        table.add_row(row.id, row.tried + also, _outcome(row), f"{row.cases:,}")
    for rule, stands_for in drill.not_played:
        table.add_row(Text(rule, style="bold"), Text(stands_for, style="bold"), "not played", "0")
    out.print(table)


def _outcome(row: AttackRow) -> Text:
    return Text(shown(row), style="" if row.passed else "bold red")
