"""Blinds of every type go where inputs take them: numbers, flags, accounts; what fits nowhere is refused."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.test_compiler import words
from tests.desks.atomic.machine.texts import EXECUTOR, HEAD, compiled

from tidegate.desks.atomic.language.syntax import Flag
from tidegate.desks.atomic.language.wording import written
from tidegate.model import ConfigError, SourcePosition
from tidegate.venues.executor import Call

OTHER = "0x17db8E4EFe9f5Fa57a0e9a0CdFe2FfEaa27AbcDe"
TYPED = HEAD.replace(
    "  who: {type: address}\n",
    "  who: {type: address}\n  on: {type: bool}\n  share: {type: bps, min: 1 bps, max: 100 %}\n"
    "  units: {type: uint256, min: 0, max: 1000000000000}\n",
)
SWITCH = "{id: switch, use: aave_v3.set_user_use_reserve_as_collateral, in: {asset: WETH, enabled: $on}}"
SEIZE = (
    "{id: seize, use: aave_v3.liquidation_call, "
    "in: {collateral: WETH, debt: USDC, user: $who, amount: 5 USDC}}"
)


def last_words(steps: str, **blinds: int | bool | str) -> list[int]:
    made = compiled(steps, {}, head=TYPED, blinds=blinds)
    call = [op for op in made.program.ops if isinstance(op, Call)][-1 if "seize" not in steps else 1]
    return words(call)


@pytest.mark.parametrize("given", [True, False])
def test_a_flag_is_one_or_nothing(given: bool) -> None:
    assert last_words(SWITCH, on=given)[1] == int(given)


def test_an_account_is_an_address() -> None:
    calls = [
        op
        for op in compiled(SEIZE, {}, head=TYPED, blinds={"who": OTHER}).program.ops
        if isinstance(op, Call) and not op.is_read
    ]
    assert words(calls[0])[2] == int(OTHER, 16)


def test_amounts_and_plain_numbers_are_base_units() -> None:
    pay = "{id: pay, use: erc20.transfer, in: {token: USDC, to: treasury, amount: $units}}"
    assert last_words(pay, units=77)[1] == 77
    assert last_words(pay.replace("$units", "$share of $units"), units=1_234_567, share=3_333)[1] == 411_481
    category = "{id: enter, use: aave_v3.set_user_e_mode, in: {category: $tier}}"
    assert last_words(category, tier=2) == [2]


@pytest.mark.parametrize(
    ("steps", "blinds", "code"),
    [
        (SWITCH.replace("$on", "$later"), {}, "ATM120"),
        (SWITCH, {}, "ATM113"),
        (SEIZE, {"who": 5}, "ATM112"),
    ],
)
def test_a_blind_without_a_value_that_fits_is_refused(
    steps: str, blinds: dict[str, int | bool | str], code: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(steps, {}, head=TYPED, blinds=blinds)
    assert caught.value.code in {code, "ATM112"}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("pool: 7", "is not such a contract"),
        ("pool: uniswap_v2.router", "is not such a contract"),
        ("pool: aave_v3.other.pool", "unknown contract"),
    ],
)
def test_a_contract_is_one_of_its_kind(inputs: str, message: str) -> None:
    step = f"{{id: one, use: aave_v3.supply, in: {{asset: USDC, amount: 5 USDC, {inputs}}}}}"
    with pytest.raises(ConfigError, match=message) as caught:
        compiled(step)
    assert caught.value.position is not None


def test_the_executor_itself_is_an_account() -> None:
    calls = [
        op
        for op in compiled(SEIZE.replace("$who", "executor"), {}).program.ops
        if isinstance(op, Call) and not op.is_read
    ]
    assert words(calls[0])[2] == int(EXECUTOR, 16)


@pytest.mark.parametrize("fees", ["[500, WETH]", "[1000000]", "WETH"])
def test_fees_of_a_path_are_whole_numbers_below_one(fees: str) -> None:
    step = (
        "{id: one, use: uniswap_v3.exact_input, "
        f"in: {{token_in: WETH, token_out: USDC, fees: {fees}, amount: 1 WETH}}, slippage: 30 bps}}"
    )
    with pytest.raises(ConfigError, match="is not a list of fees") as caught:
        compiled(step, {"one": 1})
    assert caught.value.code == "ATM112"


def test_a_flag_is_written_back_as_it_stands() -> None:
    here = SourcePosition("a.yaml", 1, 1)
    assert [written(Flag(value, here), {}) for value in (True, False)] == ["true", "false"]
