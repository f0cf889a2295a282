"""All that the signer remembers: a fold of its own journal, live and after a restart the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tidegate.custody.capability import Capability
from tidegate.custody.content import Prices
from tidegate.custody.envelope import Issuer, open_capability
from tidegate.custody.policies import BoundPolicy, bind_policy
from tidegate.custody.records import AnswerBody, CapabilityBody, Charge, FreezeBody, Line, NonceUse
from tidegate.custody.windows import DAY_MS, Window
from tidegate.ledger import Record
from tidegate.model import Address, Denied, RecordKind, Tampered
from tidegate.venues.executor import TokenPrice

_BODIES: dict[RecordKind, type[AnswerBody] | type[CapabilityBody] | type[FreezeBody]] = {
    body.KIND: body for body in (AnswerBody, CapabilityBody, FreezeBody)
}


@dataclass(slots=True)
class Held:
    """A capability that was loaded, with its policies bound to their terms.

    ``ended`` says that it was revoked or replaced, and is empty while it is in force.
    """

    capability: Capability
    line: Line
    policies: tuple[BoundPolicy, ...]
    prices: Prices
    ended: str = ""


@dataclass(slots=True)
class UsedNonce:
    """A nonce that was signed: with what, at which highest fees, and what was charged for it."""

    content: str
    is_cancelled: bool
    max_fee_wei: int
    max_priority_fee_wei: int
    line: Line
    charged: Charge
    charged_at_ms: int
    signatures: int = 0
    cancels: int = 0
    digests: set[str] = field(default_factory=set)


@dataclass(slots=True)
class SignerState:
    """Freeze, capabilities, windows and nonces. Changed by ``apply`` alone.

    ``problems`` are capabilities that were loaded once and may not be used now, with the reason: the
    issuer is not pinned any more, or this release lacks one of their policies.
    """

    issuers: Mapping[str, Issuer]
    is_frozen: bool = False
    allow_exit: bool = True
    freeze_reason: str = ""
    held: dict[str, Held] = field(default_factory=dict)
    problems: dict[str, Denied] = field(default_factory=dict)
    in_force: dict[Line, tuple[int, str]] = field(default_factory=dict)
    windows: dict[Line, Window] = field(default_factory=dict)
    nonces: dict[tuple[Address, int], dict[int, UsedNonce]] = field(default_factory=dict)
    typed: dict[tuple[Address, str], int] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)

    def fold(self, record: Record) -> None:
        """Take in one record of the journal; kinds that are not the signer's change nothing.

        Raises
        ------
        Tampered
            If the record can not be read: what is not understood is not skipped.
        """
        kind = _BODIES.get(record.kind)
        if kind is None:
            return
        try:
            body = msgspec.json.decode(record.body_json, type=kind)
        except msgspec.ValidationError as error:
            raise Tampered(
                f"seq {record.seq} of the signer's journal can not be read",
                found=str(error),
                allowed=f"the body of a record of kind {record.kind.value}",
                fix="run: tidegate journal verify; a newer release may have written it",
            ) from error
        self.apply(body)

    def apply(self, body: AnswerBody | CapabilityBody | FreezeBody) -> None:
        """Take in what was answered. The only way in which anything here changes."""
        match body:
            case AnswerBody():
                self._sign(body)
            case CapabilityBody():
                self.orders.update(body.orders)
                if body.envelope:
                    self._load(body)
                else:
                    self._end(body.capability_id, "revoked")
            case FreezeBody():
                self.orders.update(body.orders)
                self.is_frozen, self.allow_exit = body.is_frozen, body.allow_exit
                self.freeze_reason = body.reason if body.is_frozen else ""

    def window(self, line: Line) -> Window:
        """Return what ``line`` used, which is nothing for a line that never signed."""
        return self.windows.get(line) or Window()

    def used_nonce(self, key_address: Address, chain_id: int, nonce: int) -> UsedNonce | None:
        """Return what a nonce was signed with, if it was."""
        return self.nonces.get((key_address, chain_id), {}).get(nonce)

    def has_signed_typed(self, key_address: Address, digest: str, now_ms: int) -> bool:
        """Say whether a key signed this typed data, and was charged for it, in the last 24 h.

        Typed data need not name its signer: another key's signature of it is another signature.
        """
        signed_at_ms = self.typed.get((key_address, digest))
        return signed_at_ms is not None and signed_at_ms > now_ms - DAY_MS

    def _load(self, body: CapabilityBody) -> None:
        if body.replaced:
            self._end(body.replaced, "replaced")
        self.in_force[body.line] = body.serial, body.capability_id
        try:
            self.held[body.capability_id] = hold(body.envelope.encode(), self.issuers)
        except Denied as problem:
            self.problems[body.capability_id] = problem

    def _end(self, capability_id: str, how: str) -> None:
        if capability_id in self.held:
            self.held[capability_id].ended = how

    def _sign(self, body: AnswerBody) -> None:
        signing = body.signing
        if signing is None:
            return
        self.windows.setdefault(signing.line, Window()).add(signing.charge, at_ms=body.at_ms)
        if signing.nonce is None:
            self.typed[signing.line.key_address, signing.digest] = body.at_ms
            return
        self._use_nonce(signing.line, signing.nonce, signing.digest, signing.total, body.at_ms)

    def _use_nonce(self, line: Line, use: NonceUse, digest: str, total: Charge, at_ms: int) -> None:
        used = self.nonces.setdefault((line.key_address, line.chain_id), {})
        known = used.get(use.nonce)
        if known is None:
            known = used[use.nonce] = UsedNonce(
                use.content,
                use.is_cancel,
                use.max_fee_wei,
                use.max_priority_fee_wei,
                line,
                total,
                at_ms,
            )
        elif digest in known.digests:
            return
        known.is_cancelled |= use.is_cancel
        known.max_fee_wei = max(known.max_fee_wei, use.max_fee_wei)
        known.max_priority_fee_wei = max(known.max_priority_fee_wei, use.max_priority_fee_wei)
        known.cancels += use.is_cancel
        known.signatures += not use.is_cancel
        known.digests.add(digest)
        if known.line != line or at_ms - known.charged_at_ms >= DAY_MS:
            known.line, known.charged, known.charged_at_ms = line, total, at_ms
        else:
            known.charged = _greater(known.charged, total)


def hold(envelope: bytes, issuers: Mapping[str, Issuer]) -> Held:
    """Return the capability in ``envelope`` with its policies bound.

    Raises
    ------
    Denied
        ``capability_invalid``, or ``policy_unknown`` for a policy that this signer does not have.
    """
    capability = open_capability(envelope, issuers)
    return Held(
        capability,
        line_of(capability),
        tuple(bind_policy(one.name, one.terms) for one in capability.policies),
        {price.token: TokenPrice(price.price_usd_e8, price.decimals) for price in capability.prices},
    )


def line_of(capability: Capability) -> Line:
    """Return the line that a capability's serials and limits belong to."""
    return Line(capability.desk, capability.chain_id, capability.key_address, capability.purpose)


def _greater(one: Charge, other: Charge) -> Charge:
    return Charge(
        notional_usd_e6=max(one.notional_usd_e6, other.notional_usd_e6),
        at_risk_usd_e6=max(one.at_risk_usd_e6, other.at_risk_usd_e6),
        transactions=max(one.transactions, other.transactions),
        unvalued=one.unvalued or other.unvalued,
    )
