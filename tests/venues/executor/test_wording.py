"""What the executor itself refuses reads in words: symbols, whole tokens, what was demanded."""

from __future__ import annotations

import msgspec
import pytest
from eth_abi import encode
from tests.venues.executor.golden import MORPHO, ROUTER, USDC, WETH
from tests.venues.executor.test_reader import plan

from tidegate.chain import selector
from tidegate.model import UINT256_MAX, ZERO_ADDRESS, Bound, Plan, Step
from tidegate.venues.executor import (
    Check,
    Comparison,
    ExecutorReader,
    Flash,
    FlashKind,
    Glossary,
    Line,
    Load,
    Program,
    assemble,
    encode_execute,
)

READER = ExecutorReader(
    treasury=MORPHO, weth=WETH, glossary=Glossary(accounts={ROUTER: "router", USDC: "USDC"})
)
BOUNDED = plan(Bound(ZERO_ADDRESS, "ETH", 18, 0), Bound(WETH, "WETH", 18, 0, payout=True))


def refusal(name: str, types: str, *values: object) -> bytes:
    return selector(f"{name}({types})") + encode(types.split(","), values)


def said(data: bytes, of: Plan = BOUNDED) -> str:
    revert, _ = READER.explain(of, data)
    assert revert.data == data
    return str(revert)


def running(comparison: Comparison, label: str, *lent: str) -> Plan:
    """Return a plan that borrows each token and checks a register afterwards."""
    loans = [
        Flash(tag, FlashKind.MORPHO_BLUE, MORPHO, token, 0, (Load.literal(tag + 10, 0, 1),))
        for tag, token in enumerate(lent, 1)
    ]
    check = Check(7, comparison, 0, None, 5, 100 if comparison is Comparison.NEAR else 0)
    raw = assemble(
        Program(
            chain_id=1,
            deadline=2**40 - 1,
            max_base_fee=2**48 - 1,
            registers=1,
            lines=(Line(ZERO_ADDRESS, 0),),
            ops=(Load.literal(0, 0, 1), *loans, check),
        )
    )
    steps = (Step(tag=7, step_id="", label=label, target=ROUTER),)
    return msgspec.structs.replace(BOUNDED, data=encode_execute(raw), steps=steps)


@pytest.mark.parametrize(
    ("token", "delta", "floor", "text"),
    [
        (
            WETH,
            21691610621148410,
            23201844952000000,
            "WETH changed by +0.021691, at least 0.023201 was demanded",
        ),
        (WETH, -(10**18), 0, "WETH changed by -1, at least 0 was demanded"),
        (
            WETH,
            10**18,
            10**18 + 1,
            "WETH changed by +1, at least 1.000000000000000001 was demanded",
        ),
        (
            WETH,
            -7,
            5 * 10**17,
            "WETH changed by -0.000000000000000007, at least 0.5 was demanded",
        ),
        (ZERO_ADDRESS, 0, 10**17, "ETH changed by 0, at least 0.1 was demanded"),
        (USDC, -5, 0, "USDC changed by -5 base units, at least 0 base units was demanded"),
    ],
)
def test_a_change_below_its_floor_is_in_whole_tokens(token: str, delta: int, floor: int, text: str) -> None:
    assert said(refusal("DeltaTooLow", "address,int256,int256", token, delta, floor)) == text


def test_losses_and_allowances_name_their_token() -> None:
    lost = refusal("LossTooHigh", "address,uint256,uint256", WETH, 10**18, 3 * 10**18)
    assert said(lost) == "WETH would lose 1 in this run and 3 today, more than the executor allows"
    left = refusal("AllowanceLeft", "address,address", WETH, ROUTER)
    assert said(left) == "an allowance of WETH to router would be left"


@pytest.mark.parametrize(
    ("lent", "text"),
    [
        ((WETH,), "the loan's fee is 0.02 WETH, at most 0.01 was planned"),
        (
            (WETH, USDC),
            f"the loan's fee is {2 * 10**16} base units, at most {10**16} base units was planned",
        ),
    ],
)
def test_a_fee_is_in_the_token_that_is_lent(lent: tuple[str, ...], text: str) -> None:
    data = refusal("FeeTooHigh", "uint256,uint256", 2 * 10**16, 10**16)
    assert said(data, running(Comparison.EQUAL, "", *lent)) == text


@pytest.mark.parametrize(
    ("comparison", "label", "left", "right", "text"),
    [
        (
            Comparison.AT_LEAST,
            "check health factor",
            1_050_000_000_000_000_000,
            12 * 10**17,
            "health factor was 1.05, at least 1.2 was demanded",
        ),
        (
            Comparison.NEAR,
            "check price of WETH",
            3_060,
            3_000,
            "price of WETH was 3,060, close to 3,000 was demanded",
        ),
        (Comparison.AT_MOST, "", UINT256_MAX, 7, "a checked value was without limit, at most 7 was demanded"),
        (Comparison.EQUAL, "", 1, 2, "a checked value was 1, exactly 2 was demanded"),
    ],
)
def test_a_check_says_what_it_demanded(
    comparison: Comparison, label: str, left: int, right: int, text: str
) -> None:
    data = refusal("CheckFailed", "uint256,uint256,uint256", 7, left, right)
    assert said(data, running(comparison, label)) == text


def test_what_is_not_the_executors_refusal_of_a_run_stays_as_it_is() -> None:
    assert said(refusal("Error", "string", "atomic: expired")) == "Error(message=atomic: expired)"
    key = bytes(32)
    assert said(refusal("PolicyDenied", "uint256,bytes32,uint256", 4, key, 1)).startswith(
        "PolicyDenied(tag=4"
    )
