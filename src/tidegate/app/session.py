"""The atomic desk at work on one chain in one stage: it looks, decides, walks the street, follows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable

from tidegate.desks.atomic import (
    Assignment,
    AtomicDesk,
    DeskConfig,
    Event,
    Look,
    Situation,
    decision_body,
)
from tidegate.ledger import Journal
from tidegate.model import Address, Block, Clock, Intent, ManualClock, Outcome, Plan, RecordKind, digest
from tidegate.pipeline import ChainPort, Rehearsal, Street, drop_orphans, recover
from tidegate.risk import RunLimits

_LOOK_AGAIN_S = 0.02
_DECISIONS_RECALLED = 2_000
"""A desk journals a decision for each strategy at each block: these reach back for all that it can run."""


class Session:
    """The atomic desk at work: looks, decides, walks the street, follows what it sent."""

    def __init__(
        self,
        *,
        desk: AtomicDesk,
        street: Street,
        journal: Journal,
        clock: Clock,
        chain: ChainPort,
        operator: Address,
    ) -> None:
        self._operator = operator
        self.desk, self.street, self.journal = desk, street, journal
        self._clock, self._chain = clock, chain
        self._last: dict[str, tuple[int, int]] = {}

    async def tick(self) -> None:
        """Set a manual clock to the newest block's time; what is journaled until the next one bears it."""
        if isinstance(self._clock, ManualClock):
            head = await self._chain.block()
            self._clock.set_ms(max(self._clock.now_ms(), head.timestamp * 1000))

    def look(self, subject: str, event: Event) -> Look:
        """Look at the newest block for one strategy, decide, and journal the decision."""
        opened = sum(run.intent.subject == subject for run in self.street.open_runs)
        block, at_s = self._last.get(subject, (None, None))
        look = self.desk.look(subject, event, Situation(opened, block, at_s))
        body = decision_body(look.inputs, look.config, look.decision)
        self.journal.append(RecordKind.DECISION, body, actor=f"desk:{self.desk.name}")
        self.remember(look.inputs.block_number, look.inputs.block_timestamp_s, look.decision.intent)
        return look

    def remember(self, block: int, at_s: int, intent: Intent | None) -> None:
        """Note when a strategy last acted: its cooldown begins there."""
        if intent is not None:
            self._last[intent.subject] = (block, at_s)

    async def act(self, intent: Intent) -> Outcome | None:
        """Walk an intent down the street as far as sending."""
        return await self.street.submit(intent)

    def by_hand(self) -> Event:
        """Return a new event that says: a person asked for this run."""
        return Event(id=f"by hand {secrets.token_hex(16)}", kind="manual")

    async def rehearse(self, plan: Plan) -> Rehearsal:
        """Run a plan's own bytes and its probe on the newest block, sending nothing."""
        probe_data = self.desk.reader.probe_data(plan)
        return await self._chain.simulate(plan, sender=self._operator, probe_data=probe_data)

    async def recover(self) -> int:
        """Go on with what an earlier process left open; return how many runs that were."""
        for record in self.journal.records(kind=RecordKind.PLAN):
            self.desk.recall(record.body["notes"])
        for record in self.journal.last_records(_DECISIONS_RECALLED, RecordKind.DECISION):
            if record.body["desk"] == self.desk.name:
                self.desk.remember(record.body)
        return len(await recover(self.street, self.journal, now_ms=self._clock.now_ms()))

    async def settled(self, intent_id: str) -> Outcome:
        """Follow until the intent has its outcome.

        Raises
        ------
        Unavailable
            If the node stops answering; the run stays open in the journal.
        """
        while True:
            for outcome in await self.street.follow():
                if outcome.intent_id == intent_id:
                    return outcome
            await self._chain.block()  # a node that is gone is noticed here
            await asyncio.sleep(_LOOK_AGAIN_S)

    def drop_orphans(self) -> int:
        """End what an earlier process left open on a node that is gone; return how many runs that were."""
        return len(drop_orphans(self.street, self.journal, now_ms=self._clock.now_ms()))


def block_event(block: Block, *, world: str = "") -> Event:
    """Return the event that says: this block came. A block of another history is another event.

    ``world`` names a world of ours, which begins anew and has one history: there the number says it all.
    """
    known = f"{world} block {block.number}" if world else f"block {block.number} 0x{block.hash.hex()}"
    return Event(id=known, kind="block")


def run_limits(desk: AtomicDesk, assignments: Iterable[Assignment]) -> dict[str, RunLimits]:
    """Return what each strategy's file allows it, by its name."""
    return {one.strategy.name: _limits(one, desk.config(one.strategy.name)) for one in assignments}


def blinds_hashes(assignments: Iterable[Assignment], salt: str) -> dict[str, str]:
    """Return the salted hash of each strategy's blinds by its name: the journal does not give them away."""
    return {one.strategy.name: _blinds_hash(one, salt) for one in assignments}


def _limits(assignment: Assignment, config: DeskConfig) -> RunLimits:
    limits = assignment.strategy.limits
    return RunLimits(
        max_runs_per_hour=limits.max_runs_per_hour,
        max_in_flight=config.max_in_flight,
        max_loss_per_day_usd_e6=limits.max_loss_per_day_usd_e6,
    )


def _blinds_hash(assignment: Assignment, salt: str) -> str:
    given = {name: str(value) for name, value in sorted(assignment.blinds.items())}
    return digest({"salt": salt, "blinds": given})
