"""Shadow: plans are judged against the blocks that followed, and never sent.

The plan's very bytes run on each block's own state up to the deadline: after everything that others did
there, which is the worst place in the block. The first block that could have held them is the verdict, and
with it the run ends; the later ones tell what waiting would have done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tidegate.ledger import Body, SimulationBody
from tidegate.ledger.judgements import JudgementBody
from tidegate.model import Address, Block, Outcome, OutcomeKind, Plan, Receipt, Rejected
from tidegate.pipeline.chain import Rehearsal
from tidegate.pipeline.desk import PlanReader
from tidegate.pipeline.run import Run
from tidegate.pipeline.settle import value_usd_e6

Write = Callable[[Run, Body], object]
NOTHING_SENT = "judged on the block that followed; nothing was sent"


class JudgedChain(Protocol):
    """What a judge asks of the chain; ``NodeChain`` answers."""

    async def block(self, number: int | None = None) -> Block:
        """Return the newest block, or the one with a number."""
        ...

    async def simulate(
        self, plan: Plan, *, sender: Address, probe_data: bytes = b"", at: Block | None = None
    ) -> Rehearsal:
        """Run the plan's bytes on top of ``at``."""
        ...


class Judge:
    """The fate of plans in shadow.

    Parameters
    ----------
    chain, reader, account
        Where later blocks are read, what reads the desk's plans back, and from whom they would have come.
    """

    def __init__(self, chain: JudgedChain, reader: PlanReader, account: Address) -> None:
        self._chain, self._reader, self._account = chain, reader, account
        self._ended: list[tuple[Run, Plan, Write]] = []

    async def of(self, run: Run, plan: Plan, write: Write) -> Outcome | None:
        """Judge the plan on the blocks that came since; the first that could have held it decides."""
        head = await self._chain.block()
        while (body := await self._judge_next(run, plan, head, write)) is not None:
            if body.kind is not OutcomeKind.DROPPED:
                self._ended.append((run, plan, write))
                return _outcome(run, body)
        if head.timestamp < plan.deadline_s:
            return None
        why = "no block before the deadline could have held it; nothing was sent"
        return Outcome(intent_id=run.intent.id, kind=OutcomeKind.DROPPED, detail=why)

    async def go_on(self) -> None:
        """Judge runs that have their verdict on later blocks too, until their deadlines are over.

        Raises
        ------
        Unavailable
            If a block can not be read just now; the next call asks for it again.
        """
        head = await self._chain.block()
        for item in list(self._ended):
            run, plan, write = item
            while await self._judge_next(run, plan, head, write) is not None:
                pass
            if head.timestamp >= plan.deadline_s:
                self._ended.remove(item)

    async def _judge_next(self, run: Run, plan: Plan, head: Block, write: Write) -> JudgementBody | None:
        """Write the judgement of the next block that has not judged the run; None if there is none."""
        assert run.simulated is not None
        number = (run.judged_block or run.simulated.block_number) + 1
        if number > head.number:
            return None
        block = await self._chain.block(number)
        if block.timestamp >= plan.deadline_s:
            return None
        body = await self._judge(plan, run.simulated, block)
        write(run, body)
        run.judged_block = number
        return body

    async def _judge(self, plan: Plan, simulated: SimulationBody, block: Block) -> JudgementBody:
        behind = block.number - simulated.block_number
        try:
            rehearsal = await self._chain.simulate(plan, sender=self._account, at=block)
        except Rejected as refusal:
            kind, why = OutcomeKind.DROPPED, refusal.message
            return JudgementBody(block_number=block.number, behind=behind, kind=kind, revert=why)
        cost_wei = rehearsal.gas_used * _price_wei(plan, block)
        if not rehearsal.succeeded:
            revert, step = self._reader.explain(plan, rehearsal.output)
            return JudgementBody(
                block_number=block.number,
                behind=behind,
                kind=OutcomeKind.REVERTED,
                gas_used=rehearsal.gas_used,
                revert=str(revert),
                failing_step=step,
                gas_cost_wei=cost_wei,
                value_usd_e6=value_usd_e6(plan, tuple(0 for _ in plan.bounds), cost_wei),
            )
        deltas = self._reader.deltas(plan, _as_receipt(rehearsal, block))
        return JudgementBody(
            block_number=block.number,
            behind=behind,
            kind=OutcomeKind.LANDED,
            gas_used=rehearsal.gas_used,
            deltas=tuple(str(delta) for delta in deltas),
            drift=tuple(
                str(delta - int(planned)) for delta, planned in zip(deltas, simulated.deltas, strict=True)
            ),
            gas_cost_wei=cost_wei,
            value_usd_e6=value_usd_e6(plan, deltas, cost_wei),
        )


def _price_wei(plan: Plan, block: Block) -> int:
    """Return what a unit of gas would have cost in the block, by EIP-1559."""
    return min(plan.max_fee_wei, block.base_fee_wei + plan.max_priority_fee_wei)


def _as_receipt(rehearsal: Rehearsal, block: Block) -> Receipt:
    return Receipt(
        transaction_hash=b"",
        status=1,
        gas_used=rehearsal.gas_used,
        block_number=block.number,
        logs=rehearsal.logs,
    )


def _outcome(run: Run, body: JudgementBody) -> Outcome:
    why = f"step {body.failing_step}: {body.revert}" if body.failing_step else body.revert
    return Outcome(
        intent_id=run.intent.id,
        kind=body.kind,
        detail="; ".join(part for part in (why, NOTHING_SENT) if part),
        block_number=body.block_number,
        gas_used=body.gas_used,
        deltas=tuple(int(delta) for delta in body.deltas),
    )
