"""What a run came to, once the chain has answered: judged, booked, and booked back after a reorg.

Each record is written once: a kill between two of them repeats none.
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.ledger import Body, BookingBody, Delta, GuardsBody, ReceiptBody
from tidegate.model import (
    Address,
    GuardResult,
    Outcome,
    OutcomeKind,
    Placement,
    Plan,
    Receipt,
    RecordKind,
    Rejected,
    TidegateError,
    Unavailable,
)
from tidegate.pipeline.chain import ChainPort
from tidegate.pipeline.desk import Desk
from tidegate.pipeline.run import Run

Write = Callable[[Run, Body], object]


async def book(run: Run, plan: Plan, receipt: Receipt, *, desk: Desk, write: Write, why: str = "") -> Outcome:
    """Write receipt, guards and booking, and return the outcome.

    What is written already is not written again: a kill between two of these records repeats none.
    ``why`` says in words what a receipt of status 0 failed of.
    """
    landed = receipt.status == 1
    deltas = desk.reader.deltas(plan, receipt) if landed else tuple(0 for _ in plan.bounds)
    is_written = run.tracked is not None and run.tracked.included is not None  # the sender's own record
    if not is_written and RecordKind.RECEIPT not in run.written:
        write(
            run,
            ReceiptBody(
                hash="0x" + receipt.transaction_hash.hex(),
                status=receipt.status,
                block_number=receipt.block_number,
                gas_used=receipt.gas_used,
                effective_gas_price_wei=receipt.effective_gas_price_wei,
                block_hash="0x" + receipt.block_hash.hex(),
                data_fee_wei=receipt.data_fee_wei,
            ),
        )
    if landed and not run.is_judged_after:
        results = await _judged_after(plan, receipt, desk)
        write(run, GuardsBody(placement=Placement.POST, results=results))
        run.is_judged_after = True
    _book(run, plan, deltas, receipt.cost_wei, write, desk.reader.holders(plan, deltas))
    return Outcome(
        intent_id=run.intent.id,
        kind=OutcomeKind.LANDED if landed else OutcomeKind.REVERTED,
        detail=why,
        transaction_hash=receipt.transaction_hash,
        block_number=receipt.block_number,
        gas_used=receipt.gas_used,
        gas_cost_wei=receipt.cost_wei,
        deltas=deltas,
    )


def book_cancel(run: Run, plan: Plan, receipt: ReceiptBody, *, write: Write) -> Outcome:
    """Book what it cost to use the nonce up; nothing else happened."""
    nothing = tuple(0 for _ in plan.bounds)
    _book(run, plan, nothing, receipt.gas_cost_wei, write, tuple(plan.to for _ in nothing))
    is_refused = run.tracked is not None and run.tracked.is_refused
    return Outcome(
        intent_id=run.intent.id,
        kind=OutcomeKind.REJECTED if is_refused else OutcomeKind.DROPPED,
        detail="its nonce was used up by a cancel: the bytes can not land any more",
        transaction_hash=bytes.fromhex(receipt.hash[2:]),
        block_number=receipt.block_number,
        gas_used=receipt.gas_used,
        gas_cost_wei=receipt.gas_cost_wei,
        deltas=nothing,
    )


def book_back(run: Run, *, write: Write) -> None:
    """Book with every sign turned round what a reorg took away."""
    booked = run.booking
    if booked is None:
        return
    write(
        run,
        BookingBody(
            deltas=tuple(
                Delta(one.token, one.symbol, one.decimals, -one.amount, one.account) for one in booked.deltas
            ),
            gas_cost_wei=-booked.gas_cost_wei,
            value_usd_e6=-booked.value_usd_e6,
        ),
    )
    run.booking = None


async def why_reverted(plan: Plan, transaction_hash: bytes, *, desk: Desk, chain: ChainPort) -> str:
    """Return in words what an included transaction failed of, by its step where that is known."""
    try:
        data = await chain.failure_data(transaction_hash)
    except (Rejected, Unavailable) as silence:
        return f"the node does not say why: {silence.message}"
    revert, step = desk.reader.explain(plan, data)
    return f"step {step}: {revert}" if step else str(revert)


def value_usd_e6(plan: Plan, deltas: tuple[int, ...], gas_cost_wei: int) -> int:
    """Return what a run earned at the plan's own prices, gas taken off; rounds down.

    ``plan.prices_usd_e8`` holds one whole token's price by symbol, the native one under
    ``native``.
    """
    total_e8 = sum(
        delta * plan.prices_usd_e8[bound.symbol] // int(10**bound.decimals)
        for bound, delta in zip(plan.bounds, deltas, strict=True)
    )
    gas_e8 = -(-gas_cost_wei * plan.prices_usd_e8["native"] // 10**18)
    return (total_e8 - gas_e8) // 100


def _book(
    run: Run,
    plan: Plan,
    deltas: tuple[int, ...],
    gas_cost_wei: int,
    write: Write,
    holders: tuple[Address, ...],
) -> None:
    if run.booking is not None:
        return
    booking = BookingBody(
        deltas=tuple(
            Delta(bound.token, bound.symbol, bound.decimals, delta, "" if holder == plan.to else holder)
            for bound, delta, holder in zip(plan.bounds, deltas, holders, strict=True)
        ),
        gas_cost_wei=gas_cost_wei,
        value_usd_e6=value_usd_e6(plan, deltas, gas_cost_wei),
    )
    write(run, booking)
    run.booking = booking
    run.booked_after = run.withdrawals


async def _judged_after(plan: Plan, receipt: Receipt, desk: Desk) -> tuple[GuardResult, ...]:
    """Return the guards' results; what keeps them from being judged is itself a failed result."""
    try:
        return tuple(await desk.guards_after(plan, receipt))
    except TidegateError as error:
        return (
            GuardResult(
                guard="all",
                placement=Placement.POST,
                passed=False,
                code="not_judged",
                measured=None,
                bound=None,
                unit="",
                at_block=receipt.block_number,
                note=str(error),
            ),
        )
