"""What an exit is: a program that closes a position, and each way in which an opening could hide in one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.venues.executor.golden import EXECUTOR, MORPHO, ROUTER, USDC, WETH

from tidegate.chain import address, encode_call
from tidegate.model import ZERO_ADDRESS, Operation
from tidegate.venues import (
    BESIDE,
    EDITION,
    HEALTH_AFTER_EXIT_E18,
    HEALTH_FACTOR,
    REDUCING,
    AddressBook,
    Entry,
    ExitFunctions,
    catalogue,
    exit_functions,
    judge_operation,
    reducing_action,
)
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    Math,
    MathFunction,
    Op,
    Patch,
    Program,
    assemble,
    disassemble,
)

POOL, LENS, THIEF = (address("0x" + byte * 20) for byte in ("aa", "bb", "cc"))
ALL = 2**256 - 1
AMOUNT, OWED, SOLD, HEALTH = 0, 1, 2, 3
"""Registers: of the loan, of what the swap must bring, of what is sold, of the health."""

SPECS = {spec.name: spec for spec in catalogue().values()}
SWAP = SPECS["uniswap_v3.exact_output_single"].selector
UNWRAP = SPECS["weth.withdraw"].selector
WRAP = SPECS["weth.deposit"].selector
FUNCTIONS = ExitFunctions(
    reducing={(POOL, spec.selector): spec for spec in SPECS.values() if spec.kind in REDUCING},
    beside=frozenset(
        (WETH if name.startswith("weth.") else ROUTER, spec.selector)
        for name, spec in SPECS.items()
        if spec.kind in BESIDE
    ),
    health=frozenset({(LENS, HEALTH_FACTOR)}),
)


def repay(asset: str = USDC, account: str = EXECUTOR) -> Call:
    data = encode_call("repay(address,uint256,uint256,address)", asset, 0, 2, account)
    return Call(11, POOL, data, patches=(Patch(1, AMOUNT),))


def withdraw(asset: str = WETH, amount: int = ALL, tag: int = 12) -> Call:
    return Call(tag, POOL, encode_call("withdraw(address,uint256,address)", asset, amount, EXECUTOR))


def health(pool: str = POOL, account: str = EXECUTOR, tag: int = 20) -> Call:
    data = encode_call("health_factor(address,address)", pool, account)
    return Call(tag, LENS, data, capture=Capture(HEALTH), is_read=True)


REPAY = (Approve(10, USDC, POOL, AMOUNT, zero_after=True), repay())
BOUGHT = SWAP + b"".join(
    word.to_bytes(32) for word in (int(WETH, 16), int(USDC, 16), 500, int(EXECUTOR, 16), 1, 1, 0)
)
SELL = (Approve(13, WETH, ROUTER, SOLD, zero_after=True), Call(14, ROUTER, BOUGHT))
CHECK = Check(21, Comparison.AT_LEAST, HEALTH, immediate=HEALTH_AFTER_EXIT_E18)


def loan(*ops: Op, token: str = USDC) -> Flash:
    return Flash(2, FlashKind.MORPHO_BLUE, MORPHO, token, AMOUNT, ops, repay_register=OWED)


def program(*ops: Op, weth: int = 0, usdc: int = 0, coin: int = 0) -> Program:
    floors = {WETH: weth, USDC: usdc, ZERO_ADDRESS: coin}
    lines = tuple(Line(token, floors[token]) for token in sorted(floors, key=lambda one: int(one, 16)))
    return Program(
        chain_id=1, deadline=2**40 - 1, max_base_fee=10**9, registers=4, lines=lines,
        ops=(Load.literal(1, AMOUNT, 3_200 * 10**6), *ops),
    )  # fmt: skip


CLOSING = program(loan(*REPAY, withdraw(), *SELL), health(), CHECK, weth=9 * 10**17)


def judged(made: Program) -> tuple[Operation, str]:
    assert disassemble(assemble(made)) == made, "a program that the executor would run"
    verdict = judge_operation(made, EXECUTOR, FUNCTIONS)
    assert verdict.operation.is_exit == (not verdict.why_no_exit)
    return verdict.operation, verdict.why_no_exit


@pytest.mark.parametrize(
    ("made", "operation"),
    [
        (CLOSING, Operation.CLOSE),
        (program(*REPAY), Operation.REDUCE),
        (program(*REPAY, usdc=-(3_200 * 10**6)), Operation.REDUCE),
        (program(*REPAY, withdraw(amount=5), health(), CHECK), Operation.REDUCE),
        (program(withdraw(), health(), CHECK), Operation.WITHDRAW),
        (program(withdraw(), *SELL, health(), CHECK), Operation.WITHDRAW),
        (program(withdraw(USDC), *REPAY, health(), CHECK), Operation.CLOSE),
        (program(withdraw(), Call(15, WETH, UNWRAP + bytes(32)), health(), CHECK), Operation.WITHDRAW),
    ],
    ids=(
        "close",
        "repay",
        "repay from inventory",
        "part",
        "withdraw",
        "withdraw and sell",
        "one token",
        "unwrap",
    ),
)
def test_what_only_lessens_is_an_exit(made: Program, operation: Operation) -> None:
    assert judged(made) == (operation, "")


SUPPLY = Call(30, POOL, encode_call("supply(address,uint256,address,uint16)", WETH, 1, EXECUTOR, 0))
BORROW = Call(
    31, POOL, encode_call("borrow(address,uint256,uint256,uint16,address)", USDC, 1, 2, 0, EXECUTOR)
)
OPENINGS: tuple[Op, ...] = (
    SUPPLY,
    BORROW,
    Call(32, WETH, encode_call("transfer(address,uint256)", THIEF, 1)),
    Call(33, THIEF, SWAP + bytes(32 * 7)),
    Approve(34, USDC, THIEF, SOLD),
    Approve(35, USDC, ROUTER, SOLD),
    Flash(36, FlashKind.MORPHO_BLUE, MORPHO, WETH, AMOUNT, ()),
    Check(37, Comparison.AT_LEAST, AMOUNT, immediate=0, skip=32),
)


@pytest.mark.parametrize("opening", OPENINGS, ids=lambda op: f"{type(op).__name__} {op.tag}")
@given(st.data())
def test_one_opening_step_anywhere_makes_it_no_exit(opening: Op, data: st.DataObject) -> None:
    """Also where an optional group holds it, or it stands inside the loan."""
    base = data.draw(st.sampled_from([CLOSING, program(*REPAY), program(withdraw(), *SELL, health(), CHECK)]))
    extra = (opening, Load.literal(41, SOLD, 1)) if isinstance(opening, Check) else (opening,)
    outer = base.ops[1]
    if isinstance(outer, Flash) and data.draw(st.booleans(), label="inside the loan"):
        place = data.draw(st.integers(0, len(outer.ops)))
        loaned = replace(outer, ops=(*outer.ops[:place], *extra, *outer.ops[place:]))
        made = replace(base, ops=(base.ops[0], loaned, *base.ops[2:]))
    else:
        place = data.draw(st.integers(0, len(base.ops)))
        made = replace(base, ops=(*base.ops[:place], *extra, *base.ops[place:]))
    assert judged(made)[0] is Operation.OPEN


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (program(loan(*SELL)), "neither repays nor withdraws"),
        (program(*REPAY, *SELL), "not withdrawn alone"),
        (program(withdraw(), *SELL, health(), CHECK, weth=-1), "not withdrawn alone"),
        (program(loan(*REPAY, withdraw(), *SELL, token=WETH), health(), CHECK), "not what it repays"),
        (
            program(loan(*REPAY, withdraw(), withdraw(USDC, 1, tag=15), *SELL), health(), CHECK),
            "both repaid and withdrawn",
        ),
        (program(repay(account=THIEF)), "for another account"),
        (program(withdraw(), Call(15, WETH, UNWRAP + bytes(32)), health(), CHECK, weth=-1), "unwraps"),
        (program(*REPAY, Call(15, WETH, WRAP, value_register=SOLD), coin=-1), "coin that was held"),
        (program(replace(repay(), patches=(Patch(0, SOLD),))), "does not say before the run"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_a_trade_of_what_was_held_before_is_no_exit(made: Program, why: str) -> None:
    operation, found = judged(made)
    assert operation is Operation.OPEN
    assert why in found


WEAK = replace(CHECK, immediate=HEALTH_AFTER_EXIT_E18 - 1)


@pytest.mark.parametrize(
    "after",
    [
        (),
        (health(),),
        (CHECK,),
        (health(), WEAK),
        (health(), replace(CHECK, comparison=Comparison.AT_MOST)),
        (health(), replace(CHECK, b=AMOUNT, immediate=0)),
        (health(), replace(CHECK, a=SOLD)),
        (health(account=THIEF), CHECK),
        (health(pool=THIEF), CHECK),
        (replace(health(), target=POOL), CHECK),
        (replace(health(), patches=(Patch(1, AMOUNT),)), CHECK),
        (health(), Load.literal(22, HEALTH, 2**200), CHECK),
        (health(), Math(22, HEALTH, MathFunction.ADD, HEALTH, immediate=2**100), CHECK),
        (health(), replace(health(account=THIEF), tag=22), CHECK),
        (health(), CHECK, withdraw(USDC, 1, tag=22)),
        (health(), withdraw(USDC, 1, tag=22), CHECK),
    ],
    ids=str,
)
def test_a_withdrawal_without_a_check_of_the_health_after_it_is_no_exit(after: tuple[Op, ...]) -> None:
    operation, why = judged(program(withdraw(), *after))
    assert operation is Operation.OPEN
    assert "health" in why


def test_a_check_before_the_last_withdrawal_says_nothing_about_what_it_leaves() -> None:
    twice = program(withdraw(amount=1), health(), CHECK, withdraw(tag=22), replace(health(), tag=23))
    assert judged(twice)[0] is Operation.OPEN
    checked = replace(twice, ops=(*twice.ops, replace(CHECK, tag=24)))
    assert judged(checked)[0] is Operation.WITHDRAW


def test_every_market_can_be_left_and_every_router_stand_beside_it_in_its_own_edition() -> None:
    names = ("aave_v3.pool", "aave_v3.prime.pool", "uniswap_v3.router", "uniswap_v3.router02")
    where = {name: address(f"0x{number:040x}") for number, name in enumerate(names, start=0xA1)}
    about = {"uniswap_v3.router": {EDITION: "swap_router"}}
    book = AddressBook(
        chain="devnet",
        chain_id=1,
        tokens={},
        contracts={name: Entry(name, at, about=about.get(name, {})) for name, at in where.items()},
    )
    functions = exit_functions(book)
    for pool in ("aave_v3.pool", "aave_v3.prime.pool"):
        leaving = {spec.name for (target, _), spec in functions.reducing.items() if target == where[pool]}
        assert leaving == {"aave_v3.repay", "aave_v3.withdraw"}
    swap = SPECS["uniswap_v3.exact_input"]
    old = swap.editions["swap_router"]
    assert {
        name: {
            spec.selector for spec in swap.all_editions if (where[name], spec.selector) in functions.beside
        }
        for name in ("uniswap_v3.router", "uniswap_v3.router02")
    } == {"uniswap_v3.router": {old.selector}, "uniswap_v3.router02": {swap.selector}}


@pytest.mark.parametrize("kind", ["liquidate", "position", "reset", "transfer", "borrow", "supply"])
def test_what_opens_or_only_moves_stands_in_no_exit(kind: str) -> None:
    specs = [spec for spec in SPECS.values() if spec.kind.value == kind]
    assert specs
    for spec in specs:
        assert spec.kind not in REDUCING | BESIDE
        assert reducing_action(spec.selector) is None
