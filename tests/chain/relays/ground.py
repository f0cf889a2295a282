"""A sender whose ways out are relays of ours and endpoints of a node, and who saw which bytes when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tests.chain.rpc.support import PATIENT, PATIENT_S
from tests.chain.sender.ground import CHAIN, FrailChain, Place, SlyKey, key_of, tracked, work

from tidegate.chain import Sender, SenderSettings, Tracked, devnet_network
from tidegate.chain.relays import BundleRelay, Dispatch, RelayPlace, Supports
from tidegate.chain.rpc import Endpoint, RpcPool, Tier
from tidegate.custody import RelayKey
from tidegate.ledger import Journal
from tidegate.model import Denied, Route, Sending, SystemClock
from tidegate.sim import ExactWorld, FaultProxy, RelayDouble, build_block

BUNDLE_ALONE = Sending(order=(Route.BUNDLE,))
BUNDLE_THEN_PRIVATE = Sending(order=(Route.BUNDLE, Route.PRIVATE))
CANCELS = frozenset({Supports.CANCEL})
TRIES = frozenset({Supports.CANCEL, Supports.SIMULATE})
BRIEF_S = 0.5


@dataclass
class Stand:
    """``public`` and ``private`` are what stands before the node: they count whatever reaches it."""

    place: Place
    sender: Sender
    dispatch: Dispatch
    pool: RpcPool
    relays: list[RelayDouble]
    public: FaultProxy
    private: FaultProxy
    identity: RelayKey
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def world(self) -> ExactWorld:
        return self.place.world

    @property
    def public_sends(self) -> int:
        return self.public.methods["eth_sendRawTransaction"]

    @property
    def private_sends(self) -> int:
        return self.private.methods["eth_sendRawTransaction"]

    def build(self, *, timestamp: int | None = None) -> None:
        """Make a block as the builders behind the relays do."""
        build_block(self.world, self.relays, timestamp=timestamp)

    async def out(self, one: Tracked) -> Tracked:
        await self.sender.sign(one)
        await self.sender.send(one)
        return one

    async def follow(self, one: Tracked) -> None:
        assert await self.sender.follow([one]) == []


def bundled(
    name: str = "one",
    *,
    sending: Sending = BUNDLE_ALONE,
    refusals: Sequence[Denied | None] = (),
    **of_work: object,
) -> Tracked:
    """Return work whose bytes leave as its plan says."""
    wanted = msgspec.structs.replace(work(name, **of_work), sending=sending)  # type: ignore[arg-type]
    return tracked(wanted, refusals)


@asynccontextmanager
async def stand(
    world: ExactWorld,
    folder: Path,
    relays: int = 1,
    *,
    supports: frozenset[Supports] = CANCELS,
    has_private: bool = False,
    timeout_s: float = PATIENT_S,
    **settings: object,
) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as stack:
        doubles = [await stack.enter_async_context(RelayDouble(world)) for _ in range(relays)]
        public = await stack.enter_async_context(FaultProxy(world.url))
        private = await stack.enter_async_context(FaultProxy(world.url))
        endpoints = [Endpoint("public", public.url, **PATIENT)]
        if has_private:
            endpoints.append(Endpoint("private", private.url, tier=Tier.PRIVATE, **PATIENT))
        pool = await stack.enter_async_context(
            RpcPool(devnet_network(CHAIN), endpoints, deadline_s=PATIENT_S)
        )
        identity = RelayKey(folder / "relay.key")
        clients = [
            BundleRelay(RelayPlace(f"relay-{number}", one.url, supports, timeout_s=timeout_s), identity)
            for number, one in enumerate(doubles)
        ]
        for client in clients:
            stack.push_async_callback(client.close)
        dispatch = Dispatch(pool, clients)
        stack.push_async_callback(dispatch.close)
        journal = stack.enter_context(Journal.open(folder / "ledger.sqlite", clock=SystemClock()))
        place = Place(world, FrailChain(pool), journal, SlyKey(key_of()), devnet_network(CHAIN))
        sender = Sender(
            signer=place.key,
            chain=place.chain,
            journal=journal,
            network=place.network,
            settings=msgspec.convert({"send_timeout_s": PATIENT_S, **settings}, SenderSettings),
            ways=dispatch,
        )
        yield Stand(place, sender, dispatch, pool, doubles, public, private, identity)
