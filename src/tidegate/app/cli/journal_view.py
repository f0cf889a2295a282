"""What ``tidegate journal`` shows to people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.app.story import clocks, counted, decimals_of, details, short, summary
from tidegate.ledger import Attempt, JournalReader, Migration, Place, Record, VerifyReport
from tidegate.model import RecordKind

if TYPE_CHECKING:
    from tidegate.app.replay import Replayed

_WIDE = 110


def print_records(
    out: Console, records: list[Record], reader: JournalReader, *, show_header: bool = True
) -> None:
    """Print a line a record; amounts need the plan that the reader finds.

    A narrow terminal gets neither actor nor milliseconds: what happened needs the room.
    """
    is_wide = out.width >= _WIDE
    actor = ("actor",) if is_wide else ()
    table = _table("seq", "journal UTC", "kind", *actor, "intent", show_header=show_header)
    for record in records:
        table.add_row(
            Text(str(record.seq), "bold"),
            Text(_time(record.at_ms)[: None if is_wide else len("HH:MM:SS")], "dim"),
            Text(record.kind, "cyan"),
            *((Text(record.actor, "magenta"),) if is_wide else ()),
            Text(short(record.correlation_id, 10 if is_wide else 6), "dim"),
            Text(summary(record, _decimals(reader, record))),
        )
    out.print(table)


def _decimals(reader: JournalReader, record: Record) -> dict[str, int]:
    """Return the decimals that the record's amounts need: those of its plan."""
    if record.kind is not RecordKind.BOUNDS:
        return {}
    return decimals_of(reader.records(kind=RecordKind.PLAN, correlation_id=record.correlation_id))


def _table(*narrow: str, show_header: bool) -> Table:
    """Return a table without lines whose last column alone may wrap."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=show_header, header_style="dim")
    for name in narrow:
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    return table


def print_story(out: Console, attempt: Attempt, records: list[Record]) -> None:
    """Print how one intent went, an arrow a record."""
    outcome = attempt.outcome.value if attempt.outcome else "open"
    out.print(Text.assemble(("intent ", "dim"), (attempt.intent_id, "bold")))
    out.print(
        Text(
            f"{attempt.desk}/{attempt.subject}, chain {attempt.chain_id}, {attempt.stage}: {outcome}", "bold"
        )
    )
    for line in clocks(records):
        out.print(Text(line, "dim"))
    start_ms = records[0].at_ms if records else 0
    table, decimals = _table("arrow", "kind", "seq", "after", show_header=False), decimals_of(records)
    for number, record in enumerate(records):
        lines = [Text(summary(record, decimals)), *(Text(line, "dim") for line in details(record))]
        table.add_row(
            Text("●" if number == 0 else "▼", "cyan"),
            Text(record.kind, "bold"),
            Text(f"seq {record.seq}", "dim"),
            Text(f"+{record.at_ms - start_ms} ms", "dim"),
            Text("\n").join(lines),
        )
    out.print(table)


def print_replayed(out: Console, replayed: list[Replayed]) -> None:
    """Print the decisions that came out the same, the first twenty by name."""
    for item in replayed[:20]:
        where = f" seq {item.seq} {item.desk}/{item.subject} block {item.block} {item.recorded_digest}"
        out.print(Text.assemble(("same", "green"), where))
    more = "" if len(replayed) <= 20 else f", {len(replayed) - 20:,} of them not listed"
    out.print(f"{counted(len(replayed), 'decision')} recomputed, every answer the same{more}")


def print_whole(out: Console, report: VerifyReport, place: Place) -> None:
    """Print what was verified, with the head to keep elsewhere."""
    head = (str(report.head_seq), "bold")
    records = f": {counted(report.records, 'record')}, head "
    out.print(Text.assemble(("whole", "bold green"), records, head, f" {report.head_hash}"))
    out.print(f"  {place}", style="dim")


def print_migrated(out: Console, done: Migration) -> None:
    """Print what a migration did, and where the copy from before lies."""
    if done.backup is None:
        out.print(f"{done.place} has schema {done.to_version} already: nothing to do")
        return
    versions = f": schema {done.from_version} is {done.to_version} now, {counted(done.records, 'record')}"
    out.print(Text.assemble(("migrated", "bold green"), versions))
    out.print(f"  {done.place}", style="dim")
    out.print(f"  as it was before: {done.backup}")


def print_rebuilt(out: Console, value: dict[str, Any]) -> None:
    """Print whether the projections are what the records give."""
    verdict = ("equal", "bold green") if value["equal"] else ("different", "bold red")
    rows = ", ".join(f"{name} {count:,}" for name, count in value["rows"].items())
    verb = "gives" if value["records"] == 1 else "give"
    out.print(Text.assemble(verdict, f": {counted(value['records'], 'record')} {verb} {rows}"))
    for difference in value["differences"]:
        out.print(f"  {difference}")
    if value["copy"] is not None:
        out.print(f"  copy: {value['copy']}")


def _time(at_ms: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at_ms // 1000)) + f".{at_ms % 1000:03}"
