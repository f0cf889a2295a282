"""The number that a guard's check compares, brought into a register of the program."""

from __future__ import annotations

from tidegate.desks.atomic.machine.emission import Emission
from tidegate.model import Address
from tidegate.risk.guards import BalanceOf, OnChainCheck, Read
from tidegate.venues.executor import Call, Capture, Comparison, Load, Math, MathFunction


def emit_number(emission: Emission, executor: Address, owner: str, check: OnChainCheck, holders: int) -> int:
    """Emit what puts the number into a register that is held ``holders`` times, and return that.

    A quotient is rounded against the guard: down for ``AT_LEAST``, up for every other comparison.
    """
    if check.over is None:
        return _taken(emission, executor, owner, check.label, check.read, holders)
    above = _taken(emission, executor, owner, check.label, check.read, 1)
    below = _taken(emission, executor, owner, f"{check.label}, divisor", check.over, 1)
    rounds_down = check.comparison is Comparison.AT_LEAST
    function = MathFunction.MUL_DIV_DOWN if rounds_down else MathFunction.MUL_DIV_UP
    emission.registers.release(above)
    emission.registers.release(below)
    register = emission.registers.take(holders)
    emission.emit(
        owner,
        f"compute {check.label}",
        executor,
        lambda tag: Math(tag, register, function, above, None, below, check.scale),
    )
    return register


def _taken(
    emission: Emission, executor: Address, owner: str, label: str, source: Read | BalanceOf, holders: int
) -> int:
    register = emission.registers.take(holders)
    if isinstance(source, BalanceOf):
        assert source.holder == executor, "LOAD knows the executor's own balances"
        token = source.token
        emission.emit(owner, f"load {label}", executor, lambda tag: Load.balance(tag, register, token))
        return register
    target, data = source.target, source.data
    emission.emit(
        owner,
        f"read {label}",
        target,
        lambda tag: Call(tag, target, data, (), Capture(register), is_read=True),
    )
    return register
