from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tidegate.app.devnet import Devnet
from tidegate.chain import encode_call, keccak256
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.calls import read
from tidegate.venues.safe import (
    Safe,
    SafeCall,
    approve_and_execute,
    approved_hash_signatures,
    create_safe,
    execute_signed,
    transaction_hash,
)
from tidegate.venues.tokens import balance_of, mint

CANONICAL = {
    "singleton": "0x41675C099F32341bf84BFc5382aF534df5C7461a",
    "proxy_factory": "0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67",
    "fallback_handler": "0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99",
    "multi_send_call_only": "0x9641d764fc13c8B624c04430C7356C1C7C8102e2",
}
KEYS: tuple[LocalAccount, ...] = tuple(Account.from_key(keccak256(b"owner %d" % n)) for n in range(5))


@pytest.fixture
def safe(world: FastWorld, devnet: Devnet) -> Safe:
    owners = tuple(Address(key.address) for key in KEYS)
    made = create_safe(world, devnet.safe, owners, 3, sender=devnet.accounts["admin"])
    mint(world, devnet.tokens["USDC"], made.address, 1_000)
    return made


@pytest.fixture
def pay(devnet: Devnet) -> SafeCall:
    data = encode_call("transfer(address,uint256)", devnet.accounts["operator"], 500)
    return SafeCall(devnet.token("USDC"), data)


def signed(digest: bytes, *who: int) -> dict[Address, bytes]:
    return {Address(KEYS[n].address): bytes(KEYS[n].unsafe_sign_hash(digest).signature) for n in who}


def test_it_stands_where_it_stands_on_live_chains(devnet: Devnet) -> None:
    assert {name: getattr(devnet.safe, name) for name in CANONICAL} == CANONICAL


def test_three_of_five_signatures_move_tokens(
    world: FastWorld, devnet: Devnet, safe: Safe, pay: SafeCall
) -> None:
    signatures = signed(transaction_hash(world, safe, pay), 4, 0, 2)
    execute_signed(world, safe, pay, signatures, sender=devnet.accounts["trader"])
    assert balance_of(world, devnet.token("USDC"), devnet.accounts["operator"]) == 500
    assert balance_of(world, devnet.token("USDC"), safe.address) == 500
    with pytest.raises(WorldReverted, match="GS026"):  # the nonce moved on: nothing is paid twice
        execute_signed(world, safe, pay, signatures, sender=devnet.accounts["trader"])


def test_two_of_five_signatures_do_not(world: FastWorld, devnet: Devnet, safe: Safe, pay: SafeCall) -> None:
    signatures = signed(transaction_hash(world, safe, pay), 0, 2)
    with pytest.raises(WorldReverted, match="GS020"):
        execute_signed(world, safe, pay, signatures, sender=devnet.accounts["trader"])
    assert balance_of(world, devnet.token("USDC"), safe.address) == 1_000


def test_signatures_of_another_call_do_not(
    world: FastWorld, devnet: Devnet, safe: Safe, pay: SafeCall
) -> None:
    other = SafeCall(pay.to, pay.data, value_wei=1)
    signatures = signed(transaction_hash(world, safe, other), 0, 1, 2)
    with pytest.raises(WorldReverted, match="GS026"):
        execute_signed(world, safe, pay, signatures, sender=devnet.accounts["trader"])


def test_owners_can_agree_on_chain(world: FastWorld, devnet: Devnet, pay: SafeCall) -> None:
    safe = devnet.owner_safe
    mint(world, devnet.tokens["USDC"], safe.address, 500)
    approve_and_execute(world, safe, pay)
    assert balance_of(world, devnet.token("USDC"), devnet.accounts["operator"]) == 500


def test_a_hash_that_nobody_approved_does_not_count(world: FastWorld, devnet: Devnet, pay: SafeCall) -> None:
    safe = devnet.owner_safe
    claimed = approved_hash_signatures(safe.owners[:3])
    with pytest.raises(WorldReverted, match="GS025"):
        execute_signed(world, safe, pay, claimed, sender=devnet.accounts["trader"])


def test_a_safe_whose_call_fails_reverts(world: FastWorld, devnet: Devnet, pay: SafeCall) -> None:
    with pytest.raises(WorldReverted, match="GS013"):  # it holds no tokens
        approve_and_execute(world, devnet.owner_safe, pay)


@pytest.mark.parametrize(
    ("owners", "threshold"),
    [(2, 3), (2, 0), (0, 0)],
)
def test_a_threshold_that_can_not_be_is_refused(
    world: FastWorld, devnet: Devnet, owners: int, threshold: int
) -> None:
    some = tuple(Address(key.address) for key in KEYS[:owners])
    with pytest.raises(WorldReverted):
        create_safe(world, devnet.safe, some, threshold, sender=devnet.accounts["admin"])


@pytest.mark.parametrize("bad", [ZERO_ADDRESS, Address(KEYS[0].address)])
def test_an_owner_is_someone_and_only_once(world: FastWorld, devnet: Devnet, bad: Address) -> None:
    owners = (Address(KEYS[0].address), Address(KEYS[1].address), bad)
    with pytest.raises(WorldReverted):
        create_safe(world, devnet.safe, owners, 2, sender=devnet.accounts["admin"])


def test_the_owner_safe_is_three_of_five(world: FastWorld, devnet: Devnet) -> None:
    where = devnet.owner_safe.address
    assert set(read(world, where, "getOwners()(address[])")) == {
        devnet.accounts[f"owner{n}"] for n in range(1, 6)
    }
    assert read(world, where, "getThreshold()(uint256)") == 3
