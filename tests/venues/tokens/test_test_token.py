from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.chain import decode_output, encode_call, event_topic
from tidegate.model import UINT256_MAX, ZERO_ADDRESS, Address
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.calls import read, send
from tidegate.venues.tokens import MintableToken, approve, balance_of, deploy_token, mint

DEPLOYER, OWNER, ANN, BOB, CAROL = (Address("0x" + f"{number:040x}") for number in range(0x1001, 0x1006))


@pytest.fixture
def fresh() -> FastWorld:
    return FastWorld()


@pytest.fixture
def token(fresh: FastWorld) -> MintableToken:
    return deploy_token(fresh, name="USD Coin", symbol="USDC", decimals=6, owner=OWNER, deployer=DEPLOYER)


def test_it_says_what_it_is(fresh: FastWorld, token: MintableToken) -> None:
    assert read(fresh, token.address, "name()(string)") == "USD Coin"
    assert read(fresh, token.address, "symbol()(string)") == "USDC"
    assert read(fresh, token.address, "decimals()(uint8)") == 6
    assert read(fresh, token.address, "owner()(address)") == OWNER
    assert read(fresh, token.address, "totalSupply()(uint256)") == 0


def test_only_the_owner_mints(fresh: FastWorld, token: MintableToken) -> None:
    receipt = mint(fresh, token, ANN, 500)
    assert balance_of(fresh, token.address, ANN) == 500
    assert read(fresh, token.address, "totalSupply()(uint256)") == 500
    assert receipt.logs[0].topics[0] == event_topic("Transfer(address,address,uint256)")
    with pytest.raises(WorldReverted, match="test_token: not the owner"):
        send(fresh, token.address, "mint(address,uint256)", ANN, 1, sender=ANN)
    with pytest.raises(WorldReverted, match="test_token: receiver"):
        mint(fresh, token, ZERO_ADDRESS, 1)


def test_the_supply_can_not_overflow(fresh: FastWorld, token: MintableToken) -> None:
    mint(fresh, token, ANN, UINT256_MAX)
    with pytest.raises(WorldReverted):
        mint(fresh, token, BOB, 1)
    assert balance_of(fresh, token.address, BOB) == 0


def test_a_transfer_moves_and_returns_true(fresh: FastWorld, token: MintableToken) -> None:
    mint(fresh, token, ANN, 500)
    data = encode_call("transfer(address,uint256)", BOB, 200)
    assert decode_output(("bool",), fresh.call(token.address, data, sender=ANN)) == (True,)
    fresh.transact(token.address, data, sender=ANN)
    assert [balance_of(fresh, token.address, who) for who in (ANN, BOB)] == [300, 200]


def test_a_transfer_to_oneself_changes_nothing(fresh: FastWorld, token: MintableToken) -> None:
    mint(fresh, token, ANN, 500)
    send(fresh, token.address, "transfer(address,uint256)", ANN, 500, sender=ANN)
    assert balance_of(fresh, token.address, ANN) == 500


@pytest.mark.parametrize(
    ("to", "amount", "why"),
    [(BOB, 501, "test_token: balance"), (ZERO_ADDRESS, 1, "test_token: receiver")],
)
def test_a_transfer_that_can_not_be_reverts(
    fresh: FastWorld, token: MintableToken, to: Address, amount: int, why: str
) -> None:
    mint(fresh, token, ANN, 500)
    with pytest.raises(WorldReverted, match=why):
        send(fresh, token.address, "transfer(address,uint256)", to, amount, sender=ANN)
    assert balance_of(fresh, token.address, ANN) == 500


def test_a_spender_moves_up_to_its_allowance(fresh: FastWorld, token: MintableToken) -> None:
    mint(fresh, token, ANN, 500)
    approve(fresh, token.address, BOB, 300, holder=ANN)
    pull = ("transferFrom(address,address,uint256)", ANN, CAROL)
    send(fresh, token.address, *pull, 200, sender=BOB)
    assert read(fresh, token.address, "allowance(address,address)(uint256)", ANN, BOB) == 100
    with pytest.raises(WorldReverted, match="test_token: allowance"):
        send(fresh, token.address, *pull, 101, sender=BOB)
    assert [balance_of(fresh, token.address, who) for who in (ANN, CAROL)] == [300, 200]


def test_the_largest_allowance_never_shrinks(fresh: FastWorld, token: MintableToken) -> None:
    mint(fresh, token, ANN, 500)
    approve(fresh, token.address, BOB, UINT256_MAX, holder=ANN)
    send(fresh, token.address, "transferFrom(address,address,uint256)", ANN, CAROL, 500, sender=BOB)
    assert read(fresh, token.address, "allowance(address,address)(uint256)", ANN, BOB) == UINT256_MAX


@pytest.mark.parametrize(
    ("decimals", "owner", "why"),
    [(37, OWNER, "test_token: decimals"), (6, ZERO_ADDRESS, "test_token: owner")],
)
def test_a_token_that_makes_no_sense_is_not_made(
    fresh: FastWorld, decimals: int, owner: Address, why: str
) -> None:
    with pytest.raises(WorldReverted, match=why):
        deploy_token(fresh, name="X", symbol="X", decimals=decimals, owner=owner, deployer=DEPLOYER)


_people = st.sampled_from([ANN, BOB, CAROL])
_moves = st.lists(st.tuples(_people, _people, st.integers(0, 700)), max_size=12)


@given(_moves)
def test_balances_always_add_up_to_the_supply(moves: list[tuple[Address, Address, int]]) -> None:
    fresh = FastWorld()
    token = deploy_token(fresh, name="T", symbol="T", decimals=0, owner=OWNER, deployer=DEPLOYER)
    model = dict.fromkeys((ANN, BOB, CAROL), 500)
    for who in model:
        mint(fresh, token, who, 500)
    for holder, to, amount in moves:
        if amount > model[holder]:
            with pytest.raises(WorldReverted, match="balance"):
                send(fresh, token.address, "transfer(address,uint256)", to, amount, sender=holder)
            continue
        send(fresh, token.address, "transfer(address,uint256)", to, amount, sender=holder)
        model[holder] -= amount
        model[to] += amount
    assert {who: balance_of(fresh, token.address, who) for who in model} == model
    assert read(fresh, token.address, "totalSupply()(uint256)") == sum(model.values()) == 1_500
