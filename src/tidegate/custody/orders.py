"""People's signed orders: what one administrator may not do alone.

An order is canonical JSON in a DSSE envelope, signed by a person whose key is pinned. It is good for
one hour, once, and at one signer: its digest is kept for ever, and it names an account that no other
signer holds (``key_in_use``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, NoReturn

import msgspec

from tidegate.custody.envelope import ORDER_TYPE, Issuer, IssuerKind, SealingKey, seal, signed_payload
from tidegate.model import Address, Denied, Reason, Tampered, canonical_json, sha256_hex

PEOPLE_MIN = 2
LIFE_S = 3_600


class OrderKind(StrEnum):
    """What two people may order."""

    FREEZE_EXITS = "freeze_exits"
    UNFREEZE = "unfreeze"
    REVOKE = "revoke"


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One person's order.

    ``signer`` is an account whose key the signer holds, ``subject`` the capability's id or empty, ``at_s``
    Unix time.
    """

    kind: OrderKind
    signer: Address
    subject: str
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    at_s: Annotated[int, msgspec.Meta(ge=0)]


def sign_order(order: Order, key: SealingKey) -> bytes:
    """Return the envelope of an order, signed by a person's key."""
    return seal(canonical_json(order), ORDER_TYPE, key)


def demand_two_people(
    approvals: Sequence[bytes],
    *,
    kind: OrderKind,
    subject: str,
    accounts: Collection[Address],
    now_s: int,
    issuers: Mapping[str, Issuer],
    used: Collection[str],
) -> tuple[str, ...]:
    """Return the digests of the orders, which are used up by what they order.

    Parameters
    ----------
    accounts
        Whose keys this signer holds: an order to any other is not for it.

    Raises
    ------
    Denied
        ``two_people`` unless at least two different people ordered this very thing of this signer within
        the hour, by orders that were never used.
    """
    people, ids = set(), []
    for approval in approvals:
        order, signed_by, order_id = _read(approval, issuers)
        if (order.kind, order.subject) != (kind, subject):
            _refuse(f"an order to {order.kind.value} {order.subject}", f"an order to {kind.value} {subject}")
        if order.signer not in accounts:
            _refuse(f"an order to the signer of {order.signer}", f"one to {', '.join(sorted(accounts))}")
        if not 0 <= now_s - order.at_s < LIFE_S:
            _refuse(f"an order that is {now_s - order.at_s} s old", f"less than {LIFE_S} s")
        for person in signed_by:
            if f"{order_id}:{person}" in used:
                _refuse("an order that was used before", "a new order each time")
            people.add(issuers[person].name)
            ids.append(f"{order_id}:{person}")
    if len(people) < PEOPLE_MIN:
        _refuse(f"{len(people)}", f"{PEOPLE_MIN} or more")
    return tuple(ids)


def _read(approval: bytes, issuers: Mapping[str, Issuer]) -> tuple[Order, list[str], str]:
    try:
        payload, signed_by = signed_payload(approval, ORDER_TYPE, issuers)
        order = msgspec.json.decode(payload, type=Order, strict=True)
    except (Denied, Tampered, msgspec.DecodeError) as error:
        _refuse(str(error), "an order in its envelope, signed by a person who is pinned")
    people = sorted(key_id for key_id in signed_by if issuers[key_id].kind is IssuerKind.PERSON)
    return order, people, sha256_hex(payload)


def _refuse(found: str, allowed: str) -> NoReturn:
    raise Denied(
        Reason.TWO_PEOPLE,
        "this needs the signed orders of two different people",
        found=found,
        allowed=allowed,
        fix="let each of them make one, tidegate signer order, and hand both in: --approval FILE, twice",
    )
