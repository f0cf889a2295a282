"""How a transaction comes to stand in each state, and what makes each event happen, on a real node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chain.sender.ground import GWEI, Place, key_of, work

from tidegate.chain import Fees, Sender, State, Tracked
from tidegate.chain.states import Event
from tidegate.ledger import OutcomeBody
from tidegate.model import Ambiguous, Denied, OutcomeKind, Reason, RecordKind, Rejected

DEEP = 4
"""Blocks after which what others have done is confirmed."""


class Killed(Exception):
    """Stands for the end of a process between two records."""


@dataclass
class Stand:
    """One transaction on its place, and every row of the table that it has taken."""

    place: Place
    sender: Sender
    one: Tracked
    seen: set[tuple[State, Event]]

    def cut(self, with_what: Exception | None = None) -> None:
        """Lose what is sent from now on, with this error; without one the wire is whole again."""
        self.place.chain.on_send, self.place.chain.loses_sends = with_what, with_what is not None

    async def follow(self) -> None:
        await self.sender.follow([self.one])

    def include(self, raw: bytes) -> None:
        """Let the next block hold these bytes under the nonce, whatever waited."""
        self.forget()
        self.place.world.send_raw(raw)
        self.place.world.mine()

    def forget(self) -> None:
        self.place.world.forget_all()

    def foreign(self) -> bytes:
        theirs = work("theirs")
        unsigned = theirs.unsigned(0, Fees(9 * GWEI, GWEI), is_legacy=False)
        return key_of().sign_now(unsigned, intent_id="theirs", plan_digest=theirs.plan_digest).raw

    def ends(self, kind: OutcomeKind, event: Event) -> None:
        """End its intent, as the street does whose record that is."""
        before = self.one.state
        self.one.take(RecordKind.OUTCOME, OutcomeBody(kind=kind))
        self.seen.add((before, event))
        self.sender.ended(self.one)


Act = Callable[[Stand], Awaitable[None]]


async def sign(stand: Stand) -> None:
    await stand.sender.sign(stand.one)


async def send(stand: Stand) -> None:
    await sign(stand)
    await stand.sender.send(stand.one)


async def lose(stand: Stand) -> None:
    stand.cut(Ambiguous("lost on the way"))
    await send(stand)


async def die_before_sending(stand: Stand) -> None:
    stand.cut(Killed("on the way"))
    await sign(stand)


async def expire(stand: Stand) -> None:
    """Let its deadline pass while it is lost, and lose its cancel, too."""
    await lose(stand)
    stand.place.world.mine(timestamp=stand.one.work.deadline_s + 1)
    await stand.follow()


async def cancelled(stand: Stand) -> None:
    await expire(stand)
    stand.include(stand.one.newest.signed.raw)
    await stand.follow()


async def landed(stand: Stand) -> None:
    await send(stand)
    stand.place.world.mine()
    await stand.follow()


async def confirmed(stand: Stand) -> None:
    await landed(stand)
    stand.place.world.mine(2)
    await stand.follow()


async def diverge(stand: Stand) -> None:
    """Let others use the nonce, and a person lift the halt for it."""
    await taken(stand)
    await stand.sender.lift(who="ada", why="it was our own tool")


async def deny(stand: Stand) -> None:
    stand.place.key.answers = [Denied(Reason.NONCE_REUSED, "signed before with other content")]
    try:
        await sign(stand)
    except Denied:
        stand.ends(OutcomeKind.DENIED, Event.DENY)


async def reject(stand: Stand) -> None:
    await sign(stand)
    stand.cut(Rejected("no such kind of transaction", code="refused"))
    try:
        await stand.sender.send(stand.one)
    except Rejected:
        stand.ends(OutcomeKind.REJECTED, Event.REJECT)
    stand.cut()


async def raise_fees(stand: Stand) -> None:
    """Sign a second version that offers more; the wire is as the state before has left it."""
    await stand.follow()
    await stand.follow()


async def mined(stand: Stand) -> None:
    """Let a block hold the first version of it."""
    stand.include(stand.one.versions[0].signed.raw)
    await stand.follow()


async def mined_newest(stand: Stand) -> None:
    stand.include(stand.one.newest.signed.raw)
    await stand.follow()


async def taken(stand: Stand) -> None:
    """Let others use the nonce."""
    stand.include(stand.foreign())
    stand.place.world.mine(DEEP)
    await stand.follow()


async def late(stand: Stand) -> None:
    """Let the mempool drop it, and its deadline pass."""
    stand.forget()
    stand.place.world.mine(timestamp=stand.one.work.deadline_s + 1)
    await stand.follow()


async def withdraw(stand: Stand) -> None:
    """Let a reorg replace its block by others without it."""
    stand.place.world.reorg(DEEP)
    stand.place.world.mine()
    await stand.follow()


async def included_elsewhere(stand: Stand) -> None:
    """Let a reorg replace its block, and another hold the same bytes."""
    stand.place.world.mine()
    stand.place.world.reorg(2, [(stand.one.newest.signed.raw, 1)])
    stand.place.world.mine()
    await stand.follow()


async def blocks(stand: Stand) -> None:
    for _ in range(6):
        stand.place.world.mine()
        await stand.follow()


async def whole_wire(stand: Stand) -> None:
    stand.cut()
    await stand.follow()


async def fill(stand: Stand) -> None:
    await stand.follow()


def by_reorg(version: int) -> Act:
    """Let a reorg hold one of our versions where the foreign bytes were."""

    async def act(stand: Stand) -> None:
        raw = stand.one.versions[version].signed.raw
        stand.place.world.reorg(DEEP + 1, [(raw, 0)])
        stand.place.world.mine()
        await stand.follow()

    return act


async def lost_again(stand: Stand) -> None:
    """Let the mempool drop it, and the wire be cut."""
    stand.forget()
    stand.cut(Ambiguous("lost on the way"))
    await stand.follow()


def stands_at(state: State) -> Act:
    """Let it stand where no life of ours leaves it: the table does not trust that there is none."""

    async def act(stand: Stand) -> None:
        stand.one.state = state

    return act
