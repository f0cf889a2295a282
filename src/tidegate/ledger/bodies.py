"""What the street's records carry: one definition for those who write them and those who read.

A body becomes the record's canonical JSON. Hashes are ``0x`` hex; amounts that may pass 2⁵³
are decimal text, so that no reader of the exported JSON rounds them. The records of one
intent share its id as their correlation id.

Examples
--------
>>> SentBody(hash="0xab").to_body()
{'hash': '0xab'}
>>> BookingBody.from_body({"deltas": [["0xC0", "WETH", 18, "-5"]], "gas_cost_wei": "7"}).gas_cost_wei
7
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec

from tidegate.ledger.body import Body as Body
from tidegate.model import (
    Address,
    Bound,
    GuardResult,
    Intent,
    OutcomeKind,
    Placement,
    Plan,
    Reason,
    RecordKind,
    Route,
    Sending,
    Stage,
    Step,
    Tampered,
)


class MarketBody(Body, frozen=True, kw_only=True):
    """An ``event``: what the market looked like at ``block``.

    ``prices`` are decimal text by name (``"WETH/USDC v2 pair"``), all of one thing in one quote
    token. ``thresholds_bps`` says which two of them are traded against each other, as
    ``"NAME | NAME"``, and the fees that the gap between them must exceed to be worth acting.
    Prices that no threshold names are for reference: a feed, the world outside.
    """

    KIND: ClassVar[RecordKind] = RecordKind.EVENT

    block: int
    prices: dict[str, str]
    base_fee_wei: int
    thresholds_bps: dict[str, int] = msgspec.field(default_factory=dict)
    kind: str = "market"


class DecisionBody(Body, frozen=True, kw_only=True):
    """A ``decision``: what a desk's pure ``decide`` was given and what it answered.

    ``inputs`` and ``config`` are everything it saw, ``result`` everything it returned: a replay
    of the first two must give the third. ``reason`` says why not, when it did not act.
    """

    KIND: ClassVar[RecordKind] = RecordKind.DECISION

    desk: str
    subject: str
    block: int
    acted: bool
    reason: Reason | None = None
    intent_id: str = ""
    inputs: dict[str, Any] = msgspec.field(default_factory=dict)
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    result: dict[str, Any] = msgspec.field(default_factory=dict)


class IntentBody(Body, frozen=True, kw_only=True):
    """An ``intent`` that the street accepted, whole."""

    KIND: ClassVar[RecordKind] = RecordKind.INTENT

    intent: Intent
    stage: Stage


class PlanBody(Body, frozen=True, kw_only=True):
    """A ``plan``, whole: a process that starts after a kill reads it back and follows it."""

    KIND: ClassVar[RecordKind] = RecordKind.PLAN

    digest: str
    program_hash: str
    intent_id: str
    desk: str
    chain_id: int
    to: Address
    data: str
    value_wei: int
    gas_limit: int
    max_fee_wei: int
    max_priority_fee_wei: int
    deadline_s: int
    bounds: tuple[Bound, ...]
    steps: tuple[Step, ...]
    at_risk_usd_e6: int
    flow_usd_e6: int
    prices_usd_e8: dict[str, int]
    notes: dict[str, Any] = msgspec.field(default_factory=dict)
    gas_budget_wei: int = 0
    sending: Sending | None = None

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return the body of ``plan``."""
        fields = {name: getattr(plan, name) for name in Plan.__struct_fields__}
        return cls(**{**fields, "data": "0x" + plan.data.hex(), "digest": plan.digest})

    def plan(self) -> Plan:
        """Return the plan that was recorded.

        Raises
        ------
        Tampered
            If its bytes do not give the recorded digest.
        """
        fields = {name: getattr(self, name) for name in Plan.__struct_fields__}
        plan = Plan(**{**fields, "data": bytes.fromhex(self.data[2:])})
        if plan.digest != self.digest:
            raise Tampered(
                f"the plan of intent {self.intent_id} does not give its digest",
                found=plan.digest,
                allowed=self.digest,
                fix="tidegate journal verify",
            )
        return plan

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with amounts that may pass 2⁵³ as decimal text."""
        body = super().to_body()
        body["value_wei"] = str(self.value_wei)
        budget_wei = body.pop("gas_budget_wei")
        if budget_wei:
            body["gas_budget_wei"] = str(budget_wei)
        if self.sending is None:
            del body["sending"]
        for bound in body["bounds"]:
            bound["floor"] = str(bound["floor"])
        return body


class SignatureBody(Body, frozen=True, kw_only=True):
    """A ``signature``: the exact bytes, durable before anything is sent, and the fees they offer."""

    KIND: ClassVar[RecordKind] = RecordKind.SIGNATURE

    nonce: int
    hash: str
    raw: str
    sender: Address
    max_fee_wei: int = 0
    max_priority_fee_wei: int = 0

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with fees as decimal text."""
        fees = {"max_fee_wei": str(self.max_fee_wei), "max_priority_fee_wei": str(self.max_priority_fee_wei)}
        return super().to_body() | fees


class SentBody(Body, frozen=True, kw_only=True):
    """The bytes known by ``hash`` left the house (``sent``).

    ``route`` is by which they left, ``by`` who took them in time, ``until_block`` the last block for which a
    bundle is offered; all empty where the chain is a node of ours.
    """

    KIND: ClassVar[RecordKind] = RecordKind.SENT

    hash: str
    route: Route | None = None
    by: tuple[str, ...] = ()
    until_block: int | None = None

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, without what does not hold of a node of ours."""
        return {name: value for name, value in super().to_body().items() if value not in (None, [], ())}


class ReceiptBody(Body, frozen=True, kw_only=True):
    """The chain's ``receipt``. ``status`` 1 landed, 0 reverted; the price is per gas.

    ``data_fee_wei`` is what the parent chain's data cost on top of the gas; ``is_cancel`` says that what
    landed only used up the nonce.
    """

    KIND: ClassVar[RecordKind] = RecordKind.RECEIPT

    hash: str
    status: int
    block_number: int
    gas_used: int
    effective_gas_price_wei: int
    block_hash: str = ""
    data_fee_wei: int = 0
    is_cancel: bool = False

    @property
    def gas_cost_wei(self) -> int:
        """Return all that it cost: gas used times the price paid, and the data fee."""
        return self.gas_used * self.effective_gas_price_wei + self.data_fee_wei


class OutcomeBody(Body, frozen=True, kw_only=True):
    """How an intent ended (``outcome``); ``reason`` where it was denied, ``detail`` for people."""

    KIND: ClassVar[RecordKind] = RecordKind.OUTCOME

    kind: OutcomeKind
    reason: Reason | None = None
    detail: str = ""


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """A realised balance change in base units; positive is gained.

    ``account`` is whose balance changed; empty: the account that the plan calls, the desk's own.
    """

    token: str
    symbol: str
    decimals: int
    amount: int
    account: str = ""


class BookingBody(Body, frozen=True, kw_only=True):
    """A ``booking``: realised balance changes, and gas used times the price paid.

    ``value_usd_e6`` is what the changes less the gas are worth at the plan's own prices.

    A reorg is booked by a second record with every sign turned round.
    """

    KIND: ClassVar[RecordKind] = RecordKind.BOOKING

    deltas: tuple[Delta, ...]
    gas_cost_wei: int
    value_usd_e6: int = 0

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with each amount as decimal text."""
        return {
            "deltas": [
                [
                    item.token,
                    item.symbol,
                    item.decimals,
                    str(item.amount),
                    *([item.account] * bool(item.account)),
                ]
                for item in self.deltas
            ],
            "gas_cost_wei": str(self.gas_cost_wei),
            "value_usd_e6": self.value_usd_e6,
        }


class GuardsBody(Body, frozen=True, kw_only=True):
    """The results of every guard of one placement (``guards``)."""

    KIND: ClassVar[RecordKind] = RecordKind.GUARDS

    placement: Placement
    results: tuple[GuardResult, ...]


class SimulationBody(Body, frozen=True, kw_only=True):
    """The plan's own bytes run at ``block_number`` from the plan's own sender."""

    KIND: ClassVar[RecordKind] = RecordKind.SIMULATION

    plan_digest: str
    block_number: int
    succeeded: bool
    gas_used: int
    deltas: tuple[str, ...]
    gas_by_step: tuple[tuple[str, int], ...] = ()
    revert: str = ""
    failing_step: str | None = None


class Margin(msgspec.Struct, frozen=True):
    """A bound, what the simulation gave, and by how much it holds. Base units as text."""

    symbol: str
    floor: str
    delta: str
    margin: str


class BoundsBody(Body, frozen=True, kw_only=True):
    """Simulated balance changes against the plan's ``bounds``."""

    KIND: ClassVar[RecordKind] = RecordKind.BOUNDS

    margins: tuple[Margin, ...]


class AuthorisationBody(Body, frozen=True, kw_only=True):
    """By what right the plan is signed (``authorisation``): a live stage names its capability."""

    KIND: ClassVar[RecordKind] = RecordKind.AUTHORISATION

    stage: Stage
    signs_with: str
    signer: Address
    capability_id: str = ""


class NonceBody(Body, frozen=True, kw_only=True):
    """A ``nonce`` reserved for an intent, before anything is signed with it."""

    KIND: ClassVar[RecordKind] = RecordKind.NONCE

    nonce: int
    account: Address


class RecoveryBody(Body, frozen=True, kw_only=True):
    """How far a start found an open intent, and what was done with it (``recovery``)."""

    KIND: ClassVar[RecordKind] = RecordKind.RECOVERY

    found: str
    done: str
