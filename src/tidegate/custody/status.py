"""How the signer stands, as it may be shown to anyone who may ask."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.custody.ports import KeyHandle
from tidegate.custody.requests import CapabilityStatus, KeyStatus, StatusAnswer
from tidegate.custody.state import Held, SignerState


def status_of(
    state: SignerState, keys: Mapping[str, KeyHandle], *, now_ms: int, freed_ms: int
) -> StatusAnswer:
    """Return freeze, keys, and the capabilities that are not over, with what is used of each."""
    shown = [held for held in state.held.values() if held.ended != "replaced"]
    shown = [held for held in shown if held.capability.expires_at * 1000 > now_ms]
    return StatusAnswer(
        is_frozen=state.is_frozen,
        allows_exit=state.allow_exit,
        freeze_reason=state.freeze_reason,
        keys=tuple(
            KeyStatus(name=name, address=key.address, is_throw_away=key.is_throw_away)
            for name, key in sorted(keys.items())
        ),
        capabilities=tuple(_capability(state, held, freed_ms) for held in shown),
    )


def _capability(state: SignerState, held: Held, freed_ms: int) -> CapabilityStatus:
    capability, used = held.capability, state.window(held.line).used(freed_ms)
    return CapabilityStatus(
        id=capability.id,
        purpose=capability.purpose.value,
        desk=capability.desk,
        stage=capability.stage,
        chain_id=capability.chain_id,
        key_address=capability.key_address,
        serial=capability.serial,
        not_before=capability.not_before,
        expires_at=capability.expires_at,
        is_revoked=bool(held.ended),
        notional_used_usd_e6=used.notional_usd_e6,
        notional_day_usd_e6=capability.notional_day_usd_e6,
        at_risk_used_usd_e6=used.at_risk_usd_e6,
        at_risk_day_usd_e6=capability.at_risk_day_usd_e6,
        tx_used=used.transactions,
        tx_day=capability.tx_day,
    )
