"""A capability: what one key may sign for one desk on one chain and stage, how much, until when.

Plain data in canonical JSON, hashed and signed as people read it (``specs/street.md`` 5.3). Dollars
are millionths (``usd_e6``), prices hundred-millionths a whole token (``usd_e8``), times Unix seconds.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, NoReturn

import msgspec

from tidegate.chain import address
from tidegate.custody.nesting import is_shallow
from tidegate.model import Address, ConfigError, Denied, Reason, Stage, canonical_json, digest

LIFE_MAX_S = {
    Stage.PAPER: 86_400,
    Stage.FORK: 86_400,
    Stage.CANARY: 86_400,
    Stage.PRODUCTION: 604_800,
}
"""Longest life by stage; a stage that is not here signs nothing."""
EXIT_LIFE_MAX_S = 2_592_000
"""Longest life of an exit capability: 30 days, for closing must not lapse at night."""

_USD_E6_MAX = 10**15
Dollars = Annotated[int, msgspec.Meta(ge=0, le=_USD_E6_MAX)]
"""Millionths of a dollar, up to a billion dollars: a greater limit is a slip of the pen."""
Hex32 = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{64}$")]
Digest = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
"""A SHA-256 in hex, or nothing where the issuer has none to give."""
Selector = Annotated[str, msgspec.Meta(pattern="^0x([0-9a-f]{8})?$")]
"""Four bytes; ``0x`` alone is a transfer of the chain's coin without data."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class Purpose(StrEnum):
    """Act opens, moves and closes; exit only closes, and outlives freezes and stops."""

    ACT = "act"
    EXIT = "exit"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all parts share: immutable, and strict about their fields."""


class Target(_Part, frozen=True):
    """A contract, the keccak-256 of its code, and the functions of it that may be called.

    ``address`` of None is the permission to create a contract: ``code_hash`` is then the keccak-256
    of the creation code with its arguments, and there are no selectors.
    """

    address: Address | None
    code_hash: Hex32
    selectors: tuple[Selector, ...] = ()


class TypedDomain(_Part, frozen=True):
    """An EIP-712 domain, field by field, and the primary types that may be signed under it.

    A field of None is listed as absent: the domain must not have it.
    """

    name: str | None
    version: str | None
    chain_id: int | None
    verifying_contract: Address | None
    primary_types: tuple[str, ...]


class PolicyTerms(_Part, frozen=True):
    """A policy by name with its terms, which the policy itself reads and checks."""

    name: Name
    terms: dict[str, Any]


class Price(_Part, frozen=True):
    """The ceiling price of a whole token of ``decimals`` base-unit digits; the zero address is the coin."""

    token: Address
    price_usd_e8: Annotated[int, msgspec.Meta(ge=1, le=10**18)]
    decimals: Annotated[int, msgspec.Meta(ge=0, le=36)]


class Unvalued(_Part, frozen=True):
    """Content that nobody can value, allowed ``per_day`` times in 24 h.

    ``function`` is a selector, or the primary type of typed data; ``target`` None is a creation.
    """

    target: Address | None
    function: Name
    per_day: Count


class Checkpoint(_Part, frozen=True):
    """The journal's newest record as the issuer knew it (``gate.md`` 7.2)."""

    seq: Annotated[int, msgspec.Meta(ge=0)]
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Capability(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """Everything one key may do, signed by an issuer. ``id`` is the digest of all other fields.

    Of one line (desk, chain, key, purpose) the highest ``serial`` is in force. ``chain_id`` 0 is for
    typed data alone that belongs to no chain. An empty capability allows nothing and ends the line.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    purpose: Purpose
    desk: Name
    stage: Stage
    chain_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    key_address: Address
    targets: tuple[Target, ...]
    typed_domains: tuple[TypedDomain, ...]
    policies: tuple[PolicyTerms, ...]
    prices: tuple[Price, ...]
    notional_tx_usd_e6: Dollars
    notional_day_usd_e6: Dollars
    at_risk_tx_usd_e6: Dollars
    at_risk_day_usd_e6: Dollars
    tx_day: Count
    gas_limit_max: Annotated[int, msgspec.Meta(ge=0, le=2**32)]
    max_fee_wei: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    unvalued: tuple[Unvalued, ...]
    not_before: Seconds
    expires_at: Seconds
    evidence_digest: Digest
    policy_digest: Digest
    grant_digest: Digest
    checkpoint: Checkpoint | None
    issued_by: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    serial: Annotated[int, msgspec.Meta(ge=1, le=2**53)]

    @property
    def life_max_s(self) -> int:
        """Return the longest that a capability of this purpose and stage may live."""
        life_max_s = LIFE_MAX_S.get(self.stage, 0)
        return EXIT_LIFE_MAX_S if life_max_s and self.purpose is Purpose.EXIT else life_max_s

    @cached_property
    def by_target(self) -> dict[Address | None, Target]:
        """Return the targets by address; creations have no address and stand in ``creations``."""
        return {one.address: one for one in self.targets if one.address is not None}

    @cached_property
    def creations(self) -> frozenset[str]:
        """Return the hashes of the creation codes that may be sent."""
        return frozenset(one.code_hash for one in self.targets if one.address is None)

    @cached_property
    def unvalued_per_day(self) -> dict[str, int]:
        """Return how often ``target:function`` that nobody can value may be signed in 24 h."""
        return {f"{one.target or ''}:{one.function}": one.per_day for one in self.unvalued}


def make_capability(**fields: Any) -> Capability:
    """Return the capability of these fields with the id that they give.

    Raises
    ------
    Denied
        ``capability_invalid`` if a field is missing, of the wrong form or out of bounds.
    """
    plain = msgspec.to_builtins(fields)
    return parse_capability(canonical_json({**plain, "id": digest(plain)}))


def encode_capability(capability: Capability) -> bytes:
    """Return the canonical JSON, which the issuer signs."""
    return canonical_json(capability)


def parse_capability(payload: bytes) -> Capability:
    """Return the capability whose canonical JSON ``payload`` is, checked in itself.

    Who issued it, and whether that issuer may, is another question (``envelope``).

    Raises
    ------
    Denied
        ``capability_invalid`` naming the field that is not as it must be.
    """
    try:
        if not is_shallow(payload):
            raise RecursionError("it nests too deep")
        capability = msgspec.json.decode(payload, type=Capability, strict=True)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Denied(
            Reason.CAPABILITY_INVALID,
            "this is not a capability",
            found=str(error),
            allowed="the fields of street 5.3, no others",
            fix="ask the issuer for another; the release of issuer and signer must fit",
        ) from error
    if encode_capability(capability) != payload:
        _refuse("encoding", "another form of the same data", "canonical JSON: sorted keys, no spaces")
    plain = msgspec.to_builtins(capability)
    if digest({name: value for name, value in plain.items() if name != "id"}) != capability.id:
        _refuse("id", capability.id, "the digest of all other fields")
    _check_time(capability)
    _check_addresses(capability)
    _check_lists(capability)
    _check_limits(capability)
    return capability


def _check_time(capability: Capability) -> None:
    if not capability.life_max_s:
        _refuse("stage", capability.stage.value, ", ".join(stage.value for stage in LIFE_MAX_S))
    life_s = capability.expires_at - capability.not_before
    if not 0 < life_s <= capability.life_max_s:
        _refuse(
            "expires_at",
            f"{life_s} s after not_before",
            f"1 to {capability.life_max_s} s ({capability.stage.value}, {capability.purpose.value})",
        )


def _check_addresses(capability: Capability) -> None:
    named: list[Address | None] = [capability.key_address]
    named += [target.address for target in capability.targets]
    named += [domain.verifying_contract for domain in capability.typed_domains]
    named += [price.token for price in capability.prices]
    named += [one.target for one in capability.unvalued]
    for one in named:
        try:
            if one is not None and address(one) != one:
                _refuse("address", one, f"{address(one)}, with its checksum")
        except ConfigError as error:
            _refuse("address", str(one), str(error))


def _check_lists(capability: Capability) -> None:
    _none_twice("targets", [one.address or one.code_hash for one in capability.targets])
    _none_twice("prices", [one.token for one in capability.prices])
    _none_twice("unvalued", [(one.target, one.function) for one in capability.unvalued])
    for target in capability.targets:
        _none_twice("selectors", list(target.selectors))
        if target.address is None and target.selectors:
            _refuse("selectors", ", ".join(target.selectors), "none for the creation of a contract")
    if capability.chain_id == 0:
        if capability.targets:
            _refuse("targets", f"{len(capability.targets)} on chain 0", "none: it is for typed data alone")
        if capability.typed_domains and not capability.policies:
            _refuse("policies", "none on chain 0", "a policy, which names the chains")
    for domain in capability.typed_domains:
        if (domain.chain_id or 0) != capability.chain_id:
            _refuse("typed_domains.chain_id", str(domain.chain_id), f"{capability.chain_id or 'absent'}")


def _check_limits(capability: Capability) -> None:
    for what in ("notional", "at_risk"):
        once, day = (getattr(capability, f"{what}_{span}_usd_e6") for span in ("tx", "day"))
        if once > day:
            _refuse(f"{what}_tx_usd_e6", str(once), f"at most {what}_day_usd_e6, which is {day}")


def _none_twice(what: str, items: list[Any]) -> None:
    if len(set(items)) != len(items):
        _refuse(what, "an entry that stands twice", "each entry once")


def _refuse(what: str, found: str, allowed: str) -> NoReturn:
    raise Denied(
        Reason.CAPABILITY_INVALID,
        f"the capability's {what} is not as it must be",
        found=found,
        allowed=allowed,
        fix="ask the issuer for another",
    )
