"""A bundle that relays hold is asked about again at each block: what guards say then decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, guard, intent
from tests.pipeline.harness import key_of_tests

from tidegate.chain import Handover, Parcel, Sender, devnet_network
from tidegate.ledger import Journal
from tidegate.model import (
    Denied,
    Intent,
    Operation,
    Plan,
    Reason,
    RecordKind,
    Route,
    Sending,
    Stage,
    SystemClock,
)
from tidegate.pipeline import Street
from tidegate.risk import Place, RunLimits


@dataclass
class Held:
    """A way out whose relay holds what it is given and gives it back when it is asked."""

    sent: list[Parcel] = field(default_factory=list)
    withdrawn: list[Parcel] = field(default_factory=list)

    def demand(self, sending: Sending) -> None:
        pass

    async def send(self, parcel: Parcel) -> Handover:
        self.sent.append(parcel)
        return Handover(Route.BUNDLE, ("relay",), parcel.until_block or parcel.head + 3)

    async def withdraw(self, parcel: Parcel) -> None:
        self.withdrawn.append(parcel)


class BundlingDesk(FakeDesk):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.fails: Exception | None = None

    async def plan(self, wanted: Intent) -> Plan:
        return msgspec.structs.replace(await super().plan(wanted), sending=Sending(order=(Route.BUNDLE,)))

    async def guards_before(self, plan: Plan) -> object:  # type: ignore[override]
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return await super().guards_before(plan)


@dataclass
class Stops:
    """A stop that the test sets."""

    stop: Denied | None = None

    def blocking(self, place: Place, operation: Operation) -> Stops | None:
        return None if self.stop is None or operation.is_exit else self

    def as_denied(self) -> Denied:
        assert self.stop is not None
        return self.stop


@dataclass
class Scene:
    street: Street
    desk: BundlingDesk
    chain: FakeChain
    ways: Held
    stops: Stops
    journal: Journal

    def why(self) -> list[str]:
        records = self.journal.records(kind=RecordKind.EXPIRING)
        return [str(record.body["why"]) for record in records]


def scene_of(journal: Journal) -> Scene:
    chain, desk, ways, stops = FakeChain(), BundlingDesk(), Held(), Stops()
    network = devnet_network(31337)
    sender = Sender(signer=key_of_tests(), chain=chain, journal=journal, network=network, ways=ways)
    street = Street(
        stage=Stage.PAPER,
        desk=desk,  # type: ignore[arg-type]
        chain=chain,
        sender=sender,
        journal=journal,
        limits={"strategy": RunLimits()},
        stops=(stops,),
    )
    return Scene(street, desk, chain, ways, stops, journal)


@pytest.fixture
def scene(tmp_path: Path) -> object:
    with Journal.open(tmp_path / "ledger.sqlite", clock=SystemClock()) as journal:
        yield scene_of(journal)


def test_guards_are_asked_once_for_each_block_while_the_bundle_is_offered(scene: Scene) -> None:
    async def life() -> None:
        assert await scene.street.submit(intent()) is None
        before = scene.desk.asked
        for _ in range(3):
            await scene.street.follow()
        assert scene.desk.asked == before + 1
        scene.chain.mine()
        await scene.street.follow()
        assert scene.desk.asked == before + 2
        assert not scene.ways.withdrawn

    asyncio.run(life())


@pytest.mark.parametrize("fails", [None, RuntimeError("the feed is gone")])
def test_a_guard_that_fails_or_can_not_say_takes_the_bundle_back(
    scene: Scene, fails: Exception | None
) -> None:
    async def life() -> None:
        await scene.street.submit(intent())
        scene.desk.fails = fails
        scene.desk.guards = (guard(passed=False),)
        scene.chain.mine()
        await scene.street.follow()
        assert [parcel.hash for parcel in scene.ways.withdrawn] == [scene.ways.sent[0].hash]
        assert ("the feed is gone" if fails else "limit_of_test") in scene.why()[0]

    asyncio.run(life())


def test_a_guard_that_only_warns_takes_nothing_back(scene: Scene) -> None:
    async def life() -> None:
        await scene.street.submit(intent())
        scene.desk.guards = (guard(passed=False, on_failure="warn"),)
        scene.chain.mine()
        await scene.street.follow()
        assert not scene.ways.withdrawn

    asyncio.run(life())


def test_a_stop_takes_the_bundle_back_before_the_next_block(scene: Scene) -> None:
    async def life() -> None:
        await scene.street.submit(intent())
        await scene.street.take_back()
        assert not scene.ways.withdrawn, "nothing forbids it"
        scene.stops.stop = Denied(Reason.STOPPED, "a person stopped it")
        await scene.street.take_back()
        assert [parcel.hash for parcel in scene.ways.withdrawn] == [scene.ways.sent[0].hash]
        assert scene.why() == [], "the record comes with the next block"
        await scene.street.follow()
        assert "a person stopped it" in scene.why()[0]

    asyncio.run(life())
