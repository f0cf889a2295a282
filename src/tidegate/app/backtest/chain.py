"""A tape as the street's chain, and what becomes of a plan on it: nothing is signed, nothing sent.

Outcomes come from the protocols' own bytecode in the fast world; gas, which that world can not tell, from
the strategy's profile at the block's base fee. What others did is in the recorded states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import msgspec

from tidegate.app.backtest.gas import GasProfile
from tidegate.ledger import Body
from tidegate.model import (
    Address,
    Block,
    ConfigError,
    Denied,
    Outcome,
    OutcomeKind,
    Plan,
    Probe,
    Reason,
    Receipt,
    Revert,
    Unavailable,
)
from tidegate.pipeline import Desk, PlanReader, Rehearsal, Run, book
from tidegate.sim import NOT_ON_TAPE, TapeWorld, TapeWorlds, WorldReverted

SUBJECT = "strategy"
"""The note of an atomic plan that names its strategy."""


class TapeReader:
    """Reads plans as the desk's own reader does, without gas by step: the fast world can not tell it."""

    def __init__(self, reader: PlanReader) -> None:
        self._reader = reader

    def probe_data(self, plan: Plan) -> bytes:
        """Return call data that runs the same program and always reverts."""
        return self._reader.probe_data(plan)

    def read_probe(self, plan: Plan, revert_data: bytes) -> Probe | None:
        """Return the balance changes that the probe reported, or None if it failed on the way."""
        probe = self._reader.read_probe(plan, revert_data)
        return None if probe is None else msgspec.structs.replace(probe, gas_by_step=())

    def explain(self, plan: Plan, revert_data: bytes) -> tuple[Revert, str | None]:
        """Return the decoded revert and the id of the step that failed, if one did."""
        return self._reader.explain(plan, revert_data)

    def deltas(self, plan: Plan, receipt: Receipt) -> tuple[int, ...]:
        """Return realised balance changes, in the order of the plan's bounds."""
        return self._reader.deltas(plan, receipt)

    def holders(self, plan: Plan, deltas: tuple[int, ...]) -> tuple[Address, ...]:
        """Return on whose account each change stands in the end."""
        return self._reader.holders(plan, deltas)


class TapeChain:
    """The street's chain over a tape; its newest block is the one that the backtest has come to."""

    def __init__(self, worlds: TapeWorlds, gas: GasProfile, *, first_block: int) -> None:
        self._worlds, self._gas = worlds, gas
        self.head = first_block

    def at(self, block: int | None) -> TapeWorld:
        """Return the state of a block, of the newest one for None. Nobody sees further than the newest."""
        if block is not None and block > self.head:
            raise Unavailable("the backtest has not come to this block", found=str(block))
        return self._worlds.at(self.head if block is None else block)

    async def block(self, number: int | None = None) -> Block:
        """Return the newest block, or the one with a number."""
        return self.at(number).block()

    async def simulate(self, plan: Plan, *, sender: Address, probe_data: bytes = b"") -> Rehearsal:
        """Run the plan's bytes in a block on top of the newest one, and the probe beside it."""
        world = self.at(None)
        gas = self._gas.at(str(plan.notes[SUBJECT]), self.head)
        try:
            with world.snapshot():
                receipt = world.transact(plan.to, plan.data, sender=sender, gas_limit=plan.gas_limit)
        except WorldReverted as error:
            return Rehearsal(self.head, False, gas.gas_used, 0, (), error.data)
        return Rehearsal(
            block_number=self.head,
            succeeded=True,
            gas_used=gas.gas_used,
            gas_needed=gas.gas_needed,
            logs=receipt.logs,
            output=receipt.output,
            probe_output=_revert_data(world, plan.to, probe_data, sender) if probe_data else b"",
        )

    async def data_fee_wei(self, plan: Plan, *, sender: Address) -> int:
        """Refuse: a tape does not hold what the parent chain takes for data. Raises ``Denied``."""
        raise Denied(
            Reason.L1_FEE_UNKNOWN,
            "a tape does not hold the parent chain's data fee",
            found=f"a plan on chain {plan.chain_id} from {sender}",
            allowed="chains that charge none",
        )

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        """Refuse: nothing was sent. Raises ``Denied``."""
        raise _refuse_send(transaction_hash)


class TapeFill:
    """The fate of plans in a backtest: each runs at the end of a later block of the tape.

    Parameters
    ----------
    latency_blocks
        How many blocks after the decision a plan runs, at the earliest: the first block from there on whose
        base fee it can pay, while its deadline lasts. 0 runs it on the state that it was decided on.
    account
        From whom plans run.
    """

    def __init__(
        self, chain: TapeChain, gas: GasProfile, desk: Desk, *, latency_blocks: int, account: Address
    ) -> None:
        self._chain, self._gas, self._desk = chain, gas, desk
        self._latency_blocks, self._account = latency_blocks, account
        self.is_over = False
        """Whether the tape has ended: what no block has taken by then is dropped."""

    async def of(self, run: Run, plan: Plan, write: Callable[[Run, Body], object]) -> Outcome | None:
        """Return how the plan ended once the block that takes it is reached.

        Raises
        ------
        ConfigError
            ``not_on_tape`` if it reads what the tape does not hold: zero would be a lie.
        """
        assert run.simulated is not None
        first = run.simulated.block_number + self._latency_blocks
        for number in range(first, self._chain.head + 1):
            block = self._chain.at(number).block()
            if block.timestamp >= plan.deadline_s:
                return _dropped(run, f"its deadline passed at block {number} and no block had taken it")
            if block.base_fee_wei <= plan.max_fee_wei:
                return await self._filled(run, plan, block, write)
        return _dropped(run, "the tape ends before a block that takes it") if self.is_over else None

    async def _filled(
        self, run: Run, plan: Plan, block: Block, write: Callable[[Run, Body], object]
    ) -> Outcome:
        world, why, status = self._chain.at(block.number), "", 1
        try:
            found = world.run_last(plan.to, plan.data, sender=self._account, gas_limit=plan.gas_limit)
            logs, output = found.logs, found.output
        except WorldReverted as error:
            revert, step = self._desk.reader.explain(plan, error.data)
            why, status = f"step {step}: {revert}" if step else str(revert), 0
            logs, output = (), error.data
        except Unavailable as error:
            refuse_missing(error)
        tip_wei = min(plan.max_priority_fee_wei, plan.max_fee_wei - block.base_fee_wei)
        receipt = Receipt(
            transaction_hash=b"",
            status=status,
            gas_used=self._gas.at(str(plan.notes[SUBJECT]), block.number).gas_used,
            block_number=block.number,
            logs=logs,
            effective_gas_price_wei=block.base_fee_wei + tip_wei,
            block_hash=block.hash,
            output=output,
        )
        return await book(run, plan, receipt, desk=self._desk, write=write, why=why)


def refuse_missing(error: Unavailable) -> NoReturn:
    """Say what the tape lacks as what a person mends; any other silence stays one."""
    if error.code != NOT_ON_TAPE:
        raise error
    raise ConfigError(
        error.message, code=NOT_ON_TAPE, found=error.found, allowed=error.allowed, fix=error.fix
    ) from error


def _revert_data(world: TapeWorld, to: Address, data: bytes, sender: Address) -> bytes:
    try:
        world.call(to, data, sender=sender)
    except WorldReverted as error:
        return error.data
    return b""


def _dropped(run: Run, why: str) -> Outcome:
    return Outcome(intent_id=run.intent.id, kind=OutcomeKind.DROPPED, detail=why)


def _refuse_send(what: bytes) -> Denied:
    return Denied(
        Reason.STAGE, "a backtest sends nothing", found=f"0x{what.hex()}", allowed="decisions on a tape"
    )
