"""``tidegate journal``: read, verify, replay, export and rebuild the hash-chained journal."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, console, emit, home, user_name
from tidegate.app.cli.journal_view import (
    print_migrated,
    print_rebuilt,
    print_records,
    print_replayed,
    print_story,
    print_whole,
)
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.app.story import counted, decisions_of, short, summary
from tidegate.ledger import (
    Attempt,
    Journal,
    JournalReader,
    Place,
    Record,
    explain,
    migrate,
    place_of,
    rebuild,
)
from tidegate.model import ConfigError, Divergence, RecordKind, SystemClock

app = typer.Typer()

IntentArgument = Annotated[
    str, typer.Argument(metavar="INTENT", help="The intent's id, enough of its beginning, or: newest.")
]

_FOLLOW_S = 0.5
_CHECKPOINT = re.compile(r"[0-9]{1,20}:[0-9a-fA-F]{64}")


@app.command()
def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1_000_000, help="How many records.")] = 20,
    kind: Annotated[RecordKind | None, typer.Option(help="Only records of this kind.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest records.

    Times are of the journal's clock: this machine's after a strategy's run, the chain's in a demo.
    """
    with _open(ledger) as reader:
        records = reader.last_records(count, kind)
        seq, hash_ = reader.head()
        value = {"head": {"seq": seq, "hash": hash_}, "records": [_as_json(record) for record in records]}
        emit(value, as_json=as_json, render=lambda out: print_records(out, records, reader))
        last = records[-1].seq if records else seq
        while follow:
            time.sleep(_FOLLOW_S)
            for record in reader.records(kind=kind, after=last):
                if as_json:
                    sys.stdout.write(record.as_line().decode() + "\n")
                else:
                    print_records(console(), [record], reader, show_header=False)
                sys.stdout.flush()
                last = record.seq


@app.command()
def show(intent: IntentArgument, ledger: LedgerOption = None, as_json: JsonFlag = False) -> None:
    """Tell the story of one intent, arrow by arrow."""
    with _open(ledger) as reader:
        attempt = _attempt(reader, intent)
        told = {record.seq: record for record in decisions_of(reader, attempt.intent_id)}
        told |= {record.seq: record for record in reader.records(correlation_id=attempt.intent_id)}
    records = [told[seq] for seq in sorted(told)]
    value = {
        "attempt": msgspec.to_builtins(attempt),
        "records": [_as_json(record) for record in records],
    }
    emit(value, as_json=as_json, render=lambda out: print_story(out, attempt, records))


@app.command(name="replay")
def replay_command(
    intent: Annotated[
        str | None, typer.Argument(metavar="INTENT", help="An intent's id, enough of it, or: newest.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every decision in the journal.")] = False,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Recompute decisions from their journaled inputs; exit 13 if an answer differs."""
    from tidegate.app.replay import REPLAYERS, replay  # the desks take half a second to import

    if (intent is None) is not every:
        raise ConfigError("say which decisions", allowed="an INTENT, or --all", fix="tidegate journal show")
    with _open(ledger) as reader:
        if intent is None:
            records = list(reader.records(kind=RecordKind.DECISION))
        else:
            records = list(decisions_of(reader, _attempt(reader, intent).intent_id))
    if not records:
        raise ConfigError(
            "there is no decision to replay", found="no decision record", fix="tidegate journal tail"
        )
    replayed = [replay(record, REPLAYERS) for record in records]
    different = [item for item in replayed if not item.is_same]
    if different:
        first = different[0]
        raise Divergence(
            f"{len(different)} of {len(replayed)} decisions are decided otherwise today, the first at "
            f"seq {first.seq}: {first.desk}/{first.subject} at block {first.block}",
            code="replay_differs",
            found=f"{first.replayed_digest} (other: {', '.join(first.changed)})",
            allowed=first.recorded_digest,
            fix="compare the code and the configuration with those that wrote the journal",
        )
    value = {"ok": True, "replayed": len(replayed), "same": len(replayed)}
    emit(value, as_json=as_json, render=lambda out: print_replayed(out, replayed))


@app.command()
def verify(
    checkpoint: Annotated[
        str | None, typer.Option(help="SEQ:HASH that was kept elsewhere; the journal must contain it.")
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Check every hash, the order, the tail and the projections; exit 13 names what was changed."""
    with _open(ledger) as reader, _working("verifying"):
        report = reader.verify(checkpoint=None if checkpoint is None else checkpoint_of(checkpoint))
        with tempfile.TemporaryDirectory(prefix="tidegate-verify-") as folder:
            rebuilt = rebuild(reader, Path(folder) / "copy.sqlite")
    if not rebuilt.is_equal:
        raise Divergence(
            f"{counted(report.records, 'record')} in one whole chain, but a projection does not follow",
            code="projection_differs",
            found="; ".join(rebuilt.differences),
            fix="tidegate journal rebuild --output COPY, then put the copy in the ledger's place",
        )
    value = {
        "ok": True,
        "ledger": str(reader.place),
        **msgspec.to_builtins(report),
        "projections": rebuilt.rows,
    }
    emit(value, as_json=as_json, render=lambda out: print_whole(out, report, reader.place))


@app.command()
def export(
    output: Annotated[Path | None, typer.Option(help="A file; standard output without.")] = None,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write every record as one JSON object a line."""
    with _open(ledger) as reader, _working("exporting"):
        count = reader.export(sys.stdout.buffer if output is None else output)
        if output is not None:
            seq, hash_ = reader.head()
            value = {"records": count, "path": output, "head": {"seq": seq, "hash": hash_}}
            emit(
                value,
                as_json=as_json,
                render=lambda out: out.print(f"{counted(count, 'record')} in {output}"),
            )


@app.command(name="rebuild")
def rebuild_command(
    output: Annotated[Path | None, typer.Option(help="Keep the copy here.")] = None,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make the projections again in a copy, from the records alone; exit 1 if they differ."""
    with (
        _open(ledger) as reader,
        _working("rebuilding"),
        tempfile.TemporaryDirectory(prefix="tidegate-rebuild-") as folder,
    ):
        report = rebuild(reader, output or Path(folder) / "copy.sqlite")
    value = {"ok": report.is_equal, "equal": report.is_equal, **msgspec.to_builtins(report), "copy": output}
    emit(value, as_json=as_json, render=lambda out: print_rebuilt(out, value))
    if not report.is_equal:
        raise typer.Exit(1)


@app.command(name="explain")
def explain_command(
    seq: Annotated[
        int,
        typer.Argument(
            metavar="SEQ", min=1, max=2**63 - 1, help="The reconciliation that found the difference."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why the chain has something else than the books.")],
    person: Annotated[str | None, typer.Option(help="Who says so; else the user of this machine.")] = None,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a difference between books and chain into the books: a person's word, kept for ever.

    Whatever runs on the ledger must be stopped for it; the next start compares again.
    """
    place = _usual_ledger() if ledger is None else ledger_place(ledger)
    JournalReader.open(place).close()
    with Journal.open(place, clock=SystemClock()) as journal:
        record = explain(journal, seq, explanation=reason, person=person or user_name())
    emit(
        {"ok": True, "record": _as_json(record)},
        as_json=as_json,
        render=lambda out: out.print(f"seq {record.seq}: {summary(record)}"),
    )


@app.command(name="migrate")
def migrate_command(ledger: LedgerOption = None, as_json: JsonFlag = False) -> None:
    """Bring a ledger of an older release to this one's layout; a copy is made first and its place told."""
    place = _usual_ledger() if ledger is None else ledger_place(ledger)
    backups = home() / "backups" if place.file is None else place.file.parent / "backups"
    place.refuse_absent()
    with _working("migrating"):
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = migrate(place, backups=backups, clock=SystemClock())
    value = {"ok": True, **msgspec.to_builtins(done, enc_hook=str)}
    emit(value, as_json=as_json, render=lambda out: print_migrated(out, done))


def _open(ledger: str | None) -> JournalReader:
    return JournalReader.open(_usual_ledger() if ledger is None else ledger_place(ledger))


def _usual_ledger() -> Place:
    """Return the ledger of the project; where there is none, that of the newest demo."""
    own = ledger_place(None)
    demos = list((home() / "demo").glob("run-*/ledger.sqlite"))
    demos.sort(key=lambda path: (len(path.parent.name), path.parent.name))  # run-10000 is after run-9999
    return place_of(demos[-1]) if demos and own.file is not None and not own.file.exists() else own


def _working(what: str) -> Any:
    """Show that work is going on, to people alone."""
    return Console(stderr=True).status(f"{what} …")


def _attempt(reader: JournalReader, intent: str) -> Attempt:
    wanted, attempts = intent.lower(), reader.attempts()
    if wanted == "newest" and attempts:
        return attempts[-1]
    found = [attempt for attempt in attempts if attempt.intent_id.lower().startswith(wanted)]
    exact = [attempt for attempt in found if attempt.intent_id.lower() == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not attempts:
        raise ConfigError(
            "no decision has led to an intent yet",
            code="no_such_intent",
            found=intent,
            fix="tidegate journal tail --kind decision, to see why",
        )
    newest = [short(attempt.intent_id, 16) for attempt in attempts[-3:]]
    raise ConfigError(
        f"no intent begins with {intent!r}" if not found else f"{len(found)} intents begin with {intent!r}",
        code="no_such_intent" if not found else "ambiguous_intent",
        found=", ".join(short(attempt.intent_id, 16) for attempt in found[:5]) or None,
        allowed=f"the newest are {', '.join(newest)}",
        fix="tidegate journal tail --kind intent",
    )


def checkpoint_of(text: str) -> tuple[int, str]:
    """Return the (seq, hash) that a person kept; raise ``ConfigError`` if the text is none."""
    seq, _, hash_ = text.partition(":")
    if not _CHECKPOINT.fullmatch(text):
        raise ConfigError(
            "a checkpoint is SEQ:HASH", found=text, allowed="a number, a colon and 64 hex digits"
        )
    return int(seq), hash_.lower()


def _as_json(record: Record) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.json.decode(record.as_line())
    return value
