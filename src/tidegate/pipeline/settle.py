"""What became of bytes that may be out: the chain is asked, nothing is guessed.

===========================================  =====================================
the chain says                               then
===========================================  =====================================
a receipt                                    landed or reverted, booked
pending                                      wait
nonce used, our hash unknown                 Divergence: someone else has our key
unknown, before the deadline                 the same bytes are sent again
unknown, deadline over                       dropped: nobody holds the bytes any more
===========================================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.ledger import Body, BookingBody, Delta, GuardsBody, ReceiptBody, SentBody
from tidegate.model import (
    Ambiguous,
    Divergence,
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


async def settle(run: Run, *, desk: Desk, chain: ChainPort, write: Write) -> Outcome | None:
    """Return the outcome of a signed run if the chain knows it, else None.

    Raises
    ------
    Divergence
        If the nonce was used by bytes that are not ours.
    """
    assert run.signed is not None
    assert run.plan is not None
    receipt = await chain.receipt(run.signed.hash)
    if receipt is not None:
        return await _booked(run, run.plan, receipt, desk=desk, chain=chain, write=write)
    if await chain.knows(run.signed.hash):
        return None
    assert run.nonce is not None
    used = await chain.nonce(run.signed.sender)
    if used > run.nonce:
        receipt = await chain.receipt(run.signed.hash)  # it may have been included meanwhile
        if receipt is not None:
            return await _booked(run, run.plan, receipt, desk=desk, chain=chain, write=write)
        raise Divergence(
            f"nonce {run.nonce} of {run.signed.sender} was used by bytes that are not ours",
            found=f"{used} transactions included, ours (0x{run.signed.hash.hex()}) not among them",
            allowed="our own hash",
            fix="stop this key, find out who else holds it, rotate it",
        )
    head = await chain.block()
    if head.timestamp >= run.plan.deadline_s:
        return Outcome(
            intent_id=run.intent.id,
            kind=OutcomeKind.DROPPED,
            detail=f"no node holds the bytes at block {head.number} and their deadline is over",
            transaction_hash=run.signed.hash,
        )
    try:
        await chain.send_raw(run.signed.raw)
    except (Rejected, Ambiguous, Unavailable):
        return None  # some other node may hold the bytes from an earlier send: the deadline decides
    write(run, SentBody(hash="0x" + run.signed.hash.hex()))
    return None


async def _booked(
    run: Run, plan: Plan, receipt: Receipt, *, desk: Desk, chain: ChainPort, write: Write
) -> Outcome:
    why = "" if receipt.status == 1 else await _why(plan, receipt, desk, chain)
    return await book(run, plan, receipt, desk=desk, write=write, why=why)


async def book(run: Run, plan: Plan, receipt: Receipt, *, desk: Desk, write: Write, why: str = "") -> Outcome:
    """Write receipt, guards and booking, and return the outcome.

    What is written already is not written again: a kill between two of these records repeats none.
    ``why`` says in words what a receipt of status 0 failed of.
    """
    landed = receipt.status == 1
    gas_cost_wei = receipt.gas_used * receipt.effective_gas_price_wei
    deltas = desk.reader.deltas(plan, receipt) if landed else tuple(0 for _ in plan.bounds)
    if RecordKind.RECEIPT not in run.written:
        write(
            run,
            ReceiptBody(
                hash="0x" + receipt.transaction_hash.hex(),
                status=receipt.status,
                block_number=receipt.block_number,
                gas_used=receipt.gas_used,
                effective_gas_price_wei=receipt.effective_gas_price_wei,
            ),
        )
    if landed and not run.is_judged_after:
        results = await _judged_after(plan, receipt, desk)
        write(run, GuardsBody(placement=Placement.POST, results=results))
        run.is_judged_after = True
    if RecordKind.BOOKING not in run.written:
        run.booked_value_usd_e6 = value_usd_e6(plan, deltas, gas_cost_wei)
        write(
            run,
            BookingBody(
                deltas=tuple(
                    Delta(bound.token, bound.symbol, bound.decimals, delta)
                    for bound, delta in zip(plan.bounds, deltas, strict=True)
                ),
                gas_cost_wei=gas_cost_wei,
                value_usd_e6=run.booked_value_usd_e6,
            ),
        )
    return Outcome(
        intent_id=run.intent.id,
        kind=OutcomeKind.LANDED if landed else OutcomeKind.REVERTED,
        detail=why,
        transaction_hash=receipt.transaction_hash,
        block_number=receipt.block_number,
        gas_used=receipt.gas_used,
        gas_cost_wei=gas_cost_wei,
        deltas=deltas,
    )


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


async def _why(plan: Plan, receipt: Receipt, desk: Desk, chain: ChainPort) -> str:
    try:
        data = await chain.failure_data(receipt.transaction_hash)
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
