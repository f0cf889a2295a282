"""Hand-written fakes of our own interfaces: a chain in memory and a desk with one plan.

The chain keeps what a real node keeps (mempool, nonces, receipts) and outlives the process that
talks to it. Real nodes stand behind the same street in tests/journeys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from tidegate.chain import BlockReference, FeeHistory, address, keccak256
from tidegate.model import (
    Address,
    Ambiguous,
    Block,
    Bound,
    Denied,
    GuardResult,
    Intent,
    Operation,
    Placement,
    Plan,
    Probe,
    Receipt,
    Rejected,
    Revert,
    Step,
    TidegateError,
    Unavailable,
)
from tidegate.pipeline import Rehearsal

EXECUTOR = address(0xEE)
TOKEN = address(0xAA)


def intent(
    name: str = "one",
    *,
    deadline_s: int = 1_000,
    operation: Operation = Operation.OPEN,
    venues: tuple[str, ...] | None = None,
) -> Intent:
    return Intent(
        id=name,
        desk="fake",
        chain_id=31337,
        subject="strategy",
        reason="a test",
        deadline_s=deadline_s,
        notional_usd_e6=1,
        body={},
        operation=operation,
        venues=(f"venue-{name}",) if venues is None else venues,
    )


def plan_of(wanted: Intent, *, floor: int = 5) -> Plan:
    return Plan(
        intent_id=wanted.id,
        desk="fake",
        chain_id=31337,
        to=EXECUTOR,
        data=wanted.id.encode(),
        value_wei=0,
        gas_limit=100_000,
        max_fee_wei=10,
        max_priority_fee_wei=1,
        deadline_s=wanted.deadline_s,
        bounds=(Bound(TOKEN, "TOK", 6, floor),),
        steps=(Step(1, "sell", "sell it", EXECUTOR),),
        program_hash="0x00",
        at_risk_usd_e6=1,
        flow_usd_e6=1,
        prices_usd_e8={"TOK": 10**8, "native": 3_000 * 10**8},
    )


class FakeReader:
    def __init__(self, delta: int = 7) -> None:
        self.delta = delta
        self.logs_delta = delta

    def probe_data(self, plan: Plan) -> bytes:
        return b"probe" + plan.data

    def read_probe(self, plan: Plan, revert_data: bytes) -> Probe | None:
        return None if revert_data == b"failed" else Probe((self.delta,), (("sell", 100),))

    def explain(self, plan: Plan, revert_data: bytes) -> tuple[Revert, str | None]:
        return Revert("error", revert_data.decode()), "sell"

    def deltas(self, plan: Plan, receipt: Receipt) -> tuple[int, ...]:
        return (self.logs_delta,)

    def holders(self, plan: Plan, deltas: tuple[int, ...]) -> tuple[Address, ...]:
        return tuple(plan.to for _ in deltas)


class FakeDesk:
    name = "fake"

    def __init__(self) -> None:
        self.reader = FakeReader()
        self.refusal: Denied | None = None
        self.guards: Sequence[GuardResult] = (guard(passed=True),)
        self.planned = 0
        self.after_fails: TidegateError | None = None
        self.breaks: Exception | None = None
        self.waits_for = ""
        self.at_risk_usd_e6 = 1

    async def plan(self, wanted: Intent) -> Plan:
        self.planned += 1
        if self.waits_for == wanted.id:
            await asyncio.Event().wait()
        if self.breaks is not None:
            raise self.breaks
        if self.refusal is not None:
            raise self.refusal
        return msgspec.structs.replace(plan_of(wanted), at_risk_usd_e6=self.at_risk_usd_e6)

    async def guards_before(self, plan: Plan) -> Sequence[GuardResult]:
        return self.guards

    async def guards_after(self, plan: Plan, receipt: Receipt) -> Sequence[GuardResult]:
        if self.after_fails is not None:
            raise self.after_fails
        return ()


def guard(*, passed: bool, on_failure: str = "revert") -> GuardResult:
    return GuardResult(
        guard="limit_of_test",
        placement=Placement.PRE,
        passed=passed,
        code="x",
        measured=2,
        bound=1,
        unit="bps",
        at_block=1,
        on_failure=on_failure,
    )


@dataclass
class FakeChain:
    """A node: what it was sent stays with it, whatever happens to the sender."""

    time_s: int = 100
    number: int = 1
    mempool: dict[bytes, bytes] = field(default_factory=dict)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    included: list[bytes] = field(default_factory=list)
    sends: int = 0
    foreign_nonces: int = 0
    rehearsal_ok: bool = True
    gas_needed: int = 50_000
    probe_answer: bytes = b"ok"
    on_send: Exception | None = None
    keeps_bytes: bool = True
    status: int = 1
    errors_about: dict[bytes, Exception] = field(default_factory=dict)
    silent_about: set[bytes] = field(default_factory=set)
    data_fee: int | Denied = 0
    forks: int = 0

    def hash_of(self, number: int) -> bytes:
        return keccak256(f"{self.forks} {number}".encode())

    async def block(self, reference: BlockReference | None = None) -> Block:
        number = reference if isinstance(reference, int) else self.number
        return Block(number, self.time_s, 1, 30_000_000, self.hash_of(number))

    async def nonce(self, account: Address, block: BlockReference = "latest") -> int:
        waiting = len(self.mempool) if block == "pending" else 0
        return len(self.included) + self.foreign_nonces + waiting

    async def simulate(self, plan: Plan, *, sender: Address, probe_data: bytes = b"") -> Rehearsal:
        return Rehearsal(
            block_number=self.number,
            succeeded=self.rehearsal_ok,
            gas_used=40_000,
            gas_needed=self.gas_needed,
            logs=(),
            output=b"" if self.rehearsal_ok else b"too little",
            probe_output=self.probe_answer,
        )

    async def data_fee_wei(self, plan: Plan, *, sender: Address) -> int:
        if isinstance(self.data_fee, Denied):
            raise self.data_fee
        return self.data_fee

    async def fee_history(self, blocks: int = 20, percentiles: Sequence[float] = (60,)) -> FeeHistory:
        return FeeHistory(self.number, (1, 1), (0.5,), ((1,),))

    async def send_raw(self, raw: bytes) -> bytes:
        self.sends += 1
        known = keccak256(raw)
        if isinstance(self.on_send, Rejected):
            raise self.on_send
        if self.keeps_bytes and known not in self.receipts:
            self._replace_in_mempool(known, raw)
        if isinstance(self.on_send, Ambiguous):
            raise self.on_send
        return known

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        if transaction_hash in self.errors_about:
            raise self.errors_about[transaction_hash]
        if transaction_hash in self.silent_about:
            raise Unavailable("the node does not answer")
        return self.receipts.get(transaction_hash)

    async def knows(self, transaction_hash: bytes) -> bool:
        return transaction_hash in self.mempool or transaction_hash in self.receipts

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        return b"too little"

    def mine(self, *, seconds: int = 12) -> None:
        self.number += 1
        self.time_s += seconds
        waiting = sorted(self.mempool.items(), key=lambda item: nonce_of(item[1]))
        for known, raw in waiting:
            if nonce_of(raw) != len(self.included) + self.foreign_nonces:
                continue
            self.included.append(self.mempool.pop(known))
            self.receipts[known] = Receipt(
                known,
                self.status,
                40_000,
                self.number,
                (),
                effective_gas_price_wei=9,
                block_hash=self.hash_of(self.number),
            )

    def reorganise(self) -> None:
        """Take the newest block away with everything in it; another will come in its place."""
        self.forks += 1
        gone = [known for known, receipt in self.receipts.items() if receipt.block_number == self.number]
        for known in gone:
            del self.receipts[known]
            self.included = [raw for raw in self.included if keccak256(raw) != known]

    def forget_mempool(self) -> None:
        self.mempool.clear()

    def _replace_in_mempool(self, known: bytes, raw: bytes) -> None:
        self.mempool = {key: one for key, one in self.mempool.items() if nonce_of(one) != nonce_of(raw)}
        self.mempool[known] = raw


def nonce_of(raw: bytes) -> int:
    return int(TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["nonce"])


def content_of(raw: bytes) -> tuple[Address, bytes]:
    """Return to whom signed bytes go, and with what data."""
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return address(bytes(fields["to"])), bytes(fields["data"])
