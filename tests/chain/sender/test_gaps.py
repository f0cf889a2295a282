"""A nonce that nothing uses, below one that waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.chain.sender.ground import Place, count_of, place_of, sent, tracked, work, world_of

from tidegate.chain import Sender, State, Tracked
from tidegate.ledger import OutcomeBody
from tidegate.model import Denied, Operation, OutcomeKind, Reason, RecordKind, Unavailable


async def lost(place: Place, sender: Sender) -> Tracked:
    """Return a transaction whose signer did not answer, and whose intent was denied for it."""
    place.key.answers = [Unavailable("the socket is gone")]
    one = tracked(work("lost"))
    with pytest.raises(Unavailable):
        await sender.sign(one)
    one.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.DENIED))
    sender.ended(one)
    return one


def test_a_policy_that_asks_halts_the_key_and_cancels_nothing(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(gap_policy="ask")
        gap = await lost(place, sender)
        above = await sent(sender, tracked(work()))
        await sender.follow([gap, above])
        assert gap.versions == []
        (halt,) = place.bodies(RecordKind.HALT)
        assert "nothing uses nonce 0" in str(halt["detail"])
        with pytest.raises(Denied) as caught:
            await sender.sign(tracked(work("two")))
        assert caught.value.reason is Reason.HALTED
        assert len(place.bodies(RecordKind.HALT)) == 1, "halted once"

    with world_of() as world:
        asyncio.run(_on(world, tmp_path, scene))


def test_a_signer_that_remembers_other_bytes_under_a_nonce_gets_a_cancel_for_it(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.key.answers = [Denied(Reason.NONCE_REUSED, "signed before with other content")]
        one = tracked(work("one"))
        with pytest.raises(Denied):
            await sender.sign(one)
        one.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.DENIED))
        assert sender.ended(one), "its nonce is to be used up"
        two = await sent(sender, tracked(work("two")))
        assert two.nonce == 1
        await sender.follow([one, two])
        place.world.mine()
        await sender.follow([one, two])
        assert (one.state, two.state, count_of(place.world)) == (State.CANCELLED, State.LANDED, 1)

    with world_of() as world:
        asyncio.run(_on(world, tmp_path, scene))


def test_a_stop_of_two_people_keeps_even_a_cancel_from_being_signed(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        gap = await lost(place, sender)
        stop = Denied(Reason.STOPPED, "nothing moves")
        gap.refusal = lambda operation: stop if operation is Operation.CANCEL else None
        assert await sender.follow([gap]) == []
        assert gap.versions == []
        gap.refusal = lambda _: None
        await sender.follow([gap])
        assert gap.newest.is_cancel

    with world_of() as world:
        asyncio.run(_on(world, tmp_path, scene))


async def _on(world: object, folder: Path, scene: object) -> None:
    async with place_of(world, folder) as place:  # type: ignore[arg-type]
        await scene(place)  # type: ignore[operator]
