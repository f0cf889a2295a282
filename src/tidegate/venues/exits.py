"""What an exit is, read from the bytes: a program that can only lessen what is at risk.

No word of an author and no claim of a desk enters here. The desk judges the program that it compiled,
the signer the program that it is asked to sign, and both ask this one function. It says no wherever the
bytes do not show that nothing is opened: what is no exit is merely an opening, and halts hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tidegate.chain import address, selector
from tidegate.model import ZERO_ADDRESS, Address, Operation
from tidegate.venues.action_files import catalogue
from tidegate.venues.actions import ActionKind, ActionSpec, InputType, WordSource
from tidegate.venues.book import AddressBook
from tidegate.venues.executor import (
    Approve,
    Call,
    Check,
    Comparison,
    Flash,
    Load,
    Math,
    Op,
    Program,
    Take,
    walk,
)
from tidegate.venues.permissions import action_places

REDUCING = frozenset({ActionKind.REPAY, ActionKind.WITHDRAW})
"""What lessens a position."""
BESIDE = frozenset({ActionKind.SWAP, ActionKind.WRAP})
"""What may stand beside it, to turn what was withdrawn into what is owed."""
HEALTH_FACTOR = selector("health_factor(address,address)")
"""The lens's view of (pool, account), in 18 decimals; an account without debt has 2²⁵⁶ − 1."""
HEALTH_AFTER_EXIT_E18 = 10 * 10**18
"""What a withdrawal must leave behind: the debt is then a tenth of what the collateral could carry."""

_WORD = 32
_ALL = 2**256 - 1
_ADDRESS_END = 2**160


@dataclass(frozen=True, slots=True)
class ExitFunctions:
    """The functions, by contract and selector, that an exit is made of.

    ``reducing`` repay or withdraw, each with what is known of it; ``beside`` swap or wrap; ``health`` are
    the views that say how healthy an account is.
    """

    reducing: Mapping[tuple[Address, bytes], ActionSpec]
    beside: frozenset[tuple[Address, bytes]]
    health: frozenset[tuple[Address, bytes]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a program does to the risk; ``why_no_exit`` is empty if it only lessens it."""

    operation: Operation
    why_no_exit: str = ""


def exit_functions(book: AddressBook) -> ExitFunctions:
    """Return the functions of the contracts of one chain that an exit may be made of."""
    reducing, beside = {}, set()
    for spec in catalogue().values():
        for target, edition in action_places(spec, book):
            if spec.kind in REDUCING:
                reducing[target, edition.selector] = edition
            elif spec.kind in BESIDE:
                beside.add((target, edition.selector))
    lens = {book.entry("guard_lens").address} if "guard_lens" in book.contracts else set()
    return ExitFunctions(reducing, frozenset(beside), frozenset((one, HEALTH_FACTOR) for one in lens))


def reducing_action(function: bytes) -> ActionSpec | None:
    """Return what is known of a function that repays or withdraws, None if no adapter has it as one."""
    known = (spec for spec in catalogue().values() if spec.kind in REDUCING)
    return next((spec for spec in known if spec.selector == function), None)


def judge_operation(program: Program, executor: Address, functions: ExitFunctions) -> Verdict:
    """Return what a run of ``program`` by ``executor`` does to the risk.

    An exit (1) repays or withdraws, and calls nothing else but swaps and wraps that bring to the executor
    what they buy; (2) does all of it or reverts, no group is optional; (3) borrows only what it repays;
    (4) sells only what it withdraws, and ends with no less of it than before; (5) spends what it held
    before on nothing but repayment; (6) shows after its last withdrawal, on chain, that the account's
    health is at least ``HEALTH_AFTER_EXIT_E18``.

    Returns
    -------
    Verdict
        ``reduce``, ``close`` (it repays, and withdraws all) or ``withdraw`` for an exit; ``open`` for
        everything else, with the first rule that it breaks.
    """
    why = next(_objections(program, executor, functions), "")
    if why:
        return Verdict(Operation.OPEN, why)
    reductions = list(_reductions(program, functions))
    withdrawals = [(spec, op) for spec, op in reductions if spec.kind is ActionKind.WITHDRAW]
    if len(withdrawals) == len(reductions):
        return Verdict(Operation.WITHDRAW)
    takes_all = all(_number(op, _amount_word(spec)) == _ALL for spec, op in withdrawals)
    return Verdict(Operation.CLOSE if withdrawals and takes_all else Operation.REDUCE)


def _objections(program: Program, executor: Address, functions: ExitFunctions) -> Iterator[str]:
    repaid, withdrawn = set[Address](), set[Address]()
    for spec, call in _reductions(program, functions):
        if any(_number(call, place) != int(executor, 16) for place in _own_words(spec)):
            yield f"step {call.tag} is for another account"
        asset = _number(call, _word_of(spec, InputType.TOKEN))
        if asset is None or asset >= _ADDRESS_END:
            yield f"step {call.tag} does not say before the run what it takes"
            return
        (withdrawn if spec.kind is ActionKind.WITHDRAW else repaid).add(address(asset))
    if not repaid | withdrawn:
        yield "it neither repays nor withdraws"
        return
    sellers = {target for target, _ in functions.beside}
    takers = {target for target, _ in functions.reducing} - sellers
    floors = {line.token: line.floor for line in program.lines}
    keeps = {token for token, floor in floors.items() if floor >= 0}
    for op in walk(program.ops):
        match op:
            case Check() if op.skip:
                yield f"step {op.tag} may leave out what follows it"
            case Call(is_read=False):
                yield from _objections_to_call(op, functions, keeps, repaid & withdrawn)
                if (op.target, op.selector) in functions.beside:
                    yield from _objections_to_arguments(op, executor)
            case Flash() if op.token not in repaid:
                yield f"step {op.tag} borrows {op.token}, which is not what it repays"
            case Approve() if op.spender not in takers and op.token not in withdrawn & keeps:
                yield f"step {op.tag} lets {op.spender} take {op.token}, which is not withdrawn alone"
            case _:
                pass
    for pool in _unchecked(program, executor, functions):
        yield f"nothing checks the health at {pool} after what is withdrawn from it"


def _objections_to_call(
    op: Call, functions: ExitFunctions, keeps: set[Address], both: set[Address]
) -> Iterator[str]:
    called = (op.target, op.selector)
    if called not in functions.reducing and called not in functions.beside:
        yield f"step {op.tag} calls 0x{op.selector.hex()} on {op.target}"
    if op.value_register is not None and ZERO_ADDRESS not in keeps:
        yield f"step {op.tag} sends coin that was held before"
    if called in functions.beside:
        if both:
            yield f"step {op.tag} trades beside a token that is both repaid and withdrawn"
        if op.selector in _wraps() and op.target not in keeps:
            yield f"step {op.tag} unwraps what was held before"


def _objections_to_arguments(op: Call, executor: Address) -> Iterator[str]:
    """Say where what a swap or wrap brings would not come to the executor.

    The words of a fixed value count too: an offset of another value moves the place of the recipient.
    """
    spec = _beside().get(op.selector)
    if spec is None:
        yield f"step {op.tag} calls 0x{op.selector.hex()}, which no adapter has as a swap or wrap"
        return
    for place, word in enumerate(spec.words):
        match word.source:
            case WordSource.SELF if _number(op, place) != int(executor, 16):
                yield f"step {op.tag} does not bring what it buys to the executor"
            case WordSource.CONSTANT if _number(op, place) != word.constant:
                yield f"step {op.tag} has another value than {word.constant} in its word {place}"
            case _:
                pass


@cache
def _beside() -> Mapping[bytes, ActionSpec]:
    """Return what is known of swaps and wraps, by selector, in every edition."""
    known = (spec for spec in catalogue().values() if spec.kind in BESIDE)
    return {edition.selector: edition for spec in known for edition in spec.all_editions}


@cache
def _wraps() -> frozenset[bytes]:
    """Return the functions that take the called token itself, without an approval."""
    return frozenset(spec.selector for spec in catalogue().values() if spec.kind is ActionKind.WRAP)


def _reductions(program: Program, functions: ExitFunctions) -> Iterator[tuple[ActionSpec, Call]]:
    for op in walk(program.ops):
        if isinstance(op, Call) and not op.is_read:
            spec = functions.reducing.get((op.target, op.selector))
            if spec is not None:
                yield spec, op


def _unchecked(program: Program, executor: Address, functions: ExitFunctions) -> set[Address]:
    """Return the pools whose last withdrawal no check of the health follows.

    A reading counts as long as nothing has acted, and nothing was written over it, since.
    """
    unchecked: set[Address] = set()
    readings: dict[int, Address] = {}
    for op in walk(program.ops):
        match op:
            case Call(is_read=False):
                readings.clear()
                spec = functions.reducing.get((op.target, op.selector))
                if spec is not None and spec.kind is ActionKind.WITHDRAW:
                    unchecked.add(op.target)
            case Check(comparison=Comparison.AT_LEAST, b=None, skip=0) if op.a in readings:
                if op.immediate >= HEALTH_AFTER_EXIT_E18:
                    unchecked.discard(readings[op.a])
            case _:
                for register in _written(op):
                    readings.pop(register, None)
                pool = _reading(op, executor, functions)
                if pool is not None and isinstance(op, Call) and op.capture is not None:
                    readings[op.capture.register] = pool
    return unchecked


def _reading(op: Op, executor: Address, functions: ExitFunctions) -> Address | None:
    """Return the pool if ``op`` reads the executor's own health there, None for all else."""
    if not (isinstance(op, Call) and op.is_read and (op.target, op.selector) in functions.health):
        return None
    if op.patches or op.capture is None or op.capture.word or len(op.data) != 4 + 2 * _WORD:
        return None
    pool, account = _number(op, 0), _number(op, 1)
    if pool is None or pool >= _ADDRESS_END or account != int(executor, 16):
        return None
    return address(pool)


def _written(op: Op) -> Iterator[int]:
    match op:
        case Call(capture=capture) if capture is not None:
            yield capture.register
        case Load() | Math() | Take():
            yield op.destination
        case Flash(repay_register=register) if register is not None:
            yield register
        case _:
            pass


def _own_words(spec: ActionSpec) -> Iterator[int]:
    return (place for place, word in enumerate(spec.words) if word.source is WordSource.SELF)


def _amount_word(spec: ActionSpec) -> int:
    return _word_of(spec, InputType.AMOUNT)


def _word_of(spec: ActionSpec, wanted: InputType) -> int:
    """Return the argument word of an action's token or amount; each that reduces has exactly one."""
    return next(
        place
        for place, word in enumerate(spec.words)
        if word.source is WordSource.INPUT and spec.inputs[word.inputs[0]].type is wanted
    )


def _number(op: Call, word: int) -> int | None:
    """Return an argument that is known before the run, None if it is computed in it or not there."""
    start = 4 + _WORD * word
    if any(patch.word == word for patch in op.patches) or len(op.data) < start + _WORD:
        return None
    return int.from_bytes(op.data[start : start + _WORD])
