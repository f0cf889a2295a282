"""From expressions to numbers and registers: what is known becomes a literal, the rest LOAD and MATH."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.emission import Emission
from tidegate.model import BPS, UINT256_MAX, Address, ConfigError, mul_div_down, mul_div_up
from tidegate.venues import AddressBook
from tidegate.venues.executor import Load, Math, MathFunction

IMMEDIATE_MAX = 2**128 - 1
LOADED_MAX = 2**224 - 1
"""The largest literal of a LOAD: its operand has 28 bytes."""

OutputKey: TypeAlias = tuple[str, str]
"""A step's id and the name of one of its outputs."""


class Rounding(StrEnum):
    """Down for what is spent and for minimum outputs, up for limits on spending."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that is known when the program is written."""

    value: int


@dataclass(frozen=True, slots=True)
class Held:
    """A number that a register will hold when the program runs. Whoever gets one releases it once."""

    register: int


Operand: TypeAlias = Constant | Held


def count_uses(steps: tuple[syntax.StepNode, ...], first_output: Callable[[str], str]) -> Counter[OutputKey]:
    """Return how many times each output is named in ``steps``.

    ``first_output`` gives the name that ``$step`` without an output stands for.
    """
    uses: Counter[OutputKey] = Counter()
    for step in syntax.walk(steps):
        for value in _values(step):
            for part in syntax.parts(value):
                if isinstance(part, syntax.OutputRef):
                    uses[part.step, part.output or first_output(part.step)] += 1
    return uses


class Lowering:
    """Turns expressions into operands, emitting what must be computed on chain.

    Parameters
    ----------
    emission
        Where operations go.
    book
        For the tokens whose balances are read.
    executor
        Shown as the target of operations that call nobody.
    blinds
        Values of the blinds, in base units, bps, seconds or plain.
    first_output
        The name that ``$step`` without an output stands for.
    """

    def __init__(
        self,
        emission: Emission,
        book: AddressBook,
        executor: Address,
        blinds: Mapping[str, int | bool | str],
        first_output: Callable[[str], str],
    ) -> None:
        self.outputs: dict[OutputKey, Operand] = {}
        self._emission = emission
        self._book = book
        self._executor = executor
        self._blinds = blinds
        self._first_output = first_output

    def operand(self, value: syntax.Expression, step_id: str, rounding: Rounding = Rounding.DOWN) -> Operand:
        """Return what ``value`` is worth; a register that is returned is held for the caller.

        Raises
        ------
        ConfigError
            If it names an output that no step before gave, or is known to fall below zero or not to
            fit 256 bits.
        """
        operand = self._operand(value, step_id, rounding)
        if isinstance(operand, Constant) and operand.value > UINT256_MAX:
            raise ConfigError(
                "the amount is larger than any amount",
                code="ATM112",
                found=str(operand.value),
                allowed="less than 2^256",
                position=value.position,
            )
        return operand

    def _operand(self, value: syntax.Expression, step_id: str, rounding: Rounding) -> Operand:
        match value:
            case syntax.Literal():
                return Constant(value.base_units)
            case syntax.BlindRef():
                return Constant(self.blind_number(value))
            case syntax.OutputRef():
                return self._output(value)
            case syntax.BalanceOf():
                token = self._book.token(value.token)
                register = self._emission.registers.take()
                self._emission.emit(
                    step_id,
                    f"load the balance of {value.token}",
                    self._executor,
                    lambda tag: Load.balance(tag, register, token.address),
                )
                return Held(register)
            case syntax.Percent():
                return self._percent(value, step_id, rounding)
            case syntax.Scale():
                return self._scale(value, step_id, rounding)
            case _:
                return self._pair(value, step_id, rounding)

    def register(self, operand: Operand, step_id: str) -> int:
        """Return a register with the operand's number; the caller releases it once.

        Raises
        ------
        ConfigError
            ATM112 if the number is larger than a program can load.
        """
        if isinstance(operand, Held):
            return operand.register
        if operand.value > LOADED_MAX:
            raise ConfigError(
                "an amount that is approved, sent or computed with is larger than a program can load",
                code="ATM112",
                found=str(operand.value),
                allowed="less than 2^224",
                fix="write how much is meant, such as balance(WETH)",
            )
        return self._emission.literal(operand.value, step_id, self._executor)

    def release(self, operand: Operand) -> None:
        """Note that the caller is done with ``operand``."""
        if isinstance(operand, Held):
            self._emission.registers.release(operand.register)

    def blind_text(self, value: syntax.BlindRef) -> str:
        """Return the text of a blind, such as an address; empty if it has none."""
        given = self._blinds.get(value.name)
        return given if isinstance(given, str) else ""

    def blind_number(self, value: syntax.BlindRef) -> int:
        """Return the number of a blind, 1 or 0 of a flag.

        Raises
        ------
        ConfigError
            ATM113 if it has none.
        """
        given = self._blinds.get(value.name)
        if not isinstance(given, int):
            raise ConfigError(
                f"blind {value.name} has no number",
                code="ATM113",
                found="no value" if given is None else type(given).__name__,
                allowed="a number within its range",
                fix=f"give {value.name} in the blinds file",
                position=value.position,
            )
        return int(given)

    def _output(self, value: syntax.OutputRef) -> Operand:
        key = (value.step, value.output or self._first_output(value.step))
        if key not in self.outputs:
            raise ConfigError(
                f"${key[0]}.{key[1]} is not known here",
                code="ATM120",
                found=f"${key[0]}.{key[1]}",
                allowed="an output of a step that ran before, in this scope or around it",
                fix="name an earlier step, or move this one behind it",
                position=value.position,
            )
        return self.outputs[key]

    def _percent(self, value: syntax.Percent, step_id: str, rounding: Rounding) -> Operand:
        of = self.operand(value.of, step_id, rounding)
        bps = value.bps if isinstance(value.bps, int) else self.blind_number(value.bps)
        if isinstance(of, Constant):
            divide = mul_div_down if rounding is Rounding.DOWN else mul_div_up
            return Constant(divide(of.value, bps, BPS))
        function = MathFunction.MUL_BPS_DOWN if rounding is Rounding.DOWN else MathFunction.MUL_BPS_UP
        return self._math(function, of, Constant(bps), step_id)

    def _scale(self, value: syntax.Scale, step_id: str, rounding: Rounding) -> Operand:
        limit = self.operand(value.limit, step_id, rounding)
        new = self.operand(value.new, step_id, rounding)
        old = self.operand(value.old, step_id, _opposite(rounding))
        if isinstance(old, Constant) and old.value == 0:
            raise ConfigError("scale divides by zero", found="0", allowed="> 0", position=value.position)
        if isinstance(limit, Constant) and isinstance(new, Constant) and isinstance(old, Constant):
            divide = mul_div_down if rounding is Rounding.DOWN else mul_div_up
            return Constant(divide(limit.value, new.value, old.value))
        function = MathFunction.MUL_DIV_DOWN if rounding is Rounding.DOWN else MathFunction.MUL_DIV_UP
        if isinstance(limit, Constant) and isinstance(new, Held):
            limit, new = new, limit
        return self._math(function, limit, new, step_id, divisor=old)

    def _pair(
        self,
        value: syntax.Sum | syntax.Difference | syntax.Minimum | syntax.Maximum,
        step_id: str,
        rounding: Rounding,
    ) -> Operand:
        function, fold, commutes = _PAIRS[type(value)]
        subtracted = isinstance(value, syntax.Difference)
        left = self.operand(value.left, step_id, rounding)
        right = self.operand(value.right, step_id, _opposite(rounding) if subtracted else rounding)
        if isinstance(left, Constant) and isinstance(right, Constant):
            folded = fold(left.value, right.value)
            if folded < 0:
                raise ConfigError(
                    "the difference is below zero",
                    code="ATM112",
                    found=f"{left.value} - {right.value}",
                    allowed="at least 0",
                    position=value.position,
                )
            return Constant(folded)
        if isinstance(left, Constant) and commutes:
            left, right = right, left
        return self._math(function, left, right, step_id)

    def _math(
        self, function: MathFunction, a: Operand, b: Operand, step_id: str, divisor: Operand | None = None
    ) -> Held:
        """Emit one MATH. One immediate fits; a second known number is loaded into a register first."""
        first = self.register(a, step_id)
        second, immediate = self._second(b, step_id)
        third: int | None = None
        if divisor is not None and second is None:
            third = self.register(divisor, step_id)
        elif divisor is not None:
            third, immediate = self._second(divisor, step_id)
        for register in (first, second, third):
            if register is not None:
                self._emission.registers.release(register)
        destination = self._emission.registers.take()
        self._emission.emit(
            step_id,
            f"compute {function.name.lower()}",
            self._executor,
            lambda tag: Math(tag, destination, function, first, second, third, immediate or 0),
        )
        return Held(destination)

    def _second(self, operand: Operand, step_id: str) -> tuple[int | None, int | None]:
        if isinstance(operand, Constant) and operand.value <= IMMEDIATE_MAX:
            return None, operand.value
        return self.register(operand, step_id), None


_PAIRS: dict[type[syntax.Expression], tuple[MathFunction, Callable[[int, int], int], bool]] = {
    syntax.Sum: (MathFunction.ADD, lambda a, b: a + b, True),
    syntax.Difference: (MathFunction.SUBTRACT, lambda a, b: a - b, False),
    syntax.Minimum: (MathFunction.MINIMUM, min, True),
    syntax.Maximum: (MathFunction.MAXIMUM, max, True),
}


def _opposite(rounding: Rounding) -> Rounding:
    return Rounding.UP if rounding is Rounding.DOWN else Rounding.DOWN


def _values(step: syntax.StepNode) -> Iterable[syntax.Value]:
    match step:
        case syntax.ActionStep():
            return step.inputs.values()
        case syntax.FlashStep():
            return (step.amount,)
        case syntax.GroupStep():
            return ()
