"""The stop drill against ``tidegate run`` in canary and the real signer process.

Each round types ``tidegate stop --scope global`` in a process of its own while the run trades and a second
worker, which knows no stop, asks the signer at an even pace. The signer's own journal says when it signed
last for either: the run is held by the stop on disk, the other worker by the freeze alone. An exit must
still pass.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.app.drills.canary import CanaryDrill, canary_at_work
from tidegate.app.drills.stop import AIM_MS, worst
from tidegate.ledger import DrillBody
from tidegate.model import Unavailable

_MS = 1_000_000
_WATCH_S = 1.5


@dataclass(slots=True)
class LiveStopDrill:
    """What the rounds measured, in milliseconds from the command; negative where nothing came after it."""

    rounds: int
    asked_per_s: int
    to_durable_ms: list[int] = field(default_factory=list)
    to_frozen_ms: list[int] = field(default_factory=list)
    run_to_last_ms: list[int] = field(default_factory=list)
    rogue_to_last_ms: list[int] = field(default_factory=list)
    run_signatures: int = 0
    rogue_signatures: int = 0
    exits_signed: int = 0

    @property
    def passed(self) -> bool:
        """Say whether in every round nothing was signed for anyone after the aim, and the exit was."""
        return (
            len(self.run_to_last_ms) == len(self.rogue_to_last_ms) == self.rounds
            and worst([*self.run_to_last_ms, *self.rogue_to_last_ms], 100) < AIM_MS
            and self.exits_signed == self.rounds
            and self.run_signatures >= self.rounds
            and self.rogue_signatures >= self.rounds
        )

    def figures(self) -> dict[str, int]:
        """Return the figures for the record and the screen."""
        return {
            "rounds": self.rounds,
            "asked_per_s": self.asked_per_s,
            "run_signatures": self.run_signatures,
            "rogue_signatures": self.rogue_signatures,
            "exits_signed": self.exits_signed,
            "to_durable_p99_ms": worst(self.to_durable_ms, 99),
            "to_frozen_p50_ms": worst(self.to_frozen_ms, 50),
            "to_frozen_p99_ms": worst(self.to_frozen_ms, 99),
            "run_to_last_signature_p99_ms": worst(self.run_to_last_ms, 99),
            "rogue_to_last_signature_p50_ms": worst(self.rogue_to_last_ms, 50),
            "rogue_to_last_signature_p99_ms": worst(self.rogue_to_last_ms, 99),
            "aim_ms": AIM_MS,
        }


async def drill_stop_live(*, rounds: int = 10, offered_per_s: int = 50) -> DrillBody:
    """Run the drill on a chain, a signer and a run of its own, and return its record.

    Raises
    ------
    Unavailable
        If one of them does not come up, or the command does not stop.
    """
    drill, started_ms, started = (
        LiveStopDrill(rounds, offered_per_s),
        time.time_ns() // _MS,
        time.monotonic_ns(),
    )
    steps: list[tuple[str, int]] = []

    def note(what: str) -> None:
        steps.append((what, (time.monotonic_ns() - started) // _MS))

    with TemporaryDirectory(prefix="tidegate-drill-") as folder:
        async with canary_at_work(Path(folder)) as canary:
            note("the canary signs")
            for number in range(1, rounds + 1):
                await _round(canary, drill)
                note(f"round {number}")
        run, rogue = canary.signed_at_ms()
    drill.run_signatures, drill.rogue_signatures = len(run), len(rogue)
    return DrillBody(
        drill="stop",
        world="devnet",
        passed=drill.passed,
        started_ms=started_ms,
        steps=tuple(steps),
        figures=drill.figures(),
        detail=f"tidegate run in canary, its signer asked {offered_per_s} times a second besides",
    )


async def _round(canary: CanaryDrill, drill: LiveStopDrill) -> None:
    over = asyncio.Event()
    rogue = asyncio.create_task(_ask_on(canary, drill.asked_per_s, over))
    try:
        await canary.signs_anew()
        typed_ns = time.time_ns()
        durable_ns = await _command_to_stop(canary)
        await asyncio.sleep(_WATCH_S)
    finally:
        over.set()
        await rogue
    typed_ms = typed_ns // _MS
    run, other = canary.signed_at_ms()
    drill.to_durable_ms.append((durable_ns - typed_ns) // _MS)
    drill.to_frozen_ms.append(canary.frozen_at_ms() - typed_ms)
    drill.run_to_last_ms.append(run[-1] - typed_ms)
    drill.rogue_to_last_ms.append(other[-1] - typed_ms)
    async with canary.connect() as signer:
        drill.exits_signed += await canary.ask(signer, canary.exits)
    await canary.resume()


async def _ask_on(canary: CanaryDrill, per_s: int, over: asyncio.Event) -> None:
    """Ask for signatures at an even pace until it is over, whatever the answers are."""
    start, asked = time.monotonic(), 0
    async with canary.connect() as signer:
        while not over.is_set():
            await canary.ask(signer, canary.acts)
            asked += 1
            await asyncio.sleep(max(0.0, start + asked / per_s - time.monotonic()))


async def _command_to_stop(canary: CanaryDrill) -> int:
    """Type the command; return when the order was on disk, in nanoseconds of this machine's clock."""
    stops = canary.home / "stop.d"
    before = {one.name for one in stops.iterdir()} if stops.exists() else set()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidegate", "stop", "--scope", "global"),
        *("--reason", "a drill", "--by", "the drill", "--json"),
        cwd=canary.home.parent,
        env={**os.environ, "TIDEGATE_HOME": str(canary.home), "TIDEGATE_CONFIG": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    new = [one for one in stops.iterdir() if one.name not in before]
    if process.returncode != 0 or not new:
        raise Unavailable("tidegate stop did not stop", found=(out + err).decode(errors="replace")[-300:])
    # The kernel notes when the name was given: after the content was on disk.
    return new[0].stat().st_ctime_ns
