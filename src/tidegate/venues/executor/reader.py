"""Reads an executor plan back: its probe, its reverts by step, what a receipt says it changed."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.chain import Abi, address, event_topic
from tidegate.model import ZERO_ADDRESS, Address, Divergence, Plan, Probe, Receipt, Revert
from tidegate.venues.executor.abi import (
    Simulated,
    decode_execute,
    decode_executed,
    decode_simulated,
    encode_simulate,
    gas_by_tag,
)
from tidegate.venues.executor.disassembler import disassemble
from tidegate.venues.executor.errors import NO_NAMES, Glossary, decode_error
from tidegate.venues.executor.program import Flash, Program, walk
from tidegate.venues.executor.wording import worded

_TRANSFER = event_topic("Transfer(address,address,uint256)")
_WRAPPED = event_topic("Deposit(address,uint256)")
_UNWRAPPED = event_topic("Withdrawal(address,uint256)")


class ExecutorReader:
    """Reads plans whose bytes are ``execute`` calls of one executor.

    Parameters
    ----------
    treasury
        Where payouts go: what a flagged line gained left the executor for it.
    weth
        The wrapped coin, which reports wrapping by its own two events and no transfer.
    abis, glossary
        ABIs of called protocols and what people call things, to name a step's own revert.
    """

    def __init__(
        self,
        *,
        treasury: Address,
        weth: Address,
        abis: Iterable[Abi] = (),
        glossary: Glossary = NO_NAMES,
    ) -> None:
        self._treasury = treasury
        self._weth = weth
        self._abis = tuple(abis)
        self._glossary = glossary

    def probe_data(self, plan: Plan) -> bytes:
        """Return the ``simulate`` call of the plan's own program."""
        return encode_simulate(decode_execute(plan.data))

    def read_probe(self, plan: Plan, revert_data: bytes) -> Probe | None:
        """Return deltas and gas by step, or None if the probe failed before its end.

        Gas is summed by step id; checks of the strategy's own guards stand under ``guards``. What
        the trace can not tell apart (the last step of a frame, repayment, settlement) is ``rest``.
        """
        simulated = decode_simulated(revert_data)
        if simulated is None:
            return None
        program = disassemble(decode_execute(plan.data))
        return Probe(deltas=simulated.deltas, gas_by_step=_gas_by_step(plan, program, simulated))

    def explain(self, plan: Plan, revert_data: bytes) -> tuple[Revert, str | None]:
        """Return the innermost revert, in words where it is the executor's own, and the failing step's id."""
        error = decode_error(revert_data, plan, abis=self._abis, glossary=self._glossary)
        return worded(error.root.revert, plan, self._glossary), error.step_id

    def deltas(self, plan: Plan, receipt: Receipt) -> tuple[int, ...]:
        """Return what each bound's token changed by, before payout.

        The first line's change stands in ``Executed``; the others are their tokens' transfers
        to and from the executor, leaving out what was paid to the treasury. ETH, if it is
        bound, is always the first line.

        Raises
        ------
        Divergence
            If the receipt holds no single ``Executed`` of this executor.
        """
        executed = decode_executed(receipt.logs, plan.to)
        if len(executed) != 1:
            raise Divergence(
                "the receipt does not report one run of the executor",
                found=f"{len(executed)} Executed events of {plan.to}",
                allowed="exactly 1",
                fix="compare the receipt with the plan in the journal",
            )
        changes = [executed[0].delta]
        for bound in plan.bounds[1:]:
            if bound.token == ZERO_ADDRESS:
                raise Divergence("ETH is bound and is not the first line", found=str(plan.bounds))
            changes.append(self._moved(receipt, bound.token, plan.to, payout=bound.payout))
        return tuple(changes)

    def holders(self, plan: Plan, deltas: tuple[int, ...]) -> tuple[Address, ...]:
        """Return on whose account each change stands: a gain that is paid out is the treasury's."""
        return tuple(
            self._treasury if bound.payout and delta > 0 else plan.to
            for bound, delta in zip(plan.bounds, deltas, strict=True)
        )

    def _moved(self, receipt: Receipt, token: Address, executor: Address, *, payout: bool) -> int:
        moved = 0
        for log in receipt.logs:
            if log.address != token or not log.topics:
                continue
            amount = int.from_bytes(log.data[:32])
            who = [address(topic) for topic in log.topics[1:]]
            if log.topics[0] == _TRANSFER and len(who) == 2:
                moved += amount * (who[1] == executor)
                moved -= amount * (who[0] == executor and not (payout and who[1] == self._treasury))
            elif token == self._weth and who == [executor]:
                moved += amount * ((log.topics[0] == _WRAPPED) - (log.topics[0] == _UNWRAPPED))
        return moved


def _gas_by_step(plan: Plan, program: Program, simulated: Simulated) -> tuple[tuple[str, int], ...]:
    known = gas_by_tag(simulated, program)
    own = dict(known)
    for op in walk(program.ops):
        if isinstance(op, Flash) and op.tag in own:  # its figure holds what its scope took
            own[op.tag] -= sum(known.get(inner.tag, 0) for inner in op.ops)
    steps: dict[str, int] = {}
    for step in plan.steps:
        if step.tag in own:
            name = step.step_id or "guards"
            steps[name] = steps.get(name, 0) + own[step.tag]
    return (*steps.items(), ("rest", simulated.gas_used - sum(own.values())))
