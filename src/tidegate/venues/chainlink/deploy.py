"""Put a settable price feed into a world and set its rounds."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import Address, Receipt
from tidegate.sim import World, compile_contract
from tidegate.venues.calls import create, send


@dataclass(frozen=True, slots=True)
class PriceFeed:
    """A feed of ours. Answers are integers with ``decimals``; 8 for prices in USD (``price_usd_e8``)."""

    address: Address
    description: str
    decimals: int
    heartbeat_s: int
    owner: Address


def deploy_price_feed(
    world: World,
    *,
    description: str,
    first_answer: int,
    owner: Address,
    deployer: Address,
    decimals: int = 8,
    heartbeat_s: int = 3600,
) -> PriceFeed:
    """Deploy a feed whose first round answers ``first_answer`` at the block's time."""
    where = create(
        world,
        compile_contract("price_feed"),
        description,
        decimals,
        heartbeat_s,
        owner,
        first_answer,
        sender=deployer,
    )
    return PriceFeed(where, description, decimals, heartbeat_s, owner)


def set_answer(world: World, feed: PriceFeed, answer: int) -> Receipt:
    """Open a round that answers ``answer``, updated at the block's own time."""
    return send(world, feed.address, "set_answer(int256)", answer, sender=feed.owner)


def set_round(world: World, feed: PriceFeed, answer: int, *, started_at_s: int, updated_at_s: int) -> Receipt:
    """Open a round with any answer and any times: stale, future, incomplete (``updated_at_s`` 0)."""
    return send(
        world,
        feed.address,
        "set_round(int256,uint256,uint256)",
        answer,
        started_at_s,
        updated_at_s,
        sender=feed.owner,
    )
