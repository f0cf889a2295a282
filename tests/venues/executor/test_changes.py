"""Changes: their ids, and which of them an executor refuses to schedule."""

import pytest
from eth_abi import encode
from eth_utils import keccak
from tests.venues.executor.golden import EXECUTOR, MORPHO, ROUTER, USDC, WETH

from tidegate.chain import address, selector
from tidegate.model import ZERO_ADDRESS, ConfigError
from tidegate.venues.executor import (
    FORBIDDEN_CALLS,
    ArgumentRule,
    Change,
    ChangeKind,
    FlashKind,
    Permission,
    Role,
    RuleKind,
    parse_loss_limit,
    why_inadmissible,
)

OWNER = address(0x0A)
TRANSFER = selector("transfer(address,uint256)")
SWAP = selector("swap(uint256)")
CALL = Permission(call=True)


def why(change):
    return why_inadmissible(
        change, executor=EXECUTOR, owner=OWNER, accounts_with_code=[ROUTER, USDC, WETH, EXECUTOR]
    )


def test_the_id_is_the_hash_of_the_encoded_triple():
    change = Change.policy(ROUTER, SWAP, CALL)
    encoded = encode(["(uint256,bytes32,uint256)"], [(1, change.key, 1)])
    assert change.encoded == encoded
    assert change.id == keccak(encoded)


def test_loss_limit_word_of_the_specification():
    change = Change.loss_limit(WETH, per_run=2 * 10**18, per_day=5 * 10**18)
    assert change.word == 0x80000000000000004563918244F4000000000000000000001BC16D674EC80000
    assert parse_loss_limit(change.word) == (2 * 10**18, 5 * 10**18)
    for per_run, per_day in ((2**128, 0), (0, 2**127), (-1, 0)):
        with pytest.raises(ConfigError, match="does not fit"):
            Change.loss_limit(WETH, per_run=per_run, per_day=per_day)


def test_keys_and_words_of_each_kind():
    assert Change.lender(MORPHO, FlashKind.MORPHO_BLUE, FlashKind.AAVE_V3).word == 0b10010
    assert Change.approval(WETH) == Change(
        ChangeKind.POLICY, bytes.fromhex(WETH[2:]) + bytes.fromhex("095ea7b3") + bytes(8), 8
    )
    assert Change.cap(64, 7) == Change(ChangeKind.CAP, (64).to_bytes(32), 7)
    assert Change.role(ROUTER, Role.RESCUER) == Change(
        ChangeKind.ROLE, bytes(12) + bytes.fromhex(ROUTER[2:]), 4
    )
    for change in (Change.spender(USDC), Change.asset(USDC), Change.treasury(USDC), Change.unguard(USDC)):
        assert (change.account, change.word) == (USDC, 1)
    assert Change.policy(ROUTER, SWAP, CALL).account == ROUTER


ADMISSIBLE = [
    Change.policy(ROUTER, SWAP, CALL),
    Change.policy(ROUTER, SWAP, Permission(read=True, value=True, expires_at_s=9)),
    Change.approval(WETH),
    Change.policy(WETH, TRANSFER, Permission(call=True, rules=(ArgumentRule(RuleKind.RECIPIENT, 0),))),
    Change.policy(WETH, TRANSFER, Permission(call=True, rules=(ArgumentRule(RuleKind.EXECUTOR, 0),))),
    Change.policy(WETH, selector("transferFrom(address,address,uint256)"), Permission(read=True)),
    Change.lender(ROUTER, *FlashKind),
    Change.spender(ROUTER),
    Change.asset(WETH),
    Change.cap(64, 0),
    Change.cap(127, 2**256 - 1),
    Change.loss_limit(ZERO_ADDRESS, per_run=0, per_day=0),
    Change.role(ROUTER, Role.OPERATOR),
    Change.treasury(ROUTER),
    Change.unguard(WETH),
]


@pytest.mark.parametrize("change", ADMISSIBLE, ids=lambda change: change.kind.name)
def test_admissible(change):
    assert why(change) is None


def policy(target, function, word):
    return Change(ChangeKind.POLICY, bytes.fromhex(target[2:]) + function + bytes(8), word)


BINDS_ANOTHER_WORD = Permission(
    call=True, rules=(ArgumentRule(RuleKind.ASSET, 0), ArgumentRule(RuleKind.RECIPIENT, 0))
)
INADMISSIBLE = {
    "itself": (policy(EXECUTOR, SWAP, 1), "executor itself"),
    "no code": (policy(MORPHO, SWAP, 1), "have code"),
    "reserved bit": (policy(ROUTER, SWAP, 0x21), "bits 5-7"),
    "reserved high bit": (policy(ROUTER, SWAP, 1 << 50 | 1), "48-63"),
    "nothing": (policy(ROUTER, SWAP, 0), "nothing is allowed"),
    "value alone": (policy(ROUTER, SWAP, 4), "nothing is allowed"),
    "key tail": (Change(ChangeKind.POLICY, bytes.fromhex(ROUTER[2:]) + SWAP + b"\1" * 8, 1), "key"),
    "approve by call": (policy(WETH, selector("approve(address,uint256)"), 1), "word 8"),
    "approve with expiry": (policy(WETH, selector("approve(address,uint256)"), 8 | 1 << 8), "word 8"),
    "approve bit elsewhere": (policy(WETH, SWAP, 8), "word 8"),
    "transfer to anyone": (policy(WETH, TRANSFER, 1), "binds its recipient"),
    "transfer bound second": (Change.policy(WETH, TRANSFER, BINDS_ANOTHER_WORD), "binds its recipient"),
    "transfer bound elsewhere": (
        Change.policy(WETH, TRANSFER, Permission(call=True, rules=(ArgumentRule(RuleKind.EXECUTOR, 1),))),
        "binds its recipient",
    ),
    "lender without kind": (Change(ChangeKind.LENDER, bytes(31) + b"\1", 0), "kinds 1 to 5"),
    "lender of kind 0": (Change(ChangeKind.LENDER, bytes(31) + b"\1", 1), "kinds 1 to 5"),
    "lender of kind 6": (Change(ChangeKind.LENDER, bytes(31) + b"\1", 64), "kinds 1 to 5"),
    "spender 2": (Change(ChangeKind.SPENDER, bytes(31) + b"\1", 2), "must be 1"),
    "asset with dirty key": (Change(ChangeKind.ASSET, b"\1" * 32, 1), "right-aligned"),
    "cap 63": (Change.cap(63, 1), "64 to 127"),
    "cap 128": (Change.cap(128, 1), "64 to 127"),
    "loss limit without flag": (Change(ChangeKind.LOSS_LIMIT, bytes(32), 5), "bit 255"),
    "two roles": (Change(ChangeKind.ROLE, bytes(31) + b"\1", 3), "1, 2 or 4"),
    "role of the owner": (Change.role(OWNER, Role.GUARDIAN), "owner"),
    "role of nobody": (Change.role(ZERO_ADDRESS, Role.GUARDIAN), "zero address"),
    "treasury nobody": (Change.treasury(ZERO_ADDRESS), "zero address"),
    "treasury 2": (Change(ChangeKind.TREASURY, bytes(31) + b"\1", 2), "must be 1"),
    "spender nobody": (Change.spender(ZERO_ADDRESS), "zero address"),
    "asset nobody": (Change.asset(ZERO_ADDRESS), "zero address"),
    "lender nobody": (Change.lender(ZERO_ADDRESS, FlashKind.AAVE_V3), "zero address"),
    "long word": (Change(ChangeKind.CAP, (64).to_bytes(32), 1 << 256), "256 bits"),
}
INADMISSIBLE |= {
    f"call of {signature}": (policy(ROUTER, function, 1), "never allowed")
    for function, signature in FORBIDDEN_CALLS.items()
}


@pytest.mark.parametrize("name", INADMISSIBLE)
def test_inadmissible(name):
    change, reason = INADMISSIBLE[name]
    assert reason in (why(change) or "it is admissible")


def test_the_forbidden_functions_are_those_of_the_specification():
    stated = (
        "23b872dd 39509351 a22cb465 d505accf 8fcbaf0c 87517c45 42842e0e b88d4fde f242432a "
        "42b0b77c ab9c4b5d 5cffe9de 490e6cbc e0232b42 5c38449e"
    )
    assert {function.hex() for function in FORBIDDEN_CALLS} == set(stated.split())


def test_removal_is_for_what_tighten_can_take_to_zero():
    assert Change.spender(ROUTER).removed() == Change(ChangeKind.SPENDER, Change.spender(ROUTER).key, 0)
    for change in (
        Change.treasury(ROUTER),
        Change.unguard(WETH),
        Change.loss_limit(WETH, per_run=1, per_day=1),
    ):
        with pytest.raises(ConfigError, match="can not be removed at once"):
            change.removed()
