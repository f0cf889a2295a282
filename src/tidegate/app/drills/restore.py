"""The restore drill: a backup of a ledger that is being written to, put elsewhere, verified and stopped."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.app.drills.light import DESK, Light, light_street
from tidegate.ledger import LEDGER, DrillBody, Journal, JournalReader, back_up, restore
from tidegate.model import Operation, SystemClock
from tidegate.risk import Place, StopBook, StopFolder, StopOrder

AIM_MS = 600_000
_MS = 1_000_000
_AT_ONCE = 8


async def drill_restore(*, intents: int = 60) -> DrillBody:
    """Walk so many intents, back up in the middle of them, restore elsewhere, and compare head and stop.

    Raises
    ------
    Unavailable
        If the world can not be started, or a copy can not be written.
    """
    started_ms, started = time.time_ns() // _MS, time.monotonic_ns()
    steps: list[tuple[str, int]] = []

    def note(what: str) -> int:
        steps.append((what, (time.monotonic_ns() - started) // _MS))
        return steps[-1][1]

    clock = SystemClock()
    with TemporaryDirectory(prefix="tidegate-drill-") as folder:
        home, backup, elsewhere = Path(folder) / "home", Path(folder) / "backup", Path(folder) / "elsewhere"
        home.mkdir()
        async with light_street(home) as light:
            load = asyncio.create_task(_load(light, intents))
            await asyncio.sleep(0.2)
            began = note("backing up beside the writer")
            manifest = await asyncio.to_thread(back_up, home / LEDGER, backup, clock=clock)
            backed_up = note("backed up")
            await load
        restoring = note("the house is lost")
        done = restore(backup, elsewhere, clock=clock, stop=lambda place: _stop(place, clock.now_ms()))
        restored = note("restored")
        with JournalReader.open(elsewhere / LEDGER) as reader:
            head, report = reader.head(), reader.verify()
        with Journal.open(elsewhere / LEDGER, clock=clock) as journal:
            book = StopBook.open(elsewhere, clock=clock, journal=journal)
            is_stopped = book.blocking(Place(DESK, light.chain_id), Operation.OPEN) is not None
        ready = note("verified, and stopped")
    is_equal = head == (manifest.seq, manifest.hash) and done.seq == manifest.seq == report.head_seq
    return DrillBody(
        drill="restore",
        world="devnet",
        passed=is_equal and is_stopped and ready - restoring <= AIM_MS,
        started_ms=started_ms,
        steps=tuple(steps),
        figures={
            "records": manifest.seq,
            "head_equal": int(is_equal),
            "starts_stopped": int(is_stopped),
            "backup_ms": backed_up - began,
            "restore_ms": restored - restoring,
            "restore_and_verify_ms": ready - restoring,
            "aim_ms": AIM_MS,
        },
    )


async def _load(light: Light, intents: int) -> None:
    for _ in range(-(-intents // _AT_ONCE)):
        await asyncio.gather(*(light.street.submit(light.intent()) for _ in range(_AT_ONCE)))
        await light.street.follow()


def _stop(home: Path, at_ms: int) -> str:
    order = StopOrder(scope="global", reason="restored by a drill", who=("the drill",), at_ms=at_ms)
    return StopFolder(home).write_stop(order)
