"""A transaction that is followed: what was asked for, every version that was signed, where it stands.

It is a fold of its records: ``Tracked.take`` is the only thing that changes one, for those who write the
records and those who read them back after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import msgspec

from tidegate.chain.fees import CANCEL_GAS, Fees
from tidegate.chain.states import State
from tidegate.ledger import (
    AmbiguousBody,
    Body,
    ExpiringBody,
    NonceBody,
    OutcomeBody,
    ReceiptBody,
    ReplacementBody,
    SentBody,
    SignatureBody,
)
from tidegate.model import (
    Address,
    Denied,
    Intent,
    Operation,
    OutcomeKind,
    Plan,
    Reason,
    Receipt,
    RecordKind,
    Route,
    Sending,
    SignedTransaction,
    UnsignedTransaction,
)

Refusal: TypeAlias = Callable[[Operation], Denied | None]
"""Says, right before a signature, whether a stop or breaker forbids it just now."""


Denials: TypeAlias = Callable[[Denied], None]
"""Told of each denial by the signer, also where a replacement or a cancel was to be signed."""


def nobody_listens(denial: Denied) -> None:
    """Let a denial be what it is: whoever asked for the signature has it raised."""


def nobody_says(operation: Operation) -> Denied:
    """Refuse, because whoever knows of stops and breakers has not been named yet."""
    return Denied(
        Reason.UNAVAILABLE,
        f"nobody says whether to {operation} is stopped",
        found="a transaction that no street has taken up",
        allowed="a signature for a street that asks its stops first",
    )


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a desk wants included: the content, what it may cost, until when.

    ``gas_budget_wei`` is the most that all its gas may cost, whatever is signed under its nonce: the
    plan's bounds were made for it.
    """

    intent_id: str
    desk: str
    chain_id: int
    plan_digest: str
    to: Address
    data: bytes
    value_wei: int
    gas_limit: int
    fees: Fees
    gas_budget_wei: int
    deadline_s: int
    operation: Operation
    sending: Sending | None = None

    @classmethod
    def of(cls, intent: Intent, plan: Plan) -> Self:
        """Return the work of a plan."""
        return cls(
            intent_id=intent.id,
            desk=plan.desk,
            chain_id=plan.chain_id,
            plan_digest=plan.digest,
            to=plan.to,
            data=plan.data,
            value_wei=plan.value_wei,
            gas_limit=plan.gas_limit,
            fees=Fees(plan.max_fee_wei, plan.max_priority_fee_wei),
            gas_budget_wei=plan.gas_at_worst_wei,
            deadline_s=plan.deadline_s,
            operation=intent.operation,
            sending=plan.sending,
        )

    def unsigned(self, nonce: int, fees: Fees, *, is_legacy: bool) -> UnsignedTransaction:
        """Return the transaction under ``nonce`` that offers ``fees``."""
        return UnsignedTransaction(
            chain_id=self.chain_id,
            nonce=nonce,
            to=self.to,
            data=self.data,
            value_wei=self.value_wei,
            gas_limit=self.gas_limit,
            max_fee_wei=fees.max_fee_wei,
            max_priority_fee_wei=fees.max_priority_fee_wei,
            is_legacy=is_legacy,
        )

    def cancel(
        self, account: Address, nonce: int, fees: Fees, *, is_legacy: bool, gas_limit: int = CANCEL_GAS
    ) -> UnsignedTransaction:
        """Return what only uses up ``nonce``: nothing, from the account to itself."""
        return UnsignedTransaction(
            chain_id=self.chain_id,
            nonce=nonce,
            to=account,
            data=b"",
            value_wei=0,
            gas_limit=gas_limit,
            max_fee_wei=fees.max_fee_wei,
            max_priority_fee_wei=fees.max_priority_fee_wei,
            is_legacy=is_legacy,
        )


class Version(msgspec.Struct, frozen=True):
    """Signed bytes under the transaction's nonce."""

    signed: SignedTransaction
    fees: Fees
    is_cancel: bool

    @property
    def hash(self) -> bytes:
        """Return the hash by which chains know it."""
        return self.signed.hash


@dataclass(slots=True)
class Tracked:
    """A transaction and how far it came.

    ``route`` is the one that took the bytes, ``until_block`` the last block for which they are offered as a
    bundle: None where nobody took them yet, or a reorg has let them out again.

    The last six fields are not in the journal and are learnt again; what is not known is taken at its
    worst. ``refusal`` is asked right before each signature, ``denied`` told why the signer gave none,
    ``receipt`` has the logs, ``waits_since`` is
    the head since which the newest version waits for a block, ``may_be_signed`` whether the
    signer may have signed what we do not hold, ``unwanted`` why a bundle is to be taken back.
    """

    work: Work
    state: State = State.PLANNED
    nonce: int | None = None
    versions: list[Version] = field(default_factory=list)
    accepted: set[bytes] = field(default_factory=set)
    included: ReceiptBody | None = None
    ended: OutcomeKind | None = None
    is_refused: bool = False
    withdrawals: int = 0
    route: Route | None = None
    until_block: int | None = None
    refusal: Refusal = nobody_says
    denied: Denials = nobody_listens
    receipt: Receipt | None = None
    waits_since: int | None = None
    may_be_signed: bool = True
    unwanted: str = ""

    @property
    def newest(self) -> Version:
        """Return the version that was signed last."""
        return self.versions[-1]

    @property
    def cancel(self) -> Version | None:
        """Return the newest cancel, if one was signed."""
        return next((one for one in reversed(self.versions) if one.is_cancel), None)

    @property
    def replacements(self) -> int:
        """Return how often the newest content was signed anew with higher fees."""
        return sum(one.is_cancel is self.newest.is_cancel for one in self.versions) - 1

    @property
    def is_open(self) -> bool:
        """Say whether signed bytes exist whose nonce no block has used, as far as is known."""
        return self.state in (State.SIGNED, State.SENT, State.AMBIGUOUS, State.EXPIRING)

    @property
    def leaves_a_gap(self) -> bool:
        """Say whether it has ended without using its nonce."""
        return self.nonce is not None and self.state in (State.DENIED, State.REJECTED)

    @property
    def is_offered(self) -> bool:
        """Say whether its content is, or may be, with relays that can still take it back."""
        sending = self.work.sending
        if sending is None or Route.BUNDLE not in sending.order or not self.is_open or not self.versions:
            return False
        is_in_doubt = self.state is not State.SENT or self.withdrawals > 0
        return self.route is Route.BUNDLE or (self.route is None and is_in_doubt)

    def is_due_to_cancel(self, chain_time_s: int) -> bool:
        """Say whether its content must not be sent any more: too late, or ended, or cancelled already."""
        has_ended = self.ended in (OutcomeKind.DENIED, OutcomeKind.REJECTED)
        is_over = chain_time_s >= self.work.deadline_s or self.is_refused
        return is_over or has_ended or self.cancel is not None

    def why_taken_back(self, head_number: int) -> str:
        """Return why a bundle is over before its deadline: its blocks, a stop, a guard; empty if it is not.

        A bundle costs nothing to take back, so stops and breakers end one that is offered, too.
        """
        if not self.is_offered:
            return ""
        if self.until_block is not None and head_number > self.until_block:
            return f"its last block was {self.until_block}"
        refusal = self.refusal(self.work.operation)
        return self.unwanted if refusal is None else str(refusal)

    def take(self, kind: RecordKind, body: Body | None) -> None:
        """Fold one record of the intent; kinds that say nothing of the transaction change nothing."""
        match body:
            case NonceBody():
                self.nonce, self.state = body.nonce, State.RESERVED
            case SignatureBody():
                self._add(body, is_cancel=False)
                self.state = State.SIGNED
            case ReplacementBody():
                self._add(body, is_cancel=body.is_cancel)
                self.state = State.EXPIRING if body.is_cancel else State.SIGNED
            case SentBody():
                self.accepted.add(_octets(body.hash))
                if self.state is not State.EXPIRING:
                    self.route = body.route or self.route
                    self.until_block = body.until_block or self.until_block
                self.state = State.EXPIRING if self.state is State.EXPIRING else State.SENT
            case AmbiguousBody():
                self.state = State.AMBIGUOUS
                self.is_refused = self.is_refused or body.is_refused
            case ExpiringBody():
                self.state = State.EXPIRING
            case ReceiptBody():
                self.included = body
                if body.is_cancel:
                    self.state = State.CANCELLED
                else:
                    self.state = State.LANDED if body.status == 1 else State.REVERTED
            case OutcomeBody():
                self._end(body.kind)
            case _:
                self._take_kind(kind)

    def _take_kind(self, kind: RecordKind) -> None:
        match kind:
            case RecordKind.WITHDRAWN:
                self.included = self.receipt = self.waits_since = None
                self.route = self.until_block = None
                self.withdrawals += 1
                self.state = State.SENT
                if self.ended not in (OutcomeKind.DENIED, OutcomeKind.REJECTED):
                    self.ended = None
            case RecordKind.CONFIRMED:
                self.state = State.CONFIRMED
            case RecordKind.FINALISED:
                self.state = State.FINALISED
            case RecordKind.HALT:
                self.state = State.DIVERGENT
            case _:
                pass

    def _end(self, kind: OutcomeKind) -> None:
        self.ended = kind
        if self.included is not None:
            return  # a cancel has used the nonce up
        if kind is OutcomeKind.DENIED:
            self.state = State.DENIED
        elif kind is OutcomeKind.REJECTED:
            self.state = State.REJECTED

    def _add(self, body: SignatureBody | ReplacementBody, *, is_cancel: bool) -> None:
        self.waits_since = None
        self.versions.append(
            Version(
                SignedTransaction(hash=_octets(body.hash), raw=_octets(body.raw), sender=body.sender),
                Fees(body.max_fee_wei, body.max_priority_fee_wei),
                is_cancel,
            )
        )


def _octets(text: str) -> bytes:
    return bytes.fromhex(text[2:])
