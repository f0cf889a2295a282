"""How a check says no, and what may be done about it."""

from __future__ import annotations

from typing import NoReturn

from tidegate.model import Denied, Reason

_LOAD = "load one that is in force: tidegate signer load FILE; a desk that runs takes it up"
_WIDER = "if it is meant to be allowed, load a capability that lists it: tidegate signer load FILE"
_ROOM = "wait: it comes free a day after it was used; or load a larger capability: tidegate signer load FILE"
_CAPS = "let the plan offer less, or load a capability with a higher cap: tidegate signer load FILE"

FIXES = {
    Reason.CAPABILITY_UNKNOWN: _LOAD,
    Reason.CAPABILITY_REVOKED: _LOAD,
    Reason.CAPABILITY_EXPIRED: _LOAD,
    Reason.CAPABILITY_NOT_YET: "wait until then; if that is over, set this machine's clock by NTP",
    Reason.CAPABILITY_FOREIGN: "load one for this desk, stage, chain and key: tidegate signer load FILE",
    Reason.TARGET_NOT_ALLOWED: _WIDER,
    Reason.SELECTOR_NOT_ALLOWED: _WIDER,
    Reason.CREATION_NOT_ALLOWED: _WIDER,
    Reason.UNVALUED: _WIDER,
    Reason.NOTIONAL_LIMIT: _ROOM,
    Reason.AT_RISK_LIMIT: _ROOM,
    Reason.COUNT_LIMIT: _ROOM,
    Reason.GAS_CAP: _CAPS,
    Reason.FEE_CAP: _CAPS,
}
"""What to do next about a refusal that says nothing else about it."""


def deny(reason: Reason, message: str, found: str, allowed: str, fix: str | None = None) -> NoReturn:
    """Raise ``Denied`` with what was found, the limit, and what to do next."""
    raise Denied(reason, message, found=found, allowed=allowed, fix=fix or FIXES.get(reason))
