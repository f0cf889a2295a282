"""What a program puts at risk and what it moves, in US dollars (``specs/atomic.md`` 6).

Both are read from the bytes' own meaning, not from what a desk claims: the signer computes them
again. Dollars are integers in millionths, rounded up: a limit is never passed by rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from tidegate.chain import address
from tidegate.model import ZERO_ADDRESS, Address, Denied, Reason, Unavailable, mul_div_up
from tidegate.venues.executor.arithmetic import evaluate
from tidegate.venues.executor.program import (
    Approve,
    Call,
    Check,
    Flash,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Op,
    Program,
    Take,
)


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars a whole token (``price_usd_e8``, 8 decimals) of ``decimals`` base-unit digits."""

    price_usd_e8: int
    decimals: int

    def usd_e6(self, amount: int) -> int:
        """Return the worth of ``amount`` base units in millionths of a dollar, rounded up."""
        return mul_div_up(amount, self.price_usd_e8, 10 ** (self.decimals + 2))


def at_risk_usd_e6(
    program: Program, prices: Mapping[Address, TokenPrice], *, gas_limit: int, max_fee_wei: int
) -> int:
    """Return Σ max(0, −floor)·price + gas limit·max fee: the most that a run can cost.

    Spending up to 0.5 WETH with 805,000 gas at 30 gwei and 3,000 dollars is 1,572.45 dollars.

    Parameters
    ----------
    program
        Its lines are the bounds that the chain enforces.
    prices
        By token; the zero address is ETH, which must be there for gas.

    Raises
    ------
    Unavailable
        If a price is missing.
    """
    spent = sum(_price(prices, line.token).usd_e6(-line.floor) for line in program.lines if line.floor < 0)
    return spent + _price(prices, ZERO_ADDRESS).usd_e6(gas_limit * max_fee_wei)


def flow_usd_e6(
    program: Program,
    prices: Mapping[Address, TokenPrice],
    *,
    value_wei: int = 0,
    balances: Mapping[Address, int] | None = None,
) -> int:
    """Return flash amounts + inventory inputs + ``msg.value``: the notional that a run moves.

    An inventory input is what the program approves or sends of the executor's own tokens: every
    amount that is known before the run, less what loans of the same token bring in. An amount that
    a call of the run itself returns is not inventory: it was counted when it came in. What a READ
    returns (a supply, a balance, a number of someone's own contract) came in nowhere and bounds nothing.

    Parameters
    ----------
    balances
        The executor's balances by token (zero is ETH), for programs that load them.

    Raises
    ------
    Unavailable
        If a price, or a balance that the program loads, is missing.
    Denied
        ``capability`` if an amount depends on time, base fee, gas or a READ: then nothing bounds it.
    """
    flow = _Flow(balances or {})
    flow.run(program.ops)
    total = {ZERO_ADDRESS: value_wei}
    for token in flow.borrowed.keys() | flow.used.keys():
        borrowed, used = flow.borrowed.get(token, 0), flow.used.get(token, 0)
        own = max(0, used - borrowed - (value_wei if token == ZERO_ADDRESS else 0))
        total[token] = total.get(token, 0) + borrowed + own
    return sum(_price(prices, token).usd_e6(amount) for token, amount in total.items() if amount)


@dataclass(frozen=True, slots=True)
class _Amount:
    """A register's meaning: ``known`` before the run, plus what the run ``produces`` itself.

    ``missing`` is a token whose balance nobody has said: a CHECK may compare it, no amount may be made of it.
    """

    known: int
    produced: bool = False
    missing: Address | None = None


_UNBOUNDED = None
_PRODUCED = _Amount(0, produced=True)


@dataclass
class _Flow:
    """Follows amounts through the registers, in the order in which the program runs."""

    balances: Mapping[Address, int]
    registers: dict[int, _Amount | None] = field(default_factory=dict)
    borrowed: dict[Address, int] = field(default_factory=dict)
    used: dict[Address, int] = field(default_factory=dict)
    returned: _Amount | None = None

    def run(self, ops: Sequence[Op]) -> None:
        for op in ops:
            self._step(op)

    def _step(self, op: Op) -> None:
        match op:
            case Load():
                self.registers[op.destination] = self._load(op)
            case Math():
                self.registers[op.destination] = self._math(op)
            case Call():
                if op.value_register is not None:
                    self._add(self.used, ZERO_ADDRESS, op.value_register, op.tag)
                self.returned = _UNBOUNDED if op.is_read else _PRODUCED
                if op.capture is not None:
                    self.registers[op.capture.register] = self.returned
            case Take():
                self.registers[op.destination] = self.returned
            case Approve():
                self._add(self.used, op.token, op.register, op.tag)
            case Flash():
                if (amount := self._of(op.amount_register)) is None or amount.produced:
                    _refuse_unbounded(op.tag)
                self._add(self.borrowed, op.token, op.amount_register, op.tag)
                if op.repay_register is not None:
                    self.registers[op.repay_register] = _Amount(amount.known + op.max_fee)
                outside, self.returned = self.returned, _UNBOUNDED  # TAKE looks at its own frame alone
                self.run(op.ops)
                self.returned = outside
            case Check():
                pass

    def _load(self, op: Load) -> _Amount | None:
        match op.source:
            case LoadSource.LITERAL:
                return _Amount(op.operand)
            case LoadSource.BALANCE:
                token = address(op.operand)
                if token not in self.balances:
                    return _Amount(0, produced=True, missing=token)
                return _Amount(self.balances[token], produced=True)
            case _:
                return _UNBOUNDED

    def _math(self, op: Math) -> _Amount | None:
        a, b = self._of(op.a), self._of(op.b, op.immediate)
        c = self._of(op.c, op.immediate)
        if a is None or b is None or c is None:
            return _UNBOUNDED
        if a.produced or b.produced or c.produced:
            return _Amount(_known_part(op.function, a.known, b.known), produced=True)
        try:
            return _Amount(evaluate(op.function, a.known, b.known, c.known))
        except ArithmeticError:
            return _UNBOUNDED

    def _of(self, register: int | None, immediate: int = 0) -> _Amount | None:
        amount = _Amount(immediate) if register is None else self.registers.get(register, _Amount(0))
        if amount is not None and amount.missing is not None:
            raise Unavailable(
                "a balance that the program loads is not known",
                found=f"an amount is made of the balance of {amount.missing}",
                fix="read the executor's balances at the pinned block",
            )
        return amount

    def _add(self, into: dict[Address, int], token: Address, register: int, tag: int) -> None:
        amount = self._of(register)
        if amount is None:
            _refuse_unbounded(tag)
        into[token] = into.get(token, 0) + amount.known


def _known_part(function: MathFunction, a: int, b: int) -> int:
    """Return the part of a mixed result that can only come out of inventory, rounded against us."""
    match function:
        case MathFunction.ADD:
            return a + b
        case MathFunction.MAXIMUM:
            return max(a, b)
        case MathFunction.SUBTRACT | MathFunction.SUBTRACT_TO_ZERO:
            return a
        case _:
            return 0


def _price(prices: Mapping[Address, TokenPrice], token: Address) -> TokenPrice:
    if token not in prices:
        raise Unavailable(
            "a price is missing", found=token, allowed="a price for every token of the lines and amounts"
        )
    return prices[token]


def _refuse_unbounded(tag: int) -> NoReturn:
    raise Denied(
        Reason.CAPABILITY,
        f"nothing bounds the amount of step {tag} before the run",
        found="an amount made of time, base fee, gas, a read or, for a loan, of a call's answer",
        allowed="amounts that are literals, balances, or computed of these",
    )
