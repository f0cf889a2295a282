"""Capabilities and freezes: what is decided about the signer, not signed by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate.custody.asking import World
from tidegate.custody.capability import Purpose
from tidegate.custody.loading import judge_capability
from tidegate.custody.orders import OrderKind, demand_two_people
from tidegate.custody.ports import KeyHandle
from tidegate.custody.records import CapabilityBody, FreezeBody
from tidegate.custody.requests import Freeze, LoadCapability, Revoke, Unfreeze
from tidegate.custody.state import SignerState
from tidegate.model import Denied, Reason


class CheckFailed(Exception):
    """A denial with the name of the check that failed."""

    def __init__(self, check: str, denied: Denied) -> None:
        super().__init__(check)
        self.check, self.denied = check, denied


def load(
    request: LoadCapability, state: SignerState, *, keys: Iterable[KeyHandle], world: World, now_ms: int
) -> CapabilityBody:
    """Return the record of a capability that may be loaded, and which one it replaces."""
    try:
        held = judge_capability(request.envelope, state=state, keys=keys, world=world, now_s=now_ms // 1000)
    except Denied as denied:
        raise CheckFailed("capability", denied) from denied
    _, replaced = state.in_force.get(held.line, (0, ""))
    return CapabilityBody(
        at_ms=now_ms,
        capability_id=held.capability.id,
        line=held.line,
        serial=held.capability.serial,
        envelope=request.envelope.decode(),
        replaced=replaced,
    )


def revoke(request: Revoke, state: SignerState, *, keys: Iterable[KeyHandle], now_ms: int) -> CapabilityBody:
    """Return the record of a revocation; an exit capability is withdrawn by two people alone."""
    held = state.held.get(request.capability_id)
    if held is None:
        raise CheckFailed(
            "capability",
            Denied(Reason.CAPABILITY_UNKNOWN, "no such capability is loaded", found=request.capability_id),
        )
    orders: tuple[str, ...] = ()
    if held.capability.purpose is Purpose.EXIT:
        orders = _two_people(
            request.approvals, state, OrderKind.REVOKE, request.capability_id, keys=keys, now_ms=now_ms
        )
    return CapabilityBody(
        at_ms=now_ms,
        capability_id=request.capability_id,
        line=held.line,
        serial=held.capability.serial,
        reason=request.reason,
        by=request.by,
        orders=orders,
    )


def freeze(
    request: Freeze, state: SignerState, *, keys: Iterable[KeyHandle], is_admin: bool, now_ms: int
) -> FreezeBody:
    """Return the record of a freeze. A later one never loosens an earlier one."""
    orders: tuple[str, ...] = ()
    if not request.allow_exit:
        demand_administrator("freeze with allow_exit=false", is_admin=is_admin)
        orders = _two_people(request.approvals, state, OrderKind.FREEZE_EXITS, "", keys=keys, now_ms=now_ms)
    return FreezeBody(
        at_ms=now_ms,
        is_frozen=True,
        allow_exit=request.allow_exit and state.allow_exit,
        reason=request.reason,
        by=request.by,
        orders=orders,
    )


def unfreeze(
    request: Unfreeze, state: SignerState, *, keys: Iterable[KeyHandle], is_admin: bool, now_ms: int
) -> FreezeBody:
    """Return the record of the end of a freeze; what two people froze, two people end."""
    demand_administrator("unfreeze", is_admin=is_admin)
    orders: tuple[str, ...] = ()
    if not state.allow_exit:
        orders = _two_people(request.approvals, state, OrderKind.UNFREEZE, "", keys=keys, now_ms=now_ms)
    return FreezeBody(at_ms=now_ms, is_frozen=False, reason=request.reason, by=request.by, orders=orders)


def demand_administrator(verb: str, *, is_admin: bool) -> None:
    """Refuse what only an administrator's connection may ask."""
    if not is_admin:
        denied = Denied(
            Reason.ADMINISTRATOR_ONLY,
            f"{verb} is for an administrator",
            found="a worker's connection",
            allowed="the administrator's socket",
            fix="run it as the administrator: tidegate signer",
        )
        raise CheckFailed("administrator", denied)


def _two_people(
    approvals: Sequence[bytes],
    state: SignerState,
    kind: OrderKind,
    subject: str,
    *,
    keys: Iterable[KeyHandle],
    now_ms: int,
) -> tuple[str, ...]:
    try:
        return demand_two_people(
            approvals,
            kind=kind,
            subject=subject,
            accounts={key.address for key in keys},
            now_s=now_ms // 1000,
            issuers=state.issuers,
            used=state.orders,
        )
    except Denied as denied:
        raise CheckFailed("two_people", denied) from denied
