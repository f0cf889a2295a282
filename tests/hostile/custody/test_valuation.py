"""Attacks on what a signature is worth: moving more than the limits say, without a lie that a check sees."""

import json

import pytest
from tests.custody.signer_world import (
    CHAIN,
    DAY_S,
    FRIEND,
    GWEI,
    HOT,
    POOL,
    START_S,
    TOY,
    USD,
    USDC,
    FixedWitness,
    SignerWorld,
    is_signed,
    refusal,
    transaction,
    transfer,
)
from tests.custody.test_executor_policy import PRICES, ROUTER, SWAP, TERMS, calling, refused, with_ops
from tests.venues.executor.golden import WETH

from tidegate.chain import address, encode_call, selector
from tidegate.custody.capability import Purpose
from tidegate.model import ZERO_ADDRESS, Denied, Reason, Stage
from tidegate.venues.executor import Approve, Call, Capture, Line, Load, Math, MathFunction, Take

SHADY = address("0x" + "5d" * 20)
CODE = "0x" + "00" * 32


@pytest.fixture
def world() -> SignerWorld:
    return SignerWorld()


def listed(*functions: str, target=POOL) -> tuple[dict, ...]:
    selectors = tuple("0x" + selector(one).hex() for one in functions)
    return ({"address": target, "code_hash": CODE, "selectors": selectors},)


def unvalued(function: str, target=POOL, per_day=3) -> tuple[dict, ...]:
    return ({"target": target, "function": "0x" + selector(function).hex(), "per_day": per_day},)


# Inside of a program


def reading(*after):
    """Read a number that someone else's contract chooses, then spend it."""
    read = Call(0, ROUTER, bytes.fromhex(SWAP[2:]) + bytes(64), (), Capture(0, 0), is_read=True)
    return with_ops(read, *after, registers=4, lines=(Line(WETH, 0),))


@pytest.mark.parametrize(
    "after",
    [
        (Approve(1, WETH, ROUTER, 0),),
        (Take(1, 1, 1), Approve(2, WETH, ROUTER, 1)),
        (Math(1, 1, MathFunction.ADD, 0, None, None, 1), Approve(2, WETH, ROUTER, 1)),
    ],
    ids=["captured", "taken", "computed"],
)
def test_an_amount_made_of_a_read_does_not_hide_what_a_program_moves(after):
    refused(calling(reading(*after)), "nothing bounds the amount")


def test_a_transfer_of_a_token_without_a_price_does_not_leave_a_program_unbounded():
    """The terms list ``transfer`` of a token that nobody priced: without a line nothing would hold it."""
    transfers = {"target": SHADY, "selectors": ("0xa9059cbb",)}
    program = with_ops(Call(0, SHADY, transfer(10**30)), lines=(Line(WETH, 0),))
    assert SHADY not in PRICES
    refused(calling(program), "token of step 0", calls=(*TERMS["calls"], transfers))


def test_a_balance_beyond_what_the_terms_know_of_is_not_spent_uncounted():
    program = with_ops(
        Load.balance(0, 0, WETH), Approve(1, WETH, ROUTER, 0), registers=1, lines=(Line(WETH, 0),)
    )
    refused(calling(program), "balance", reason=Reason.UNVALUED)


# Plain transactions


def test_coin_without_a_price_does_not_move(world):
    free = ({"token": USDC, "price_usd_e8": 10**8, "decimals": 6},)
    held = world.load(prices=free)
    assert refusal(world.sign(held, transaction(to=POOL, data=b"", value_wei=1))) == ("notional", "unvalued")


def test_a_token_that_takes_a_fee_is_counted_by_what_is_sent(world):
    """What arrives is less: the limit holds what leaves."""
    held = world.load()
    assert is_signed(world.sign(held, transaction(data=transfer(1_000 * USD))))
    over = transaction(nonce=1, data=transfer(1_000 * USD + 1))
    assert refusal(world.sign(held, over)) == ("notional", "notional_limit")


@pytest.mark.parametrize("amount", [2**256 - 1, 2**255, 2**128])
def test_no_amount_overflows_a_limit(world, amount):
    assert refusal(world.sign(world.load(), transaction(data=transfer(amount)))) == (
        "notional",
        "notional_limit",
    )
    coin = transaction(to=POOL, data=b"", value_wei=amount)
    assert refusal(world.sign(world.load(serial=2), coin)) == ("notional", "notional_limit")


def test_approving_and_collecting_later_is_paid_for_when_it_is_approved(world):
    held = world.load()
    approve = encode_call("approve(address,uint256)", FRIEND, 1_000 * USD)
    for nonce in (0, 1):
        assert is_signed(world.sign(held, transaction(nonce=nonce, data=approve)))
    assert refusal(world.sign(held, transaction(nonce=2, data=approve))) == ("notional", "notional_limit")


@pytest.mark.parametrize(
    "function",
    [
        "increaseAllowance(address,uint256)",
        "approveDelegation(address,uint256)",
        "setApprovalForAll(address,bool)",
    ],
)
def test_an_approval_by_another_name_is_unvalued_and_counted_or_refused(world, function):
    data = encode_call(function, FRIEND, True if "bool" in function else 2**255)
    bare = world.load(targets=listed(function), unvalued=())
    assert refusal(world.sign(bare, transaction(to=POOL, data=data))) == ("notional", "unvalued")
    counted = world.load(serial=2, targets=listed(function), unvalued=unvalued(function, per_day=1))
    assert is_signed(world.sign(counted, transaction(to=POOL, data=data)))
    again = transaction(nonce=1, to=POOL, data=data)
    assert refusal(world.sign(counted, again)) == ("count", "count_limit")


def test_gas_is_part_of_what_may_be_lost_and_has_no_free_cancel(world):
    held = world.load(at_risk_tx_usd_e6=1 * USD, notional_tx_usd_e6=1 * USD)
    cancel = transaction(to=HOT.address, data=b"", gas_limit=500_000, max_fee_wei=100 * 10**9)
    assert refusal(world.sign(held, cancel)) == ("at_risk", "at_risk_limit")


# Exits that are none


@pytest.mark.parametrize(
    "function",
    [
        "transfer(address,uint256)",
        "approve(address,uint256)",
        "increaseAllowance(address,uint256)",
        "approveDelegation(address,uint256)",
        "transferAndCall(address,uint256,bytes)",
        "setApprovalForAll(address,bool)",
        "safeTransferFrom(address,address,uint256)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "transferOwnership(address)",
        "flashLoan(address,address,uint256,bytes)",
    ],
)
def test_what_gives_away_is_no_exit_although_an_exit_capability_lists_it(world, function):
    exits = world.load(purpose=Purpose.EXIT, targets=listed(function), unvalued=unvalued(function))
    data = selector(function) + bytes(224)
    assert not is_signed(world.sign(exits, transaction(to=POOL, data=data)))


def test_an_exit_sends_no_coin_creates_nothing_and_signs_no_typed_data(world):
    repay = "repay(address,uint256,uint256,address)"
    targets = (
        {"address": POOL, "code_hash": CODE, "selectors": ("0x", "0x" + selector(repay).hex())},
        {"address": None, "code_hash": "0x" + "c5" * 32, "selectors": ()},
    )
    exits = world.load(purpose=Purpose.EXIT, targets=targets, unvalued=unvalued(repay))
    data = selector(repay) + bytes(128)
    assert is_signed(world.sign(exits, transaction(to=POOL, data=data)))
    assert refusal(world.sign(exits, transaction(nonce=1, to=POOL, data=data, value_wei=1)))[0] == "policies"
    assert refusal(world.sign(exits, transaction(nonce=1, to=POOL, data=b"")))[0] == "policies"
    assert not is_signed(world.sign(exits, transaction(nonce=1, to=None, data=b"\x60")))
    assert not is_signed(world.sign_typed(exits, permit(USD)))


def test_a_stage_that_signs_nothing_has_no_exits_either(world):
    for stage in (Stage.BACKTEST, Stage.SHADOW):
        with pytest.raises(Denied, match="stage"):
            world.load(purpose=Purpose.EXIT, stage=stage)


# Typed data


def permit(value, *, deadline=START_S + 600, **message):
    types = {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ],
    }
    fields = {"owner": HOT.address, "spender": FRIEND, "value": value, "nonce": 0, "deadline": deadline}
    domain = {"name": "USD Coin", "version": "2", "chainId": CHAIN, "verifyingContract": USDC}
    document = {"types": types, "primaryType": "Permit", "domain": domain, "message": {**fields, **message}}
    return json.dumps(document).encode()


def test_a_permit_does_not_outlive_the_capability(world):
    held = world.load()
    ends = START_S - 60 + DAY_S
    assert is_signed(world.sign_typed(held, permit(USD, deadline=ends)))
    for deadline in (ends + 1, 2**64 - 1):
        late = permit(USD, deadline=deadline)
        assert refusal(world.sign_typed(held, late)) == ("typed_data", "typed_data_not_allowed")


def test_a_permit_with_an_amount_that_is_only_text_is_counted_as_it_is_hashed(world):
    held = world.load(notional_tx_usd_e6=USD, at_risk_tx_usd_e6=USD)
    assert is_signed(world.sign_typed(held, permit(str(USD))))
    for amount in (str(USD + 1), USD + 1, "0" * 30 + str(USD + 1)):
        assert refusal(world.sign_typed(held, permit(amount))) == ("notional", "notional_limit")
    for amount in ("1e30", "0xffffffffffff", "1_000", " 1", "-1", -1, 1.5, True, None, "１"):
        assert not is_signed(world.sign_typed(held, permit(amount))), amount


def test_typed_data_that_one_key_signed_is_not_free_for_another(world):
    """It need not name its signer: a second key's signature is a second order, and counts."""
    domains = (
        {
            "name": "Escrow",
            "version": None,
            "chain_id": CHAIN,
            "verifying_contract": POOL,
            "primary_types": ("Order",),
        },
    )
    counted = ({"target": POOL, "function": "Order", "per_day": 5},)
    none = ({"target": POOL, "function": "Order", "per_day": 0},)
    hot = world.load(typed_domains=domains, unvalued=counted)
    toy = world.load(typed_domains=domains, unvalued=none, key_address=TOY.address)
    types = {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Order": [{"name": "amount", "type": "uint256"}],
    }
    domain = {"name": "Escrow", "chainId": CHAIN, "verifyingContract": POOL}
    order = json.dumps(
        {"types": types, "primaryType": "Order", "domain": domain, "message": {"amount": 1}}
    ).encode()
    assert is_signed(world.sign_typed(hot, order))
    assert refusal(world.sign_typed(toy, order, key="toy")) == ("count", "count_limit")
    assert refusal(world.restarted().sign_typed(toy, order, key="toy")) == ("count", "count_limit")
    assert is_signed(world.sign_typed(hot, order))  # its own again: the same signature, counted once


# What the limits do not hold, said in the threat model


def test_what_they_do_gain_with_wrong_decimals_is_what_the_issuer_signed(world):
    """The stated gap: a ceiling that the issuer got wrong undervalues what it prices."""
    wrong = (
        {"token": ZERO_ADDRESS, "price_usd_e8": 3_000 * 10**8, "decimals": 18},
        {"token": USDC, "price_usd_e8": 10**8, "decimals": 18},
    )
    assert is_signed(world.sign(world.load(prices=wrong), transaction(data=transfer(10**6 * USD))))


def test_what_they_do_gain_by_hoarding_is_signed_bytes_that_only_a_cancel_takes_back(world):
    """The stated gap: limits hold what is signed in 24 h, not what lands in them."""
    day = {"notional_day_usd_e6": 1_000 * USD}
    first = world.load(**day)
    assert is_signed(world.sign(first, transaction(data=transfer(1_000 * USD))))  # kept, not sent
    world.later(DAY_S)
    until = {"not_before": START_S + DAY_S, "expires_at": START_S + 2 * DAY_S}
    second = world.load(serial=2, **day, **until)
    assert is_signed(world.sign(second, transaction(nonce=1, data=transfer(1_000 * USD))))
    dearer = {"max_fee_wei": 20 * GWEI, "max_priority_fee_wei": 2 * GWEI}
    assert is_signed(world.sign(second, transaction(to=HOT.address, data=b"", **dearer)))  # the remedy


def test_a_witness_is_asked_about_the_target_alone(world):
    """The stated gap: what a target calls by itself (a proxy's implementation) is not read."""
    seen = SignerWorld(witness=FixedWitness().saw(USDC, bytes.fromhex(CODE[2:])))
    held = seen.load(targets=listed("transfer(address,uint256)", target=USDC))
    assert is_signed(seen.sign(held, transaction(data=transfer(USD))))
    assert seen.core.questions([seen.request(held, transaction())]) == {(CHAIN, USDC)}
