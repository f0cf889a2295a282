"""From a strategy and its terms to a program of the executor.

Literals go into call data, references become LOAD or MATH and a patch, registers are freed after
their last use, and each approval stands right before the call that it is for. Checks of guards stand
right before what they protect, or last in their scope.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.calls import CallLowering
from tidegate.desks.atomic.machine.checks import emit_number
from tidegate.desks.atomic.machine.emission import Emission, Frame
from tidegate.desks.atomic.machine.lines import bounds_of, lines_of
from tidegate.desks.atomic.machine.lowering import Constant, Held, Lowering, Operand, OutputKey, count_uses
from tidegate.desks.atomic.machine.names import Names, located
from tidegate.desks.atomic.machine.proofs import Proofs
from tidegate.desks.atomic.machine.raw_calls import OUTPUTS, RAW_CALL, RawCallLowering
from tidegate.desks.atomic.machine.terms import OPEN_FEE, Closed, GuardKey, Quote, Terms
from tidegate.model import Bound, ConfigError, Placement, Step
from tidegate.risk.guards import OnChainCheck, Position
from tidegate.venues import AddressBook
from tidegate.venues.executor import (
    Check,
    Flash,
    Op,
    Program,
    assemble,
    encoded_sizes,
)

OPEN_BASE_FEE_WEI = 2**48 - 1
STRATEGY = ""
"""The id under which the strategy's own guards stand."""


@dataclass(frozen=True, slots=True)
class QuoteProgram:
    """A program with open limits. It is simulated and read; nothing signs it.

    ``sources`` says, for each watched value, which register holds it at the end, or the value itself
    where it was known all along.
    """

    program: Program
    raw: bytes
    steps: tuple[Step, ...]
    bounds: tuple[Bound, ...]
    sources: Mapping[OutputKey, Operand]

    def values(self, registers: tuple[int, ...]) -> dict[OutputKey, int]:
        """Return the watched values after a simulation that ended with ``registers``."""
        return {
            key: source.value if isinstance(source, Constant) else registers[source.register]
            for key, source in self.sources.items()
        }


@dataclass(frozen=True, slots=True)
class SignableProgram:
    """A program whose every limit, fee and floor is closed."""

    program: Program
    raw: bytes
    steps: tuple[Step, ...]
    bounds: tuple[Bound, ...]


def compile_quote(
    strategy: syntax.Strategy,
    book: AddressBook,
    blinds: Mapping[str, int | bool | str],
    terms: Quote,
    watch: Iterable[OutputKey],
) -> QuoteProgram:
    """Compile with open limits; the values in ``watch`` can be read from the registers at the end.

    Raises
    ------
    ConfigError
        Where the file can not be compiled, with its place; ATM115 also if too much is watched at once.
    ProgramRefused
        If the program breaks a limit of the format.
    """
    compiler = _Compiler(strategy, book, blinds, terms, tuple(watch))
    program = compiler.run()
    return QuoteProgram(
        program=program,
        raw=assemble(program),
        steps=tuple(compiler.emission.steps),
        bounds=compiler.bounds,
        sources=compiler.watched(),
    )


def compile_program(
    strategy: syntax.Strategy,
    book: AddressBook,
    blinds: Mapping[str, int | bool | str],
    terms: Closed,
    *,
    is_plain: bool = False,
) -> SignableProgram:
    """Compile with closed terms. Raises as ``compile_quote`` does.

    Checks that can not fail where they stand are left out; ``is_plain`` keeps every one.
    """
    compiler = _Compiler(strategy, book, blinds, terms, (), None if is_plain else Proofs())
    program = compiler.run()
    return SignableProgram(
        program=program,
        raw=assemble(program),
        steps=tuple(compiler.emission.steps),
        bounds=compiler.bounds,
    )


def guard_output(key: GuardKey, label: str) -> OutputKey:
    """Return the name under which a guard's on-chain reading can be watched in a quote."""
    owner, index = key
    return (f"guard:{owner}:{index}", label)


class _Compiler:
    def __init__(
        self,
        strategy: syntax.Strategy,
        book: AddressBook,
        blinds: Mapping[str, int | bool | str],
        terms: Terms,
        watch: tuple[OutputKey, ...],
        proofs: Proofs | None = None,
    ) -> None:
        with located(strategy.at("executor")):
            executor = book.executor(strategy.executor).address
        self.strategy, self.terms, self.watch = strategy, terms, watch
        self.names = Names(book=book, executor=executor)
        self.bounds = bounds_of(strategy, self.names, terms)
        self.emission = Emission()
        self.lowering = Lowering(self.emission, book, executor, blinds, self._first_output)
        self._by_id = {step.id: step for step in syntax.walk(strategy.steps)}
        self.uses = count_uses(strategy.steps, self._first_output)
        self.uses.update(Counter(watch))
        self.raw_calls = RawCallLowering(self.emission, self.lowering, self.names, self.uses)
        self.calls = CallLowering(self.emission, self.lowering, self.names, terms, self.uses, {})
        self._readings: dict[OutputKey, Operand] = {}
        self._skippable: list[_Skippable] = []
        self._proofs = proofs

    def run(self) -> Program:
        self._guarded(STRATEGY, self.strategy.guards, self.strategy.steps)
        closed = self.terms if isinstance(self.terms, Closed) else None
        return Program(
            chain_id=self.names.book.chain_id,
            deadline=self.terms.deadline_s,
            max_base_fee=OPEN_BASE_FEE_WEI if closed is None else closed.max_base_fee_wei,
            registers=self.emission.registers.peak,
            lines=lines_of(self.bounds),
            ops=tuple(self.emission.frame.ops),
            run_id=None if closed is None else closed.run_id,
        )

    def watched(self) -> dict[OutputKey, Operand]:
        known = self.lowering.outputs | self.calls.inputs | self._readings
        return {key: known[key] for key in self.watch}

    def _first_output(self, step_id: str) -> str:
        step = self._by_id.get(step_id)
        if isinstance(step, syntax.FlashStep):
            return "amount"
        if isinstance(step, syntax.ActionStep):
            return OUTPUTS[0] if step.use == RAW_CALL else next(iter(self.names.spec(step).outputs), "")
        return ""

    def _guarded(
        self, owner: str, guards: tuple[syntax.GuardUse, ...], steps: tuple[syntax.StepNode, ...]
    ) -> None:
        """Emit ``steps`` with the checks of their guards before or after them."""
        for position in Position:
            if position is Position.AFTER:
                for step in steps:
                    self._step(step)
            for index, use in enumerate(guards):
                if Placement.IN not in use.placements:
                    continue
                for check in self.terms.checks.get((owner, index), ()):
                    if check.position is position and self._is_needed(check):
                        self._check((owner, index), owner, check)
                        if use.on_failure is syntax.OnFailure.SKIP:
                            self._note_skip(use, position)
            for key, check in self._implied_checks(owner, len(guards)):
                if check.position is position and self._is_needed(check):
                    self._check(key, owner, check)

    def _is_needed(self, check: OnChainCheck) -> bool:
        """Say whether a check can fail where the program stands now, and note that it holds from here on."""
        if self._proofs is None:
            return True
        if self._proofs.cover(check):
            return False
        self._proofs.note(check)
        return True

    def _changed(self) -> None:
        """Note that what was read may be another number now."""
        if self._proofs is not None:
            self._proofs.forget()

    def _implied_checks(self, owner: str, written: int) -> Iterator[tuple[GuardKey, OnChainCheck]]:
        """Yield the checks of guards that stand here without being written: their places follow the list."""
        for key, checks in sorted(self.terms.checks.items(), key=lambda item: item[0]):
            if key[0] == owner and key[1] >= written:
                yield from ((key, check) for check in checks)

    def _note_skip(self, use: syntax.GuardUse, position: Position) -> None:
        """Note that the check just emitted skips to the end of the optional group around it."""
        if not self._skippable or self._skippable[-1].frame is not self.emission.frame:
            raise _no_skip(use, "does not stand directly in an optional group")
        if position is Position.AFTER:
            raise _no_skip(use, "stands last: what it judges has run already")
        self._skippable[-1].checks.append(len(self.emission.frame.ops) - 1)

    def _group(self, group: syntax.GroupStep) -> None:
        if not group.optional:
            self._guarded(group.id, group.guards, group.steps)
            return
        self._skippable.append(_Skippable(self.emission.frame))
        self._guarded(group.id, group.guards, group.steps)
        ops = self.emission.frame.ops
        for place in self._skippable.pop().checks if isinstance(self.terms, Closed) else ():
            check = ops[place]
            assert isinstance(check, Check), "only a CHECK skips"
            ops[place] = replace(check, skip=encoded_sizes(ops[place + 1 :]))
        self._changed()

    def _step(self, step: syntax.StepNode) -> None:
        match step:
            case syntax.ActionStep():
                if step.guards:
                    self._guarded(step.id, step.guards, (replace(step, guards=()),))
                else:
                    with located(step.position):
                        self._act(step)
            case syntax.FlashStep():
                self._flash(step)
            case syntax.GroupStep():
                self._group(step)

    def _act(self, step: syntax.ActionStep) -> None:
        if step.use == RAW_CALL:
            self.raw_calls.lower(step)
        else:
            self.calls.lower(step, self.names.spec(step))
        self._changed()

    def _flash(self, step: syntax.FlashStep) -> None:
        loan = self.terms.loans[step.id]
        with located(step.at("asset")):
            token = self.names.book.token(step.asset)
        amount = self.lowering.operand(step.amount, step.id)
        register = self.lowering.register(amount, step.id)
        if isinstance(amount, Held):
            self.emission.registers.hold(register, self.uses[step.id, "amount"])
        self.lowering.outputs[step.id, "amount"] = amount
        repay_uses = self.uses[step.id, "repay"]
        repay = self.emission.registers.take(repay_uses) if repay_uses else None
        if repay is not None:
            self.lowering.outputs[step.id, "repay"] = Held(repay)
        self._changed()
        with self.emission.scope() as frame:
            for inner in step.steps:
                self._step(inner)
        self._changed()
        max_fee = self.terms.max_fees[step.id] if isinstance(self.terms, Closed) else OPEN_FEE

        def build(tag: int) -> Op:
            return Flash(
                tag=tag,
                kind=loan.kind,
                lender=loan.lender,
                token=token.address,
                amount_register=register,
                ops=tuple(frame.ops),
                repay_register=repay,
                side=loan.side,
                max_fee=max_fee,
            )

        self.emission.emit(step.id, f"borrow {step.asset} from {loan.lender_name}", loan.lender, build)
        self.emission.registers.release(register)

    def _check(self, key: GuardKey, owner: str, check: OnChainCheck) -> None:
        """Emit READ and CHECK; in a quote the READ alone, its register kept if somebody watches it."""
        reading = guard_output(key, check.label)
        watchers = self.uses[reading]
        register = emit_number(self.emission, self.names.executor, owner, check, max(watchers, 1))
        if isinstance(self.terms, Quote):
            self._readings[reading] = Held(register)
            if watchers:
                return
        else:
            self.emission.emit(
                owner,
                f"check {check.label}",
                self.names.executor,
                lambda tag: Check(tag, check.comparison, register, None, check.bound, check.bps),
            )
        self.emission.registers.release(register)


def _no_skip(use: syntax.GuardUse, why: str) -> ConfigError:
    return ConfigError(
        f"{use.name} can not skip: it {why}",
        code="ATM108",
        found="on_failure: skip",
        allowed="revert, or a check that stands before the steps of its optional group",
        position=use.position,
    )


@dataclass(slots=True)
class _Skippable:
    """An optional group while it is compiled: its frame, and where the checks are that leave it out."""

    frame: Frame
    checks: list[int] = field(default_factory=list)
