"""A follower over the chain in memory, and how to step it."""

from __future__ import annotations

import asyncio

import msgspec
from tests.chain.heads.fakechain import GENESIS_TIME, FakeChain

from tidegate.chain import Network, NetworkKind
from tidegate.chain.heads import Change, HeadFollower, MemoryCursors
from tidegate.model import ManualClock

NETWORK = Network(
    chain_id=1, name="test", kind=NetworkKind.DEVNET, block_time_s=12, confirmations=3, reorg_max_blocks=8
)


def clock_at(chain: FakeChain) -> ManualClock:
    return ManualClock((GENESIS_TIME + chain.height * chain.block_time_s) * 1_000)


def follower(chain: FakeChain, cursors=None, *, network=NETWORK, clock=None, **options) -> HeadFollower:
    options.setdefault("start_block", 0)
    cursors = MemoryCursors() if cursors is None else cursors
    return HeadFollower(chain, cursors, network, clock=clock or clock_at(chain), **options)


def step(following: HeadFollower, hint: int | None = None) -> tuple[Change, ...]:
    return asyncio.run(following.step(hint))


def catch_up(following: HeadFollower, fold=None, *, quiet: int = 1) -> list[Change]:
    """Step until nothing is new ``quiet`` times in a row."""
    changes: list[Change] = []
    nothing = 0
    while nothing < quiet:
        batch = step(following)
        nothing = 0 if batch else nothing + 1
        changes += batch
        if fold is not None:
            fold.take(batch)
    return changes


def network(**particular) -> Network:
    return msgspec.structs.replace(NETWORK, **particular)
