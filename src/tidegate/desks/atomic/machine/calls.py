"""One action step turned into operations: approval, call with patches, capture of what is named later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.emission import Emission
from tidegate.desks.atomic.machine.lowering import Constant, Held, Lowering, Operand, OutputKey, Rounding
from tidegate.desks.atomic.machine.names import Names
from tidegate.desks.atomic.machine.terms import OPEN_CEILING, Closed, Terms
from tidegate.model import Address, ConfigError
from tidegate.venues import ActionKind, ActionSpec, InputType, LimitKind, Token, WordSource
from tidegate.venues.executor import Approve, Call, Capture, Load, Math, MathFunction, Patch, Take

WORD_BYTES = 32


@dataclass(slots=True)
class CallLowering:
    """Lowers action steps. ``uses`` counts how often each output is named after its step."""

    emission: Emission
    lowering: Lowering
    names: Names
    terms: Terms
    uses: Counter[OutputKey]
    inputs: dict[OutputKey, Operand]

    def lower(self, step: syntax.ActionStep, spec: ActionSpec) -> None:
        """Emit the step. Approvals stand right before the call that they are for."""
        if spec.kind is ActionKind.RESET:
            self._reset(step, spec)
            return
        rounding = _rounding(spec)
        operands = {
            name: self.lowering.operand(value, step.id, rounding)
            for name, value in step.inputs.items()
            if spec.inputs[name].type in (InputType.AMOUNT, InputType.UINT)
            and not isinstance(value, syntax.Word | syntax.Flag | syntax.Items)
        }
        self._remember_inputs(step, operands)
        limit = self._limit(step, spec)
        target = self.names.target(spec, step)
        self._approve(step, spec, operands, limit, target)
        before = self._balances_before(step, spec)
        words, patches = self._words(step, spec, operands, limit)
        value_register = None
        if spec.value is not None:
            value_register = self.lowering.register(operands[spec.value], step.id)
        path_length = sum(len(self.names.path(spec, step, word)) for word in spec.words)
        kept = self._outputs(step, spec, operands)
        for operand in operands.values():
            self.lowering.release(operand)
        if value_register is not None and isinstance(operands[spec.value or ""], Constant):
            self.emission.registers.release(value_register)
        self._call(step, spec, target, words, patches, value_register, kept, path_length)
        self._gains(step, spec, before)

    def _reset(self, step: syntax.ActionStep, spec: ActionSpec) -> None:
        """Emit an APPROVE of nothing: the scope's end reads that the allowance is zero."""
        token, spender = self.names.token(spec, step, "token"), self.names.contract(spec, step, "spender")
        self.emission.approve_once(token, spender.address, spender.name, step.id, step.position)
        register = self.lowering.register(Constant(0), step.id)
        self.emission.emit(
            step.id,
            f"reset {token.symbol}",
            token.address,
            lambda tag: Approve(tag, token.address, spender.address, register, False),
        )
        self.emission.registers.release(register)

    def _balances_before(self, step: syntax.ActionStep, spec: ActionSpec) -> dict[str, int]:
        """Load the balances that outputs are measured by; return their registers by output."""
        return {
            name: self._balance(step, self.names.token(spec, step, output.of))
            for name, output in spec.outputs.items()
            if output.gained and self.uses[step.id, name]
        }

    def _balance(self, step: syntax.ActionStep, token: Token) -> int:
        register = self.emission.registers.take()
        self.emission.emit(
            step.id,
            f"load the balance of {token.symbol}",
            self.names.executor,
            lambda tag: Load.balance(tag, register, token.address),
        )
        return register

    def _gains(self, step: syntax.ActionStep, spec: ActionSpec, before: Mapping[str, int]) -> None:
        """Publish what each measured balance grew by; one that fell reverts the run."""
        for name, start in before.items():
            end = self._balance(step, self.names.token(spec, step, spec.outputs[name].of))
            self.emission.registers.release(start)
            self.emission.registers.release(end)
            self._gain(step, name, start, end, self.emission.registers.take(self.uses[step.id, name]))

    def _gain(self, step: syntax.ActionStep, name: str, start: int, end: int, gained: int) -> None:
        self.emission.emit(
            step.id,
            f"measure {name}",
            self.names.executor,
            lambda tag: Math(tag, gained, MathFunction.SUBTRACT, end, start, None, 0),
        )
        self.lowering.outputs[step.id, name] = Held(gained)

    def _remember_inputs(self, step: syntax.ActionStep, operands: Mapping[str, Operand]) -> None:
        """Note what went in where somebody watches it, so that a quote can report it."""
        for name, operand in operands.items():
            watchers = self.uses[step.id, f"in.{name}"]
            if watchers:
                self.inputs[step.id, f"in.{name}"] = operand
                if isinstance(operand, Held):
                    self.emission.registers.hold(operand.register, watchers)

    def _limit(self, step: syntax.ActionStep, spec: ActionSpec) -> int | None:
        if spec.limit is None:
            return None
        if isinstance(self.terms, Closed):
            return self.terms.limits[step.id]
        return 0 if spec.limit.kind is LimitKind.MINIMUM_OUT else OPEN_CEILING

    def _approve(
        self,
        step: syntax.ActionStep,
        spec: ActionSpec,
        operands: Mapping[str, Operand],
        limit: int | None,
        spender: Address,
    ) -> None:
        if spec.spends is None:
            return
        token = self.names.token(spec, step, spec.spends.token)
        self.emission.approve_once(token, spender, self.names.book.name_of(spender), step.id, step.position)
        amount = Constant(limit or 0) if spec.spends.amount == "limit" else operands[spec.spends.amount]
        register = self.lowering.register(amount, step.id)
        zero_after = spec.spends.zero_after
        self.emission.emit(
            step.id,
            f"approve {token.symbol}",
            token.address,
            lambda tag: Approve(tag, token.address, spender, register, zero_after),
        )
        if isinstance(amount, Constant):
            self.emission.registers.release(register)

    def _words(
        self, step: syntax.ActionStep, spec: ActionSpec, operands: Mapping[str, Operand], limit: int | None
    ) -> tuple[list[int], list[Patch]]:
        words: list[int] = []
        patches: list[Patch] = []
        for word in spec.words:
            match word.source:
                case WordSource.CONSTANT:
                    words.append(word.constant)
                case WordSource.SELF:
                    words.append(int(self.names.executor, 16))
                case WordSource.DEADLINE:
                    words.append(self.terms.deadline_s)
                case WordSource.LIMIT:
                    words.append(limit or 0)
                case WordSource.PATH:
                    path = self.names.path(spec, step, word)
                    words += [len(path), *(int(token.address, 16) for token in path)]
                case WordSource.PACKED:
                    packed = self.names.packed_path(spec, step, word)
                    words += [len(packed), *_padded(packed)]
                case WordSource.INPUT:
                    operand = self._input(step, spec, operands, word.inputs[0])
                    if isinstance(operand, Held):
                        patches.append(Patch(len(words), operand.register))
                    words.append(operand.value if isinstance(operand, Constant) else 0)
        return words, patches

    def _input(
        self, step: syntax.ActionStep, spec: ActionSpec, operands: Mapping[str, Operand], name: str
    ) -> Operand:
        """Return what goes into the word of input ``name``; a plain integer must be known and in range."""
        operand = operands.get(name)
        wanted, value = spec.inputs[name], step.inputs.get(name)
        if operand is None and isinstance(value, syntax.BlindRef):
            return Constant(self._of_blind(step, spec, name, value))
        if operand is None:
            return Constant(self.names.word(spec, step, name))
        if wanted.type is InputType.UINT:
            if isinstance(operand, Held):
                raise _plain(step, name, "a value that only the chain knows", "a number or a blind")
            if wanted.most is not None and operand.value > wanted.most:
                raise _plain(step, name, str(operand.value), f"0 to {wanted.most}")
        return operand

    def _of_blind(self, step: syntax.ActionStep, spec: ActionSpec, name: str, value: syntax.BlindRef) -> int:
        """Return the word of a flag or an account that a blind holds."""
        if spec.inputs[name].type is InputType.FLAG:
            return self.lowering.blind_number(value)
        text = syntax.Word(self.lowering.blind_text(value), value.position)
        return self.names.word(spec, replace(step, inputs={**step.inputs, name: text}), name)

    def _outputs(
        self, step: syntax.ActionStep, spec: ActionSpec, operands: Mapping[str, Operand]
    ) -> list[str]:
        """Publish outputs that repeat an input; return the names that must be captured."""
        kept = []
        for name, output in spec.outputs.items():
            uses = self.uses[step.id, name]
            if not uses or output.gained:
                continue
            if output.same_as is None:
                kept.append(name)
                continue
            operand = operands[output.same_as]
            if isinstance(operand, Held):
                self.emission.registers.hold(operand.register, uses)
            self.lowering.outputs[step.id, name] = operand
        return kept

    def _call(
        self,
        step: syntax.ActionStep,
        spec: ActionSpec,
        target: Address,
        words: list[int],
        patches: list[Patch],
        value_register: int | None,
        kept: list[str],
        path_length: int,
    ) -> None:
        data = spec.selector + b"".join(word.to_bytes(WORD_BYTES) for word in words)
        registers = {name: self.emission.registers.take(self.uses[step.id, name]) for name in kept}
        places = {name: spec.output_word(name, path_length) or 0 for name in kept}
        capture = Capture(registers[kept[0]], places[kept[0]]) if kept else None
        self.emission.emit(
            step.id,
            f"call {spec.signature.partition('(')[0]}",
            target,
            lambda tag: Call(tag, target, data, tuple(patches), capture, value_register),
        )
        for name in kept[1:]:
            self._take(step, name, registers[name], places[name])
        for name in kept:
            self.lowering.outputs[step.id, name] = Held(registers[name])

    def _take(self, step: syntax.ActionStep, name: str, register: int, word: int) -> None:
        self.emission.emit(
            step.id, f"take {name}", self.names.executor, lambda tag: Take(tag, register, word)
        )


def _rounding(spec: ActionSpec) -> Rounding:
    """Return how a step's amounts round: what is spent down, what must come out for at most a limit up."""
    if spec.limit is not None and spec.limit.kind is LimitKind.MAXIMUM_IN:
        return Rounding.UP
    return Rounding.DOWN


def _padded(data: bytes) -> Iterator[int]:
    """Yield bytes as words, the last one filled up with zeros on its right."""
    for start in range(0, len(data), WORD_BYTES):
        yield int.from_bytes(data[start : start + WORD_BYTES].ljust(WORD_BYTES, b"\0"))


def _plain(step: syntax.ActionStep, name: str, found: str, allowed: str) -> ConfigError:
    return ConfigError(
        f"{name} of {step.id} must be a plain number",
        code="ATM112",
        found=found,
        allowed=allowed,
        position=step.input_positions.get(name, step.position),
    )
