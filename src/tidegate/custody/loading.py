"""What must hold before a capability is taken in."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.chain import Network, NetworkKind
from tidegate.custody.asking import World
from tidegate.custody.capability import Capability
from tidegate.custody.envelope import demand_issuer
from tidegate.custody.ports import KeyHandle
from tidegate.custody.state import Held, SignerState, hold
from tidegate.model import Denied, Reason, Stage

_OWN_STAGES = frozenset({Stage.PAPER, Stage.FORK})
_NOBODY_S_CHAINS = frozenset({1_337, 31_337})
"""What development nodes call their chain: ids that no public chain with value has."""


def judge_capability(
    envelope: bytes, *, state: SignerState, keys: Iterable[KeyHandle], world: World, now_s: int
) -> Held:
    """Return the capability in ``envelope`` if it may be loaded.

    Raises
    ------
    Denied
        ``capability_invalid`` for form, signature, issuer or key; ``policy_unknown``;
        ``capability_foreign`` if it is for a key that is not here; ``capability_expired``;
        ``capability_serial`` if one of the same or a higher serial was loaded.
    """
    held = hold(envelope, state.issuers)
    capability = held.capability
    key = next((one for one in keys if one.address == capability.key_address), None)
    if key is None:
        raise Denied(
            Reason.CAPABILITY_FOREIGN,
            "the capability is for a key that this signer does not hold",
            found=capability.key_address,
            allowed="a key of tidegate keys list",
        )
    network = world.networks.get(capability.chain_id)
    demand_issuer(capability, state.issuers[capability.issued_by], network, is_throw_away=key.is_throw_away)
    demand_key(capability, network, is_throw_away=key.is_throw_away)
    if now_s >= capability.expires_at:
        raise Denied(
            Reason.CAPABILITY_EXPIRED,
            "the capability has expired",
            found=str(now_s),
            allowed=f"before {capability.expires_at}",
        )
    serial, _ = state.in_force.get(held.line, (0, ""))
    if capability.serial <= serial:
        raise Denied(
            Reason.CAPABILITY_SERIAL,
            "a capability of the same or a higher serial was loaded already",
            found=str(capability.serial),
            allowed=f"above {serial}",
            fix="ask the issuer for a new one: to narrow, load a smaller one of a higher serial",
        )
    return held


def demand_key(capability: Capability, network: Network | None, *, is_throw_away: bool) -> None:
    """Keep throw-away keys in their worlds, and other keys out of worlds that share a chain's id.

    A throw-away key signs on chains of kind devnet and testnet and in stage fork. Stages paper and
    fork sign with throw-away keys alone: a fork keeps its chain's id, so what another key signs
    there would be as good on the chain itself. So would it on a devnet whose id a public chain has that
    our registry does not know; there too, throw-away keys sign alone.

    Raises
    ------
    Denied
        ``capability_invalid``.
    """
    is_play = network is not None and network.kind is not NetworkKind.MAINNET
    is_live = network is not None and network.kind is not NetworkKind.DEVNET
    if is_throw_away and not (is_play or capability.stage is Stage.FORK):
        found, allowed = "a throw-away key", "chains of kind devnet and testnet, and stage fork"
    elif not is_throw_away and capability.stage in _OWN_STAGES:
        found, allowed = "a key that is kept", f"throw-away keys in stage {capability.stage.value}"
    elif not is_throw_away and not is_live and capability.chain_id not in _NOBODY_S_CHAINS:
        found = "a key that is kept, on a devnet whose id may be a public chain's"
        allowed = f"throw-away keys, or devnet {' or '.join(map(str, sorted(_NOBODY_S_CHAINS)))}"
    else:
        return
    raise Denied(
        Reason.CAPABILITY_INVALID,
        f"this key may not sign in stage {capability.stage.value} on chain {capability.chain_id}",
        found=found,
        allowed=allowed,
    )
