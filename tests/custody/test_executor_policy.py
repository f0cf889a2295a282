"""The executor's policy: what the signer reads in a program, and each way in which it says no."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.custody.signer_world import (
    CHAIN,
    ETHER,
    FRIEND,
    GWEI,
    START_S,
    USD,
    SignerWorld,
    is_signed,
    refusal,
    transaction,
)
from tests.venues.executor.golden import EXECUTOR, MORPHO, PROGRAM, ROUTER, USDC, WETH

from tidegate.chain import address, encode_call, selector
from tidegate.custody.capability import Purpose
from tidegate.custody.content import Judgement
from tidegate.custody.policies import bind_policy, policies
from tidegate.custody.requests import Freeze
from tidegate.model import ZERO_ADDRESS, Denied, Reason
from tidegate.venues.executor import (
    FORBIDDEN_CALLS,
    Approve,
    Call,
    FlashKind,
    Line,
    Load,
    TokenPrice,
    assemble,
    encode_execute,
    encode_simulate,
    encode_sweep,
    encode_unwind,
)

SWAP = "0x" + PROGRAM.ops[1].ops[1].selector.hex()
REPAY = "0x573ade81"
POOL = address("0x" + "aa" * 20)
PRICES = {
    ZERO_ADDRESS: TokenPrice(3_000 * 10**8, 18),
    WETH: TokenPrice(3_000 * 10**8, 18),
    USDC: TokenPrice(10**8, 6),
}
TERMS = {
    "executors": (EXECUTOR,),
    "calls": ({"target": ROUTER, "selectors": (SWAP,)},),
    "exit_calls": ({"target": POOL, "selectors": (REPAY,)},),
    "lenders": ({"lender": MORPHO, "kinds": (int(FlashKind.MORPHO_BLUE),)},),
    "spenders": (ROUTER, POOL),
    "deadline_max_s": 120,
    "gas_limit_max": 805_000,
    "at_risk_tx_usd_e6": 2_000 * USD,
    "flow_tx_usd_e6": 15_000 * USD,
}
TRADE = replace(PROGRAM, chain_id=CHAIN, deadline=START_S + 60)
REPAYMENT = replace(
    TRADE,
    lines=(Line(USDC, -100 * USD),),
    ops=(
        Load.literal(0, 0, 100 * USD),
        Approve(1, USDC, POOL, 0),
        Call(2, POOL, encode_call("repay(address,uint256,uint256,address)", USDC, 100 * USD, 2, EXECUTOR)),
    ),
)


def calling(program=TRADE, **changes):
    fields = {"to": EXECUTOR, "gas_limit": 805_000, "max_fee_wei": 30 * GWEI, **changes}
    return transaction(**{"data": encode_execute(assemble(program)), **fields})


def judge(content, prices=PRICES, now_s=START_S, **terms):
    return bind_policy("executor", {**TERMS, **terms})(content, prices, now_s)


def refused(content, found, reason=Reason.POLICY_REFUSED, **given):
    with pytest.raises(Denied) as denied:
        judge(content, **given)
    assert denied.value.reason is reason
    assert found in str(denied.value), denied.value


def with_ops(*ops, **changes):
    return replace(TRADE, ops=ops, **changes)


def test_flow_is_the_notional_and_at_risk_comes_from_the_lines():
    """Five WETH of a loan at 3,000 dollars; 805,000 gas at 30 gwei, and no line may lose."""
    assert judge(calling()) == Judgement(15_000 * USD, 72_450_000)
    losing = replace(TRADE, lines=(Line(USDC, 0), Line(WETH, -ETHER // 2)))
    assert judge(calling(losing)).at_risk_usd_e6 == 1_572_450_000


def test_another_target_is_not_its_matter():
    assert judge(calling(to=FRIEND)) is None


# execute alone, canonical


@pytest.mark.parametrize(
    "data",
    [
        encode_unwind(assemble(TRADE)),
        encode_simulate(assemble(TRADE)),
        encode_sweep([WETH]),
        encode_call("pause()"),
        b"",
        encode_execute(assemble(TRADE))[:-1],
        encode_execute(assemble(TRADE)) + bytes(32),
        encode_execute(b""),
        encode_execute(assemble(TRADE)[:-1]),
        encode_execute(assemble(TRADE) + b"\x00"),
    ],
)
def test_only_execute_with_one_canonical_program_is_signed(data):
    refused(calling(data=data), "execute(bytes) alone")


@given(st.integers(0, 929), st.integers(1, 255))
def test_a_flipped_byte_of_a_program_is_judged_as_what_it_then_is(place, flip):
    """Never an error of another kind: a judgement, or a denial with a reason."""
    raw = bytearray(assemble(TRADE))
    raw[place] ^= flip
    try:
        judgement = judge(calling(data=encode_execute(bytes(raw))))
    except Denied as denied:
        judgement = denied.reason
    allowed = {Reason.POLICY_REFUSED, Reason.UNVALUED}
    assert isinstance(judgement, Judgement) or judgement in allowed


# Every call, lender, spender


def test_a_function_that_is_not_listed_is_refused_also_inside_a_loan_and_as_a_read():
    refused(calling(), "call of step", calls=())
    other = replace(TRADE.ops[1].ops[1], tag=9, data=selector("transfer(address,uint256)") + bytes(64))
    refused(calling(with_ops(other)), "call of step 9")
    elsewhere = Call(9, FRIEND, bytes.fromhex(SWAP[2:]), is_read=True)
    refused(calling(with_ops(elsewhere)), FRIEND)


def test_a_multicall_hidden_in_a_program_is_refused():
    hidden = Call(9, ROUTER, selector("multicall(bytes[])") + bytes(96))
    refused(calling(with_ops(hidden)), "call of step 9")


@pytest.mark.parametrize(
    "signature",
    ["multicall(bytes[])", "execute(bytes)", "multiSend(bytes)", *sorted(FORBIDDEN_CALLS.values())],
)
@pytest.mark.parametrize("where", ["calls", "exit_calls", "exit_beside"])
def test_terms_that_allow_a_function_which_hides_or_takes_are_invalid(signature, where):
    function = "0x" + selector(signature).hex()
    with pytest.raises(Denied) as denied:
        bind_policy("executor", {**TERMS, where: ({"target": ROUTER, "selectors": (function,)},)})
    assert denied.value.reason is Reason.CAPABILITY_INVALID


def test_a_lender_is_allowed_by_name_and_interface():
    refused(calling(), "lender of step 5", lenders=())
    refused(calling(), "lender of step 5", lenders=({"lender": MORPHO, "kinds": (2,)},))
    refused(calling(), "lender of step 5", lenders=({"lender": FRIEND, "kinds": (4,)},))


def test_a_spender_that_is_not_listed_is_refused():
    refused(calling(), "spender of step 1", spenders=())


# Header and gas


@pytest.mark.parametrize(("deadline_s", "is_allowed"), [(0, True), (120, True), (-1, False), (121, False)])
def test_the_deadline_is_neither_over_nor_far_away(deadline_s, is_allowed):
    content = calling(replace(TRADE, deadline=START_S + deadline_s))
    if is_allowed:
        assert judge(content)
    else:
        refused(content, "deadline")


def test_a_program_for_another_chain_is_refused():
    refused(calling(replace(TRADE, chain_id=1)), "chain")


def test_gas_has_a_cap_of_its_own():
    refused(calling(gas_limit=805_001), "gas limit")


# At-risk and flow


def test_at_risk_and_flow_are_held_to_the_millionth():
    assert judge(calling(), at_risk_tx_usd_e6=72_450_000)
    refused(calling(), "at-risk", at_risk_tx_usd_e6=72_449_999)
    refused(calling(), "flow", flow_tx_usd_e6=15_000 * USD - 1)


def test_a_token_without_a_price_is_unvalued():
    without = {token: price for token, price in PRICES.items() if token != WETH}
    refused(calling(), WETH, reason=Reason.UNVALUED, prices=without)


def test_what_is_spent_and_has_no_line_is_refused():
    refused(calling(replace(TRADE, lines=(Line(USDC, 0),))), "a token with a line")
    paying = Call(9, ROUTER, bytes.fromhex(SWAP[2:]), value_register=0)
    refused(calling(with_ops(Load.literal(8, 0, 1), paying)), "a token with a line")
    bounded = with_ops(Load.literal(8, 0, 1), paying, lines=(Line(ZERO_ADDRESS, -1),))
    assert judge(calling(bounded))
    direct = Call(9, USDC, bytes.fromhex(REPAY[2:]))
    listed = ({"target": USDC, "selectors": (REPAY,)},)
    refused(calling(with_ops(direct, lines=(Line(WETH, 0),))), "a token with a line", calls=listed)


def test_value_beside_a_program_needs_a_line_and_counts_as_flow():
    refused(calling(value_wei=1), "a line that bounds it")
    lines = (Line(ZERO_ADDRESS, 0), *TRADE.lines)
    program = with_ops(Call(9, ROUTER, bytes.fromhex(SWAP[2:])), lines=lines)
    assert judge(calling(program, value_wei=ETHER)).notional_usd_e6 == 3_000 * USD


def test_a_balance_that_is_loaded_counts_up_to_the_inventory_that_the_terms_state():
    program = with_ops(Load.balance(8, 0, WETH), Approve(9, WETH, ROUTER, 0))
    refused(calling(program), "balance", reason=Reason.UNVALUED)
    stated = ({"token": WETH, "most": str(2 * ETHER)},)
    assert judge(calling(program), inventory=stated).notional_usd_e6 == 6_000 * USD


# Exits


def test_a_program_is_an_exit_if_it_reduces_and_calls_nothing_that_an_exit_does_not_need():
    assert judge(calling(REPAYMENT)).is_exit
    assert not judge(calling(TRADE)).is_exit
    mixed = replace(REPAYMENT, ops=(*REPAYMENT.ops, Call(3, ROUTER, bytes.fromhex(SWAP[2:]))))
    assert not judge(calling(mixed)).is_exit
    assert not judge(calling(replace(REPAYMENT, ops=REPAYMENT.ops[:2]))).is_exit  # calls nothing


def test_an_exit_may_swap_beside_a_repayment_and_a_swap_alone_is_none():
    beside = {"calls": (), "exit_beside": ({"target": ROUTER, "selectors": (SWAP,)},)}
    words = (int(WETH, 16), int(USDC, 16), 500, int(EXECUTOR, 16), 1, 1, 0)
    swap = bytes.fromhex(SWAP[2:]) + b"".join(word.to_bytes(32) for word in words)
    mixed = replace(REPAYMENT, ops=(*REPAYMENT.ops, Call(3, ROUTER, swap)))
    assert judge(calling(mixed), **beside).is_exit
    to_another = replace(
        REPAYMENT, ops=(*REPAYMENT.ops, Call(3, ROUTER, swap.replace(words[3].to_bytes(32), bytes(32))))
    )
    assert not judge(calling(to_another), **beside).is_exit
    assert not judge(calling(TRADE), **beside).is_exit


def test_an_exit_takes_no_coin_along():
    with_coin = replace(REPAYMENT, lines=(Line(ZERO_ADDRESS, 0), *REPAYMENT.lines))
    assert judge(calling(with_coin)).is_exit
    assert not judge(calling(with_coin, value_wei=1)).is_exit


def test_a_function_that_no_adapter_knows_to_reduce_is_not_listed_as_an_exit():
    with pytest.raises(Denied) as denied:
        bind_policy("executor", {**TERMS, "exit_calls": ({"target": ROUTER, "selectors": (SWAP,)},)})
    assert denied.value.reason is Reason.CAPABILITY_INVALID


# Terms


@pytest.mark.parametrize(
    "terms",
    [
        {"executors": ()},
        {"executors": (EXECUTOR.lower(),)},
        {"spenders": ("0x12",)},
        {"calls": ({"target": ROUTER, "selectors": ("0x",)},)},
        {"lenders": ({"lender": MORPHO, "kinds": (9,)},)},
        {"deadline_max_s": 0},
        {"deadline_max_s": 86_401},
        {"inventory": ({"token": WETH, "most": "-1"},)},
        {"inventory": ({"token": WETH, "most": 5},)},
        {"flow_tx_usd_e6": -1},
        {"anything": 1},
    ],
    ids=str,
)
def test_terms_of_another_form_are_invalid(terms):
    with pytest.raises(Denied) as denied:
        bind_policy("executor", {**TERMS, **terms})
    assert denied.value.reason is Reason.CAPABILITY_INVALID


@pytest.mark.parametrize(
    "missing", ["executors", "calls", "deadline_max_s", "gas_limit_max", "flow_tx_usd_e6"]
)
def test_terms_without_a_limit_are_invalid(missing):
    with pytest.raises(Denied, match="terms"):
        bind_policy("executor", {name: value for name, value in TERMS.items() if name != missing})


def test_a_policy_is_known_by_its_one_file():
    assert set(policies()) == {"executor"}
    with pytest.raises(Denied) as denied:
        bind_policy("group_vote", {})
    assert denied.value.reason is Reason.POLICY_UNKNOWN


# Through the signer


def desk(world, **changes):
    limits = ("notional_tx", "notional_day", "at_risk_tx", "at_risk_day")
    roomy = {f"{limit}_usd_e6": 20_000 * USD for limit in limits}
    prices = [
        {"token": token, "price_usd_e8": price.price_usd_e8, "decimals": price.decimals}
        for token, price in PRICES.items()
    ]
    target = {"address": EXECUTOR, "code_hash": "0x" + "00" * 32, "selectors": ("0x09c5eabe", "0x83eb7e7a")}
    fields = {
        **roomy,
        "targets": (target,),
        "prices": tuple(prices),
        "policies": ({"name": "executor", "terms": TERMS},),
        "gas_limit_max": 805_000,
        "unvalued": (),
        **changes,
    }
    return world.load(**fields)


def test_the_signer_signs_a_program_that_the_policy_allows_and_counts_its_flow():
    world = SignerWorld()
    held = desk(world, notional_tx_usd_e6=15_000 * USD, notional_day_usd_e6=20_000 * USD)
    assert is_signed(world.sign(held, calling()))
    assert refusal(world.sign(held, calling(nonce=1))) == ("notional", "notional_limit")


def test_the_signer_names_the_policy_as_the_check_that_failed():
    world = SignerWorld()
    held = desk(world)
    hidden = with_ops(Call(9, ROUTER, selector("multicall(bytes[])") + bytes(96)))
    assert refusal(world.sign(held, calling(hidden))) == ("policies", "policy_refused")
    unwinding = calling(data=encode_unwind(assemble(TRADE)))
    assert refusal(world.sign(held, unwinding)) == ("policies", "policy_refused")


def test_the_capability_s_own_limits_hold_beside_the_policy_s():
    world = SignerWorld()
    held = desk(world, at_risk_tx_usd_e6=72_449_999)
    assert refusal(world.sign(held, calling())) == ("at_risk", "at_risk_limit")


def test_without_the_policy_a_program_is_not_signed_whatever_else_is_allowed():
    world = SignerWorld()
    free = ({"target": EXECUTOR, "function": "0x09c5eabe", "per_day": 9},)
    held = desk(world, policies=(), unvalued=free)
    assert refusal(world.sign(held, calling())) == ("target", "selector_not_allowed")


def test_an_exit_capability_signs_an_exit_and_no_trade_also_while_frozen():
    world = SignerWorld()
    held = desk(world, purpose=Purpose.EXIT)
    world.ask(Freeze(reason="odd", by="watch"))
    assert is_signed(world.sign(held, calling(REPAYMENT)))
    assert refusal(world.sign(held, calling(nonce=1))) == ("policies", "policy_refused")


def test_of_several_policies_each_must_hold():
    world = SignerWorld()
    strict = {**TERMS, "flow_tx_usd_e6": 1}
    held = desk(world, policies=tuple({"name": "executor", "terms": one} for one in (TERMS, strict)))
    assert refusal(world.sign(held, calling())) == ("policies", "policy_refused")
