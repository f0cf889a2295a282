"""How a street writes: each record in its own name, under its intent, and noted in its run."""

from __future__ import annotations

from tidegate.ledger import Body, BookingBody, IntentBody, Journal, Record
from tidegate.model import Stage
from tidegate.pipeline.run import Run


class Pen:
    """Writes the records of one street's runs."""

    def __init__(self, journal: Journal, *, desk: str, stage: Stage) -> None:
        self._journal = journal
        self._actor = f"street:{desk}"
        self._stage = stage

    def write(self, run: Run, body: Body) -> Record:
        """Write a record before the next step; it is durable when the kind of record demands it."""
        record = self._journal.append(body.KIND, body, actor=self._actor, correlation_id=run.intent.id)
        run.written.add(body.KIND)
        if isinstance(body, BookingBody):
            run.booked_at_ms = record.at_ms
        return record

    async def write_and_wait(self, run: Run, body: Body) -> Record:
        """Write what must be on disk before the next step, and let other intents walk meanwhile."""
        record = await self._journal.append_and_wait(
            body.KIND, body, actor=self._actor, correlation_id=run.intent.id
        )
        run.written.add(body.KIND)
        return record

    async def note(self, run: Run) -> None:
        """Write that the intent was accepted: from then on it counts, whatever happens to the process."""
        body = IntentBody(intent=run.intent, stage=self._stage)
        run.accepted_at_ms = (await self.write_and_wait(run, body)).at_ms
