"""The policy of our executor: what a program calls, borrows, approves, risks and moves.

It decodes ``execute(bytes)`` and nothing else, in its one canonical form, and judges the program
that is inside by the capability's terms (``specs/atomic.md`` 9). What the executor enforces on chain
(argument rules, loss limits, treasury) is enforced there; here stand the limits of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, NoReturn

import msgspec

from tidegate.chain import address
from tidegate.custody.content import Content, Judgement, Prices
from tidegate.custody.valuation import MOVES
from tidegate.custody.wrappers import WRAPPERS
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    ConfigError,
    Denied,
    Divergence,
    Reason,
    Unavailable,
    UnsignedTransaction,
)
from tidegate.venues import ExitFunctions, judge_operation, reducing_action
from tidegate.venues.executor import (
    FORBIDDEN_CALLS,
    Approve,
    Call,
    Flash,
    FlashKind,
    Program,
    ProgramRefused,
    at_risk_usd_e6,
    decode_execute,
    disassemble,
    flow_usd_e6,
    walk,
)

_CACHED_PROGRAMS = 1_024


class Functions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Functions of one contract, by selector (``0x`` and 8 hex digits)."""

    target: Address
    selectors: tuple[Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{8}$")], ...]


class Lender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lender, and the interfaces by which loans of it may be taken."""

    lender: Address
    kinds: tuple[FlashKind, ...]


class Inventory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that the executor is taken to hold of a token, in base units as decimal text.

    A program that loads the balance is valued by it; on chain the floors of its lines hold.
    """

    token: Address
    most: Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,77})$")]


class ExecutorTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What programs may do. Times in seconds, dollars in millionths.

    ``calls`` are the functions that may be called or read, with ``exit_calls`` (which reduce: repay,
    withdraw), ``exit_beside`` (what an exit may need beside them: a swap, unwrapping) and ``exit_health``
    (views that say how healthy an account is). Whether a program made of these is an exit,
    ``venues.judge_operation`` says. ``deadline_max_s`` is how far ahead of now a deadline may lie.
    """

    executors: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1)]
    calls: tuple[Functions, ...]
    exit_calls: tuple[Functions, ...] = ()
    exit_beside: tuple[Functions, ...] = ()
    exit_health: tuple[Functions, ...] = ()
    lenders: tuple[Lender, ...] = ()
    spenders: tuple[Address, ...] = ()
    inventory: tuple[Inventory, ...] = ()
    deadline_max_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)]
    gas_limit_max: Annotated[int, msgspec.Meta(ge=21_000, le=2**32)]
    at_risk_tx_usd_e6: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    flow_tx_usd_e6: Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class _Judge:
    """Terms as sets, and the judgement of one content by them."""

    def __init__(self, terms: ExecutorTerms) -> None:
        self.terms = terms
        self.executors = frozenset(terms.executors)
        self.exits = _exit_functions(terms)
        self.calls = frozenset(_pairs(_all_functions(terms)))
        self.lenders = frozenset((one.lender, kind) for one in terms.lenders for kind in one.kinds)
        self.spenders = frozenset(terms.spenders)
        self.inventory = {one.token: int(one.most) for one in terms.inventory}

    def __call__(self, content: Content, prices: Prices, now_s: int) -> Judgement | None:
        if not isinstance(content, UnsignedTransaction) or content.to not in self.executors:
            return None
        program = _program(content.data)
        self._check_header(program, content, now_s)
        for op in walk(program.ops):
            match op:
                case Call():
                    self._check_call(op)
                case Flash() if (op.lender, op.kind) not in self.lenders:
                    _refuse(f"lender of step {op.tag}", f"{op.lender} as {op.kind.name}", "a listed lender")
                case Approve() if op.spender not in self.spenders:
                    _refuse(f"spender of step {op.tag}", op.spender, "a listed spender")
                case _:
                    pass
        _check_lines(program, content.value_wei, prices)
        at_risk, flow = self._value(program, content, prices)
        verdict = judge_operation(program, content.to, self.exits)
        return Judgement(flow, at_risk, is_exit=verdict.operation.is_exit and not content.value_wei)

    def _check_header(self, program: Program, transaction: UnsignedTransaction, now_s: int) -> None:
        if program.chain_id != transaction.chain_id:
            _refuse("program's chain", str(program.chain_id), str(transaction.chain_id))
        latest = now_s + self.terms.deadline_max_s
        if not now_s <= program.deadline <= latest:
            _refuse("program's deadline", str(program.deadline), f"{now_s} to {latest}")
        if transaction.gas_limit > self.terms.gas_limit_max:
            _refuse("gas limit", str(transaction.gas_limit), f"at most {self.terms.gas_limit_max}")

    def _check_call(self, op: Call) -> None:
        if (op.target, op.selector) not in self.calls:
            _refuse(f"call of step {op.tag}", f"0x{op.selector.hex()} on {op.target}", "a listed function")

    def _value(self, program: Program, transaction: UnsignedTransaction, prices: Prices) -> tuple[int, int]:
        try:
            at_risk = at_risk_usd_e6(
                program, prices, gas_limit=transaction.gas_limit, max_fee_wei=transaction.max_fee_wei
            )
            flow = flow_usd_e6(program, prices, value_wei=transaction.value_wei, balances=self.inventory)
        except Unavailable as error:
            raise Denied(
                Reason.UNVALUED, error.message, found=error.found, allowed=error.allowed, fix=error.fix
            ) from error
        except Denied as error:
            _refuse("amount", error.found or "", error.allowed or "", error.message)
        if at_risk > self.terms.at_risk_tx_usd_e6:
            _refuse("at-risk in usd_e6", str(at_risk), f"at most {self.terms.at_risk_tx_usd_e6}")
        if flow > self.terms.flow_tx_usd_e6:
            _refuse("flow in usd_e6", str(flow), f"at most {self.terms.flow_tx_usd_e6}")
        return at_risk, flow


class ExecutorPolicy:
    """Judges calls of the executors that its terms list."""

    name = "executor"

    def bind(self, terms: dict[str, Any]) -> Callable[[Content, Prices, int], Judgement | None]:
        """Return the judge of ``terms`` (``ExecutorTerms``).

        Raises
        ------
        Denied
            ``capability_invalid`` if they are not such terms, or allow a function that no policy may.
        """
        try:
            parsed = msgspec.convert(terms, ExecutorTerms, strict=True)
            for one in _addresses(parsed):
                if address(one) != one:
                    _refuse_terms(one, address(one))
        except (msgspec.ValidationError, ConfigError) as error:
            _refuse_terms(str(error), "the terms of the executor policy")
        for target, function in _pairs(_all_functions(parsed)):
            hidden = WRAPPERS.get(function) or FORBIDDEN_CALLS.get(function)
            if hidden is not None:
                _refuse_terms(
                    f"{hidden} on {target}", "functions that hold no other calls and move what is ours"
                )
        for target, function in _pairs(parsed.exit_calls):
            if reducing_action(function) is None:
                found = f"0x{function.hex()} on {target} as an exit"
                _refuse_terms(found, "functions that an adapter has as repaying or withdrawing")
        return _Judge(parsed)


POLICY = ExecutorPolicy()


@lru_cache(maxsize=_CACHED_PROGRAMS)
def _program(data: bytes) -> Program:
    try:
        return disassemble(decode_execute(data))
    except (ProgramRefused, Divergence) as error:
        raise Denied(
            Reason.POLICY_REFUSED,
            "an executor is called by execute(bytes) alone, with the canonical form of a program",
            found=error.found,
            allowed=error.allowed,
        ) from error


def _check_lines(program: Program, value_wei: int, prices: Prices) -> None:
    """Demand a line for all that could be spent: what has no line is bounded by nothing."""
    bounded = {line.token for line in program.lines}
    for op in walk(program.ops):
        match op:
            case Approve() | Flash():
                spent = {op.token}
            case Call(is_read=False):
                spent = {ZERO_ADDRESS} if op.value_register is not None else set()
                if op.target in prices or op.selector in MOVES:
                    spent.add(op.target)
            case _:
                continue
        if not spent <= bounded:
            _refuse(f"token of step {op.tag}", ", ".join(sorted(spent - bounded)), "a token with a line")
    if value_wei and ZERO_ADDRESS not in bounded:
        _refuse("value", f"{value_wei} wei without a line for the coin", "a line that bounds it")


def _all_functions(terms: ExecutorTerms) -> tuple[Functions, ...]:
    return (*terms.calls, *terms.exit_calls, *terms.exit_beside, *terms.exit_health)


def _exit_functions(terms: ExecutorTerms) -> ExitFunctions:
    known = ((pair, reducing_action(pair[1])) for pair in _pairs(terms.exit_calls))
    return ExitFunctions(
        reducing={pair: spec for pair, spec in known if spec is not None},
        beside=frozenset(_pairs(terms.exit_beside)),
        health=frozenset(_pairs(terms.exit_health)),
    )


def _pairs(functions: tuple[Functions, ...]) -> Iterator[tuple[Address, bytes]]:
    for one in functions:
        for function in one.selectors:
            yield one.target, bytes.fromhex(function[2:])


def _addresses(terms: ExecutorTerms) -> Iterator[Address]:
    yield from terms.executors
    yield from (one.target for one in _all_functions(terms))
    yield from (one.lender for one in terms.lenders)
    yield from terms.spenders
    yield from (one.token for one in terms.inventory)


def _refuse(what: str, found: str, allowed: str, message: str = "") -> NoReturn:
    raise Denied(
        Reason.POLICY_REFUSED,
        message or f"the {what} is not what the capability's executor policy allows",
        found=found,
        allowed=allowed,
    )


def _refuse_terms(found: str, allowed: str) -> NoReturn:
    raise Denied(
        Reason.CAPABILITY_INVALID,
        "the terms of the executor policy are not as they must be",
        found=found,
        allowed=allowed,
        fix="ask the issuer for another capability",
    )
