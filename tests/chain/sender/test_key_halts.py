"""A key that is halted: what goes on, who lifts it, and what every later start knows of that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.chain.sender.ground import GWEI, Place, count_of, key_of, place_of, sent, tracked, work, world_of
from tests.chain.sender.test_gaps import lost

from tidegate.chain import Fees, State
from tidegate.model import Address, Denied, Divergence, Operation, Reason, RecordKind, Unavailable
from tidegate.sim import ExactWorld

Scene = Callable[[Place], Awaitable[None]]


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of() as world:
        yield world


@pytest.fixture
def play(node: ExactWorld, tmp_path: Path) -> Iterator[Callable[[Scene], None]]:
    async def main(scene: Scene) -> None:
        async with place_of(node, tmp_path) as place:
            await scene(place)

    with node.snapshot():
        yield lambda scene: asyncio.run(main(scene))
    node.forget_all()


def they_send(place: Place, nonce: int) -> None:
    """Let somebody else who holds the key use a nonce; it waits for a block."""
    theirs = work(f"theirs {nonce}")
    unsigned = theirs.unsigned(nonce, Fees(2 * GWEI, GWEI), is_legacy=False)
    signed = key_of().sign_now(unsigned, intent_id="theirs", plan_digest=theirs.plan_digest)
    place.world.send_raw(signed.raw)


async def halted_at_start(place: Place) -> None:
    """Let a start find a transaction that the ledger does not know."""
    they_send(place, 0)
    with pytest.raises(Divergence):
        await place.sender().start()


def halts(place: Place) -> list[tuple[object, object]]:
    return [(body["lifted"], body["explained_below"]) for body in place.bodies(RecordKind.HALT)]


@pytest.mark.parametrize("mined", [False, True])
def test_a_restart_after_the_lift_does_not_halt_the_key_for_what_a_person_has_explained(
    play: Callable[[Scene], None], mined: bool
) -> None:
    async def scene(place: Place) -> None:
        await halted_at_start(place)
        sender = place.sender()
        await sender.start()
        await sender.lift(who="ada", why="it was our own tool")
        if mined:
            place.world.mine()
        for _ in range(2):  # no reservation in between: the ledger knows no nonce of ours
            again = place.sender()
            await again.start()
            assert again.halt is None
        assert halts(place) == [(False, 0), (True, 1)], "it is in the record, not in a memory"
        one = await sent(again, tracked(work()))
        assert one.nonce == 1

    play(scene)


def test_what_comes_after_the_explained_nonce_halts_the_key_again(play: Callable[[Scene], None]) -> None:
    async def scene(place: Place) -> None:
        await halted_at_start(place)
        sender = place.sender()
        await sender.start()
        await sender.lift(who="ada", why="it was our own tool")
        they_send(place, 1)
        with pytest.raises(Divergence) as caught:
            await place.sender().start()
        assert caught.value.code == "unknown_nonce"
        assert halts(place) == [(False, 0), (True, 1), (False, 0)]

    play(scene)


def test_a_halt_at_a_start_keeps_nothing_from_being_followed_and_no_exit_from_going(
    play: Callable[[Scene], None],
) -> None:
    async def scene(place: Place) -> None:
        one = await sent(place.sender(), tracked(work()))
        they_send(place, 1)
        again = place.sender()
        with pytest.raises(Divergence):
            await again.start([one])
        with pytest.raises(Denied) as caught:
            await again.sign(tracked(work("two")))
        assert caught.value.reason is Reason.HALTED
        out = await sent(again, tracked(work("out", operation=Operation.CLOSE)))
        assert out.nonce == 2, "above what waits already"
        await again.follow([one, out])
        place.world.mine()
        await again.follow([one, out])
        assert (one.state, out.state) == (State.LANDED, State.LANDED)

    play(scene)


def test_who_lifts_a_halt_for_an_empty_nonce_has_it_cancelled_also_after_a_restart(
    play: Callable[[Scene], None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(gap_policy="ask")
        gap = await lost(place, sender)
        above = await sent(sender, tracked(work()))
        await sender.follow([gap, above])
        assert gap.versions == [], "a person is asked"
        await sender.lift(who="ada", why="the signer was restarted")
        again = place.sender(gap_policy="ask")
        await again.start([gap, above])
        await again.follow([gap, above])
        assert gap.newest.is_cancel
        place.world.mine()
        await again.follow([gap, above])
        assert (gap.state, above.state, count_of(place.world)) == (State.CANCELLED, State.LANDED, 1)
        assert [lifted for lifted, _ in halts(place)] == [False, True]

    play(scene)


def test_a_word_that_comes_before_ledger_and_chain_were_compared_waits(
    play: Callable[[Scene], None],
) -> None:
    async def scene(place: Place) -> None:
        await halted_at_start(place)
        early = place.sender()
        with pytest.raises(Unavailable):
            await early.lift(who="ada", why="too early to know")
        await early.start()
        assert early.halt is not None, "it is not lost, and lifts nothing yet"
        await early.lift(who="ada", why="it was our own tool")
        assert early.halt is None

    play(scene)


def test_without_an_answer_of_the_chain_a_halt_stays_in_force(play: Callable[[Scene], None]) -> None:
    async def scene(place: Place) -> None:
        await halted_at_start(place)
        sender = place.sender()
        await sender.start()
        real = place.chain.nonce

        async def silent(account: Address, block: object = "latest") -> int:
            raise Unavailable("no endpoint answers")

        place.chain.nonce = silent  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await sender.lift(who="ada", why="it was our own tool")
        assert sender.halt is not None
        assert halts(place) == [(False, 0)]
        place.chain.nonce = real  # type: ignore[method-assign]

    play(scene)


def test_a_chain_that_began_anew_takes_no_word_about_the_one_before(play: Callable[[Scene], None]) -> None:
    async def scene(place: Place) -> None:
        await halted_at_start(place)
        sender = place.sender()
        await sender.start()
        await sender.lift(who="ada", why="it was our own tool")
        place.world.forget(next(iter(place.world.waiting(key_of().address))))
        they_send(place, 0)
        anew = place.sender()
        anew.expect_new_world()
        with pytest.raises(Divergence):
            await anew.start()

    play(scene)
