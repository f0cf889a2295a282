"""The stop drill: how long from the command ``tidegate stop`` to the last signature, under load.

Each round loads a street with intents at an even pace, types the command in a process of its own, and
watches the signer. Intents stand at every step when the stop comes; what was sent is followed, and an exit
must still pass.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.app.drills.light import DESK, Light, light_street
from tidegate.ledger import DrillBody
from tidegate.model import Operation, OutcomeKind, TidegateError, Unavailable
from tidegate.risk import ResumeNote

AIM_MS = 1_000
_MS = 1_000_000
_WARM_UP_S = 0.6
_WATCH_S = 1.2
_FOLLOW_EVERY_S = 0.05
_SETTLE_S = 10.0


@dataclass(slots=True)
class StopDrill:
    """What the rounds measured, in milliseconds from the command; negative where nothing came after it."""

    rounds: int
    offered_per_s: int
    to_durable_ms: list[int] = field(default_factory=list)
    to_last_signature_ms: list[int] = field(default_factory=list)
    after_durable_ms: list[int] = field(default_factory=list)
    signatures: int = 0
    denied: int = 0
    exits_landed: int = 0

    @property
    def passed(self) -> bool:
        """Say whether every round stopped in time, under load, and let its exit pass."""
        return (
            len(self.to_last_signature_ms) == self.rounds
            and worst(self.to_last_signature_ms, 99) < AIM_MS
            and self.exits_landed == self.rounds
            and self.signatures > 0
            and self.denied > 0
        )

    def figures(self) -> dict[str, int]:
        """Return the figures for the record and the screen."""
        return {
            "rounds": self.rounds,
            "offered_per_s": self.offered_per_s,
            "signatures": self.signatures,
            "denied": self.denied,
            "exits_landed": self.exits_landed,
            "to_durable_p50_ms": worst(self.to_durable_ms, 50),
            "to_durable_p99_ms": worst(self.to_durable_ms, 99),
            "to_last_signature_p50_ms": worst(self.to_last_signature_ms, 50),
            "to_last_signature_p99_ms": worst(self.to_last_signature_ms, 99),
            "durable_to_last_signature_p99_ms": worst(self.after_durable_ms, 99),
            "aim_ms": AIM_MS,
        }


async def drill_stop(*, rounds: int = 10, offered_per_s: int = 50) -> DrillBody:
    """Run the drill on a devnet of its own and return its record.

    Raises
    ------
    Unavailable
        If the world can not be started, or the command does not stop.
    """
    drill, started_ms, started = StopDrill(rounds, offered_per_s), time.time_ns() // _MS, time.monotonic_ns()
    steps: list[tuple[str, int]] = []
    with TemporaryDirectory(prefix="tidegate-drill-") as folder:
        async with light_street(Path(folder)) as light:
            steps.append(("the street stands", _since_ms(started)))
            for number in range(1, rounds + 1):
                await _round(light, drill)
                steps.append((f"round {number}", _since_ms(started)))
    return DrillBody(
        drill="stop",
        world="devnet",
        passed=drill.passed,
        started_ms=started_ms,
        steps=tuple(steps),
        figures=drill.figures(),
        detail=f"desk:{DESK} at {offered_per_s} intents a second, {rounds} commands",
    )


def worst(values: list[int], percent: int) -> int:
    """Return the value that ``percent`` of the values do not exceed; the worst of few."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)] if ordered else -1


async def _round(light: Light, drill: StopDrill) -> None:
    over = asyncio.Event()
    load = asyncio.create_task(_load(light, drill, over))
    follower = asyncio.create_task(_follow(light, over))
    try:
        await asyncio.sleep(_WARM_UP_S)
        command_ns = time.monotonic_ns()
        durable_ns = command_ns + await _command_to_stop(light)
        await asyncio.sleep(_WATCH_S)
        signed_ns = max((at for at, _ in light.signer.signed), default=0)
        drill.signatures = len(light.signer.signed)
        drill.to_durable_ms.append((durable_ns - command_ns) // _MS)
        drill.to_last_signature_ms.append((signed_ns - command_ns) // _MS)
        drill.after_durable_ms.append((signed_ns - durable_ns) // _MS)
        drill.exits_landed += await _exit_lands(light)
    finally:
        over.set()
        await asyncio.gather(load, follower)
    _resume(light)


async def _load(light: Light, drill: StopDrill, over: asyncio.Event) -> None:
    """Offer intents at an even pace until it is over, whether or not the earlier ones have ended."""
    walking: set[asyncio.Task[None]] = set()
    start, offered = time.monotonic(), 0
    while not over.is_set():
        walking = {task for task in walking if not task.done()}
        walking.add(asyncio.create_task(_walk(light, drill)))
        offered += 1
        await asyncio.sleep(max(0.0, start + offered / drill.offered_per_s - time.monotonic()))
    await asyncio.gather(*walking)


async def _walk(light: Light, drill: StopDrill) -> None:
    outcome = await light.street.submit(light.intent())
    drill.denied += outcome is not None and outcome.kind is OutcomeKind.DENIED


async def _follow(light: Light, over: asyncio.Event) -> None:
    while not over.is_set():
        await light.street.follow()
        await asyncio.sleep(_FOLLOW_EVERY_S)


async def _command_to_stop(light: Light) -> int:
    """Type the command; return how long it took until the order was on disk, in nanoseconds."""
    before, typed_ns = _names(light), time.time_ns()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidegate", "stop", "--scope", f"desk:{DESK}"),
        *("--reason", "a drill", "--by", "the drill", "--json"),
        env={**os.environ, "TIDEGATE_HOME": str(light.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    new = _names(light) - before
    if process.returncode != 0 or not new:
        raise Unavailable("tidegate stop did not stop", found=(out + err).decode(errors="replace")[-300:])
    # The kernel notes when the name was given: after the content was on disk.
    return (light.stops.folder.stops / new.pop()).stat().st_ctime_ns - typed_ns


def _names(light: Light) -> set[str]:
    return {dropped.name for dropped in light.stops.folder.listing()}


async def _exit_lands(light: Light) -> bool:
    intent = light.intent(Operation.CLOSE)
    try:
        outcome = await light.street.submit(intent)
    except TidegateError:
        return False
    deadline = time.monotonic() + _SETTLE_S
    while outcome is None and time.monotonic() < deadline:
        await asyncio.sleep(_FOLLOW_EVERY_S)
        ended = light.journal.attempts(intent_id=intent.id)
        if ended and ended[0].outcome is not None:
            return ended[0].outcome is OutcomeKind.LANDED
    return False


def _resume(light: Light) -> None:
    for stop in light.stops.in_force():
        note = ResumeNote(
            scope=str(stop.scope),
            who="the drill",
            reason="the round is over",
            evidence="the drill's record",
            at_ms=time.time_ns() // _MS,
            stop_id=stop.id,
        )
        light.stops.folder.write_note(note)
    light.stops.refresh()


def _since_ms(started_ns: int) -> int:
    return (time.monotonic_ns() - started_ns) // _MS
