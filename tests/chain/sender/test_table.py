"""Every row of the table, each a life on a real node in which exactly that row is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.chain.sender import scenes as play
from tests.chain.sender.ground import COUNTER, FAILS, place_of, tracked, work, world_of
from tests.chain.sender.scenes import Act, Stand

from tidegate.chain import TRANSITIONS, State, Tracked, signing
from tidegate.chain.states import Event, Transition, transition
from tidegate.ledger import Body
from tidegate.model import Address, RecordKind
from tidegate.sim import ExactWorld


class Life(NamedTuple):
    """What is done, one after the other, with a transaction that calls ``to``."""

    acts: tuple[Act, ...]
    to: Address = COUNTER
    stuck_after_blocks: int = 100


def life(*acts: Act) -> Life:
    return Life(acts)


def fails(*acts: Act) -> Life:
    return Life(acts, to=FAILS)


def sticks(*acts: Act) -> Life:
    return Life(acts, stuck_after_blocks=0)


LIVES: dict[tuple[State, Event], Life] = {
    (State.PLANNED, Event.RESERVE): life(play.sign),
    (State.RESERVED, Event.SIGN): life(play.sign),
    (State.RESERVED, Event.DENY): life(play.deny),
    (State.DENIED, Event.CANCEL): life(play.deny, play.fill),
    (State.SIGNED, Event.ACCEPT): life(play.send),
    (State.SIGNED, Event.REJECT): life(play.reject),
    (State.REJECTED, Event.CANCEL): life(play.reject, play.fill),
    (State.SIGNED, Event.NO_ANSWER): life(play.lose),
    (State.SIGNED, Event.LAND): life(play.sign, play.mined),
    (State.SIGNED, Event.REVERT): fails(play.sign, play.mined),
    (State.SIGNED, Event.CANCEL_LANDS): life(play.expire, play.stands_at(State.SIGNED), play.mined_newest),
    (State.SIGNED, Event.FOLLOW_OTHER): sticks(play.die_before_sending, play.raise_fees, play.mined),
    (State.SIGNED, Event.FOREIGN): life(play.sign, play.taken),
    (State.SIGNED, Event.RAISE): sticks(play.die_before_sending, play.raise_fees),
    (State.SIGNED, Event.EXPIRE): life(play.sign, play.late),
    (State.SENT, Event.NO_ANSWER): life(play.send, play.lost_again),
    (State.SENT, Event.LAND): life(play.send, play.mined),
    (State.SENT, Event.REVERT): fails(play.send, play.mined),
    (State.SENT, Event.CANCEL_LANDS): life(play.cancelled, play.included_elsewhere),
    (State.SENT, Event.FOLLOW_OTHER): sticks(play.send, play.raise_fees, play.mined),
    (State.SENT, Event.FOREIGN): life(play.send, play.taken),
    (State.SENT, Event.RAISE): sticks(play.send, play.raise_fees),
    (State.SENT, Event.EXPIRE): life(play.send, play.late),
    (State.AMBIGUOUS, Event.ACCEPT): life(play.lose, play.whole_wire),
    (State.AMBIGUOUS, Event.LAND): life(play.lose, play.mined),
    (State.AMBIGUOUS, Event.REVERT): fails(play.lose, play.mined),
    (State.AMBIGUOUS, Event.CANCEL_LANDS): life(
        play.expire, play.stands_at(State.AMBIGUOUS), play.mined_newest
    ),
    (State.AMBIGUOUS, Event.FOLLOW_OTHER): sticks(play.lose, play.raise_fees, play.mined),
    (State.AMBIGUOUS, Event.FOREIGN): life(play.lose, play.taken),
    (State.AMBIGUOUS, Event.RAISE): sticks(play.lose, play.raise_fees),
    (State.AMBIGUOUS, Event.EXPIRE): life(play.lose, play.late),
    (State.EXPIRING, Event.CANCEL): life(play.expire),
    (State.EXPIRING, Event.ACCEPT): life(play.expire, play.whole_wire),
    (State.EXPIRING, Event.LAND): life(play.expire, play.mined),
    (State.EXPIRING, Event.REVERT): fails(play.expire, play.mined),
    (State.EXPIRING, Event.CANCEL_LANDS): life(play.expire, play.mined_newest),
    (State.EXPIRING, Event.FOLLOW_OTHER): life(play.expire, play.mined),
    (State.EXPIRING, Event.FOREIGN): life(play.expire, play.taken),
    (State.DIVERGENT, Event.LAND): life(play.lose, play.diverge, play.by_reorg(0)),
    (State.DIVERGENT, Event.REVERT): fails(play.lose, play.diverge, play.by_reorg(0)),
    (State.DIVERGENT, Event.CANCEL_LANDS): life(play.expire, play.diverge, play.by_reorg(-1)),
    (State.DIVERGENT, Event.FOLLOW_OTHER): life(play.expire, play.diverge, play.by_reorg(0)),
    (State.LANDED, Event.CONFIRM): life(play.landed, play.blocks),
    (State.REVERTED, Event.CONFIRM): fails(play.landed, play.blocks),
    (State.CANCELLED, Event.CONFIRM): life(play.cancelled, play.blocks),
    (State.CONFIRMED, Event.FINALISE): life(play.landed, play.blocks),
    (State.LANDED, Event.WITHDRAW): life(play.landed, play.withdraw),
    (State.REVERTED, Event.WITHDRAW): fails(play.landed, play.withdraw),
    (State.CANCELLED, Event.WITHDRAW): life(play.cancelled, play.withdraw),
    (State.CONFIRMED, Event.WITHDRAW): life(play.confirmed, play.withdraw),
}


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of() as world:
        world.mine(10)
        yield world


def test_each_row_of_the_table_has_its_life_and_no_other_does() -> None:
    assert set(LIVES) == {(row.state, row.event) for row in TRANSITIONS}


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.state.name}-{row.event.name}".lower())
def test_the_row_is_taken_on_a_real_node_and_written_as_it_says(
    row: Transition, node: ExactWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[State, Event]] = set()
    folded: set[tuple[State, RecordKind, State]] = set()
    take = Tracked.take

    def noted(state: State, event: Event) -> Transition:
        found = transition(state, event)
        seen.add((state, event))
        return found

    def taken(one: Tracked, kind: RecordKind, body: Body | None) -> None:
        before = one.state
        take(one, kind, body)
        folded.add((before, kind, one.state))

    async def lived(wanted: Life) -> list[str]:
        async with place_of(node, tmp_path, confirmations=3, reorg_max_blocks=5) as place:
            deadline_s = node.block().timestamp + 1_000
            one = tracked(work(to=wanted.to, deadline_s=deadline_s))
            sender = place.sender(stuck_after_blocks=wanted.stuck_after_blocks)
            stand = Stand(place, sender, one, seen)
            for act in wanted.acts:
                await act(stand)
            return place.kinds()

    monkeypatch.setattr(signing, "transition", noted)
    monkeypatch.setattr(Tracked, "take", taken)
    with node.snapshot():
        kinds = asyncio.run(lived(LIVES[row.state, row.event]))
    node.forget_all()
    assert (row.state, row.event) in seen
    assert (row.state, row.record, row.next) in folded, "the record says the same as the table"
    assert row.record.value in [*kinds, "outcome"], "the street writes the outcome"
