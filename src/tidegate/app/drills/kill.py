"""The kill drill: a worker is killed by SIGKILL at random records, over and over; nothing doubles or is lost.

Every record of the journal is a hook point: the worker dies right before or right after one of them is
written. The chain then says what was done: each intent's bytes stand in exactly one block, or its outcome
says that they do not.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tidegate.app.devnet import Devnet, start_devnet
from tidegate.app.drills.light import light_street_on
from tidegate.chain import Connection, quantity
from tidegate.ledger import LEDGER, Body, DrillBody, Journal, JournalReader, Record
from tidegate.model import OutcomeKind, RecordKind, SystemClock, Unavailable
from tidegate.pipeline import recover

INTENTS = 3
_RECORDS_MAX = 45
_KILLS_MAX = 3
_MS = 1_000_000
_SETTLE_S = 20.0
_FOLLOW_EVERY_S = 0.02


class MortalJournal(Journal):
    """A journal whose process dies right before or right after its n-th record; 0 is never."""

    dies_at = 0
    dies_after = False
    written = 0

    def append(self, kind: RecordKind, body: Body | Mapping[str, Any], **named: Any) -> Record:
        """Append a record, or die."""
        is_last = self._is_last()
        record = super().append(kind, body, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    async def append_and_wait(self, kind: RecordKind, body: Body | Mapping[str, Any], **named: Any) -> Record:
        """Append a record and wait for the disk, or die."""
        is_last = self._is_last()
        record = await super().append_and_wait(kind, body, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    def _is_last(self) -> bool:
        """Count a record, and die if it is the one before which this process does."""
        self.written += 1
        is_here = self.written == self.dies_at
        if is_here and not self.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return is_here


def drill_kill(*, schedules: int = 20, seed: int = 7) -> DrillBody:
    """Play so many schedules: up to three kills each, then a life that is let alone.

    Raises
    ------
    Unavailable
        If the world can not be started, or a worker fails by itself.
    """
    world, devnet = start_devnet()
    started_ms, started = time.time_ns() // _MS, time.monotonic_ns()
    chance, kills = random.Random(seed), 0  # noqa: S311 - a schedule, not a secret
    names: list[str] = []
    slowest_ms = 0
    with world, TemporaryDirectory(prefix="tidegate-drill-") as folder:
        home = Path(folder)
        for schedule in range(schedules):
            mine = [f"kill {schedule} {number}" for number in range(INTENTS)]
            names += mine
            for _ in range(chance.randint(1, _KILLS_MAX)):
                where = (chance.randint(1, _RECORDS_MAX), chance.random() < 0.5)
                kills += _life(world.url, devnet, home, mine, *where)
            began = time.monotonic_ns()
            _life(world.url, devnet, home, mine, 0, False)
            slowest_ms = max(slowest_ms, (time.monotonic_ns() - began) // _MS)
        found = executed(world.url)
        lost, doubled = _judge(home / LEDGER, names, found)
    return DrillBody(
        drill="kill",
        world="devnet",
        passed=not lost and not doubled and kills > 0 and bool(found),
        started_ms=started_ms,
        steps=((f"{schedules} schedules", (time.monotonic_ns() - started) // _MS),),
        figures={
            "schedules": schedules,
            "kills": kills,
            "intents": len(names),
            "landed": len(found),
            "lost": len(lost),
            "doubled": len(doubled),
            "slowest_recovery_ms": slowest_ms,
        },
        detail="; ".join([*lost, *doubled][:5]),
    )


def executed(url: str) -> Counter[str]:
    """Return how often each intent's bytes stand in the chain."""
    node = Connection(url, name="drill")
    newest = int(node.request("eth_blockNumber"), 16)
    found: Counter[str] = Counter()
    for number in range(newest + 1):
        block = node.request("eth_getBlockByNumber", quantity(number), True)
        for transaction in block["transactions"]:
            data = bytes.fromhex(transaction["input"][2:])
            if data.startswith(b"kill "):
                found[data.decode()] += 1
    return found


def _judge(ledger: Path, names: list[str], found: Counter[str]) -> tuple[list[str], list[str]]:
    """Return the intents whose outcome is not what the chain says, and those that stand in it twice."""
    with JournalReader.open(ledger) as reader:
        reader.verify()
        outcomes = {attempt.intent_id: attempt.outcome for attempt in reader.attempts()}
    lost = [
        f"{name}: {outcomes.get(name)}, {found[name]} in the chain"
        for name in names
        if outcomes.get(name) is None or (outcomes[name] is OutcomeKind.LANDED) is not (found[name] == 1)
    ]
    return lost, [name for name in names if found[name] > 1]


def _life(url: str, devnet: Devnet, home: Path, names: list[str], dies_at: int, dies_after: bool) -> bool:
    """Live one life of the worker in a process of its own; say whether it was killed."""

    def work() -> None:
        asyncio.run(_live(url, devnet, home, names, dies_at, dies_after))

    status = _in_a_process(work)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status != 0:
        raise Unavailable("the worker failed by itself", found=f"status {status}, intents {names}")
    return False


async def _live(
    url: str, devnet: Devnet, home: Path, names: list[str], dies_at: int, dies_after: bool
) -> None:
    with MortalJournal.open(home / LEDGER, clock=SystemClock()) as journal:
        if isinstance(journal, MortalJournal):
            journal.dies_at, journal.dies_after = dies_at, dies_after
        async with light_street_on(url, devnet, home, journal) as light:
            await recover(light.street, journal, now_ms=SystemClock().now_ms())
            await asyncio.gather(*(light.street.submit(light.intent(name=name)) for name in names))
            async with asyncio.timeout(_SETTLE_S):
                while light.street.open_runs:
                    await light.street.follow()
                    await asyncio.sleep(_FOLLOW_EVERY_S)


def _in_a_process(work: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the child must never come back into the drill
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitpid(process, 0)[1]
