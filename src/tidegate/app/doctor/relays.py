"""The relays of a chain: do they answer, can they do what is said of them, does our relay key own nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tidegate.app.findings import Finding, wrong
from tidegate.app.places import RELAY_KEY, Place
from tidegate.chain.relays import BundleRelay, RelayPlace, Supports
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.custody import RelayKey
from tidegate.model import Ambiguous, Rejected, TidegateError, Unavailable

_OWNS_NOTHING_FIX = (
    "move it away: the key file is not made to guard coin; then nobody has a reason to steal it"
)


async def look_at_relays(place: Place, pool: RpcPool, home: Path) -> list[Finding]:
    """Return how each relay of the chain stands, and whether the relay key holds coin there.

    A home that has no relay key yet is asked for none: a key that is thrown away asks in its place.
    """
    if not place.relays:
        return []
    path = home / RELAY_KEY
    if path.exists():
        try:
            identity = RelayKey(path)
        except TidegateError as error:
            return [wrong(f"relay key {place.name}", error)]
        return [*await _each(place.relays, place.name, identity), await _owns(place, pool, identity)]
    with tempfile.TemporaryDirectory() as folder:
        found = await _each(place.relays, place.name, RelayKey(Path(folder) / RELAY_KEY))
    return [*found, Finding(f"relay key {place.name}", True, f"made at the first start: {path}")]


async def _each(relays: Sequence[RelayPlace], chain: str, identity: RelayKey) -> list[Finding]:
    return [await _one(relay, f"relay {chain}.{relay.name}", identity) for relay in relays]


async def _one(place: RelayPlace, check: str, identity: RelayKey) -> Finding:
    relay = BundleRelay(place, identity)
    try:
        await relay.reach()
    except Rejected as refusal:
        if refusal.code != "method_not_found":
            return wrong(check, refusal)
        if Supports.CANCEL in place.supports:
            return Finding(check, False, "it answers, and knows no cancel", "take cancel out of its supports")
    except (Ambiguous, Unavailable) as silence:
        return wrong(check, silence)
    finally:
        await relay.close()
    can = ", ".join(sorted(place.supports)) or "offers alone"
    return Finding(check, True, f"it answers {identity.address}; {can}")


async def _owns(place: Place, pool: RpcPool, identity: RelayKey) -> Finding:
    check = f"relay key {place.name}"
    try:
        held_wei = await pool.reads(keep=Keep.NOTHING).balance(identity.address)
    except TidegateError as error:
        return wrong(check, error)
    if held_wei:
        return Finding(check, False, f"{identity.address} holds {held_wei} wei", _OWNS_NOTHING_FIX)
    return Finding(check, True, f"{identity.address} owns nothing")
