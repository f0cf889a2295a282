"""Who sees a strategy's bytes before a block holds them, what they could do, and what holds all the same."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.desks.atomic.language.syntax import Relay, Strategy

_ROLLUP = "optimism", "base", "arbitrum"


def exposure(strategy: Strategy) -> Iterator[str]:
    """Yield the routes in order, what each gives away, and what the bytes themselves still guarantee."""
    relay = strategy.relay
    yield (
        f"Sent by: {', then '.join(relay.order)}; the same bytes, and the next route only if none before it "
        "took them."
    )
    for route in relay.order:
        yield from _of(route, relay, strategy.chain)
    if "public" not in relay.order:
        yield "Never by the public mempool: a run that only it could take is denied (public_relay_forbidden)."
    yield (
        "Whoever sees the bytes can read the whole strategy, trade before or after it, leave it out, or "
        "hold it back until its deadline. Nobody can change a byte, take steps out or put others in between: "
        "the run lands whole within the bounds and guards below that stand inside the transaction, or it "
        "reverts and costs its gas."
    )


def _of(route: str, relay: Relay, chain: str) -> Iterator[str]:
    if route == "bundle":
        whom = " and ".join(relay.builders) or "every relay of the chain that is configured"
        yield (
            f"bundle: {whom} and the builders behind see the bytes as soon as they are offered, for each of "
            f"the next {relay.blocks} blocks; nobody else does before the block. A bundle that fails is not "
            "included and costs nothing; one that is not included in time is taken back, and its nonce "
            "is used up by a transfer of nothing (21,000 gas)."
        )
    elif route == "private":
        who = "the sequencer" if chain in _ROLLUP else "the operator of each private endpoint"
        yield (
            f"private: {who} sees the bytes when they are sent and is trusted not to pass them on. They can "
            "not be taken back, only replaced; a run that fails may be included and costs its gas."
        )
    else:
        yield (
            "public: everybody sees the bytes for as long as they wait, and searchers race to act on them: "
            "expect every tolerance that the bounds leave to be taken."
        )
