"""Write down how an executor stands, and every event of its administration that is new.

The inputs of alerts: an event, or a change that waits, which no plan file of ours announced. The newest
state in the journal says how far the events were taken; a chain that was reorganised is taken anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tidegate.app.deploying.announced import act_id
from tidegate.app.deploying.reading import Reading
from tidegate.chain import hex_data
from tidegate.ledger import (
    AdministrationBody,
    Body,
    ExecutorStateBody,
    JournalReader,
    ScheduledChange,
)
from tidegate.model import Address, Metric, Recorder, digest
from tidegate.venues.executor import AdminEvent, change_text

SNAPSHOT_S = 86_400
"""A state that has not changed is written anew after a day."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is to be written: the new events, then the state; nothing if all is as it was."""

    events: tuple[AdministrationBody, ...]
    state: ExecutorStateBody
    is_new: bool

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Return the records in their order."""
        return (*self.events, self.state) if self.is_new else ()

    @property
    def unannounced(self) -> tuple[AdministrationBody, ...]:
        """Return the new events that nobody announced."""
        return tuple(event for event in self.events if not event.announced)


def observe(
    reading: Reading,
    journal: JournalReader | None,
    *,
    chain_id: int,
    announced: Collection[bytes],
    now_ms: int,
) -> Observed:
    """Return what is new of an executor against the journal's newest state of it.

    Parameters
    ----------
    announced
        Ids of the changes and acts that were announced.
    """
    state = _state(reading, chain_id, announced)
    standing = [] if journal is None else journal.standing(ExecutorStateBody.TOPIC)
    newest = next((one for one in standing if one.name == state.names[0]), None)
    if newest is None:
        return Observed(_events(reading, 0, chain_id, announced), state, is_new=True)
    before = ExecutorStateBody.from_body(newest.body)
    taken = before.events if _digest(reading.history.events[: before.events]) == before.events_digest else 0
    events = _events(reading, taken, chain_id, announced)
    same = _timeless(before) == _timeless(state)
    is_due = now_ms - newest.at_ms >= SNAPSHOT_S * 1000
    return Observed(events, state, is_new=bool(events) or not same or is_due)


def measure(reading: Reading, observed: Observed, chain: str, recorder: Recorder) -> None:
    """Set the metrics of an executor, and count its new events."""
    labels = {"chain": chain, "executor": reading.name}
    recorder.set(Metric.EXECUTOR_POLICY_ENTRIES, len(reading.state.entries), **labels)
    recorder.set(Metric.EXECUTOR_PAUSED, int(reading.state.is_paused), **labels)
    for known in (True, False):
        waiting = sum(one.announced is known for one in observed.state.scheduled)
        recorder.set(Metric.EXECUTOR_SCHEDULED, waiting, **labels, announced=_yes(known))
    for event in observed.events:
        recorder.count(
            Metric.EXECUTOR_ADMINISTRATION, 1, **labels, what=event.what, announced=_yes(event.announced)
        )


def _state(reading: Reading, chain_id: int, announced: Collection[bytes]) -> ExecutorStateBody:
    state = reading.state
    return ExecutorStateBody(
        chain_id=chain_id,
        executor=state.executor,
        name=reading.name,
        owner=state.owner,
        pending_owner=state.pending_owner,
        treasury=state.treasury,
        delay_s=state.delay_s,
        is_paused=state.is_paused,
        code_hash=reading.code_hash,
        entries=tuple((int(one.kind), hex_data(one.key), hex(one.word)) for one in state.entries),
        scheduled=tuple(
            ScheduledChange(
                id=hex_data(one.change.id),
                text=change_text(one.change),
                eta_s=one.eta_s,
                lapses_at_s=one.lapses_at_s,
                announced=one.change.id in announced,
            )
            for one in state.scheduled
        ),
        differences=reading.differences,
        at_block=reading.at_block,
        events=len(reading.history.events),
        events_digest=_digest(reading.history.events),
    )


def _events(
    reading: Reading, taken: int, chain_id: int, announced: Collection[bytes]
) -> tuple[AdministrationBody, ...]:
    """Return the events after the first ``taken``. What the constructor did was ordered by its deployment."""
    events = reading.history.events
    created = next((place + 1 for place, one in enumerate(events) if one.what == "ownership taken"), 0)
    ids = _ids(reading.state.executor, events)
    return tuple(
        AdministrationBody(
            chain_id=chain_id,
            executor=reading.state.executor,
            name=reading.name,
            what=event.what,
            detail=_detail(event),
            announced=place < created or ids[place] in announced,
            at_block=reading.at_block,
        )
        for place, event in enumerate(events)
        if place >= taken
    )


def _ids(executor: Address, events: Sequence[AdminEvent]) -> list[bytes]:
    """Return what each event is announced by: its change, or which time it is that somebody did this."""
    times: Counter[tuple[str, Address]] = Counter()
    ids = []
    for event in events:
        times[event.what, event.who] += 1
        ordinal = times[event.what, event.who]
        ids.append(
            act_id(executor, event.what, event.who, ordinal) if event.change is None else event.change.id
        )
    return ids


def _detail(event: AdminEvent) -> str:
    return event.who if event.change is None else change_text(event.change)


def _digest(events: Sequence[AdminEvent]) -> str:
    return digest([[one.what, _detail(one)] for one in events])


def _timeless(body: ExecutorStateBody) -> dict[str, object]:
    return {key: value for key, value in body.to_body().items() if key != "at_block"}


def _yes(value: bool) -> str:
    return "yes" if value else "no"
