"""Attacks that hide one thing inside another: calls in calls, readings in typed data, forms of bytes."""

import json

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from tests.custody.signer_world import (
    CHAIN,
    FRIEND,
    HOT,
    POOL,
    USD,
    USDC,
    SignerWorld,
    is_signed,
    refusal,
    transaction,
    transfer,
)
from tests.hostile.custody.test_valuation import permit

from tidegate.chain import selector
from tidegate.custody.capability import Purpose
from tidegate.custody.policies import bind_policy
from tidegate.custody.requests import Freeze
from tidegate.custody.transactions import _items, _list, encode_unsigned
from tidegate.custody.wrappers import WRAPPERS
from tidegate.model import Denied

CODE = "0x" + "00" * 32


@pytest.fixture
def world() -> SignerWorld:
    return SignerWorld()


# Calls in calls


@pytest.mark.parametrize("signature", WRAPPERS.values())
@pytest.mark.parametrize("purpose", Purpose)
def test_a_function_that_holds_other_calls_is_not_signed_although_it_is_listed(world, signature, purpose):
    hidden = "0x" + selector(signature).hex()
    held = world.load(
        purpose=purpose,
        targets=({"address": POOL, "code_hash": CODE, "selectors": (hidden,)},),
        unvalued=({"target": POOL, "function": hidden, "per_day": 9},),
    )
    call = transaction(to=POOL, data=bytes.fromhex(hidden[2:]) + transfer(USD))
    assert refusal(world.sign(held, call)) == ("target", "selector_not_allowed")


@pytest.mark.parametrize(
    "signature",
    [
        "multicall(bytes[])",
        "multiSend(bytes)",
        "upgradeToAndCall(address,bytes)",
        "functionDelegateCall(address,bytes)",
        "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
        "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)",
    ],
)
def test_no_terms_of_a_policy_allow_a_function_that_holds_other_calls(signature):
    terms = {
        "executors": (POOL,),
        "calls": ({"target": FRIEND, "selectors": ("0x" + selector(signature).hex(),)},),
        "deadline_max_s": 60,
        "gas_limit_max": 21_000,
        "at_risk_tx_usd_e6": 0,
        "flow_tx_usd_e6": 0,
    }
    with pytest.raises(Denied, match="terms"):
        bind_policy("executor", terms)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_function_cut_short_is_no_function_that_is_listed(world, size):
    """A contract's fallback would run: three bytes are not the selector, and not the plain coin."""
    held = world.load()
    cut = transaction(data=transfer(USD)[:size])
    assert refusal(world.sign(held, cut)) == ("target", "selector_not_allowed")


# Forms of a transaction

PLAIN = encode_unsigned(transaction())


def with_field(place: int, item: bytes) -> bytes:
    """Return the unsigned form with one of its nine items replaced, unchecked."""
    items = _items(PLAIN[1:])
    items[place] = item
    return b"\x02" + _list(b"".join(items))


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN[1:],
        b"\x01" + PLAIN[1:],
        b"\x03" + PLAIN[1:],
        b"\x04" + PLAIN[1:],
        b"\x19\x01" + bytes(64),
        PLAIN + b"\x00",
        PLAIN[:-1],
        b"\x02\xf8\xff",
        b"\x02" + b"\xc1" * 30_000,
        with_field(1, b"\x00"),
        with_field(1, b"\x81\x05"),
        with_field(1, b"\x82\x00\x05"),
        with_field(1, b"\xc0"),
        with_field(1, b"\x88" + b"\xff" * 8),
        with_field(5, b"\x93" + b"\x01" * 19),
        with_field(5, b"\x95" + b"\x01" * 21),
        with_field(6, b"\xa1" + b"\x01" * 33),
        with_field(8, b"\xc1\xc0"),
        with_field(8, b"\x80"),
    ],
    ids=[
        "legacy",
        "access list type",
        "blob type",
        "set-code type",
        "typed data as a transaction",
        "trailing byte",
        "cut",
        "length that lies",
        "nested lists",
        "nonce zero as a byte",
        "long form of a short number",
        "leading zero",
        "list for a number",
        "nonce beyond all accounts",
        "recipient of 19 bytes",
        "recipient of 21 bytes",
        "value of 264 bits",
        "access list",
        "text for the access list",
    ],
)
def test_bytes_with_another_reading_are_refused_before_anything_is_judged(world, raw):
    held = world.load()
    request = world.request(held, transaction())
    answer = world.ask(msgspec.structs.replace(request, unsigned=raw))
    assert refusal(answer) == ("form", "malformed")


# Readings of typed data


def twisted(old: bytes, new: bytes) -> bytes:
    raw = permit(USD)
    assert old in raw
    return raw.replace(old, new)


TWISTS = {
    "a key twice, the harmless one first": twisted(b'"value": 1000000', b'"value": 1, "value": 2000000000'),
    "a key twice, the harmless one last": twisted(b'"value": 1000000', b'"value": 2000000000, "value": 1'),
    "the domain twice": twisted(b'"domain":', b'"domain": {}, "domain":'),
    "another domain": twisted(b'"USD Coin"', b'"USD  Coin"'),
    "a look-alike letter": twisted(b'"USD Coin"', '"USD Сoin"'.encode()),
    "another normal form": twisted(b'"USD Coin"', '"USD Coin\u0301"'.encode()),
    "an escaped letter": twisted(b'"USD Coin"', b'"USD \\u0043oin"'),
    "another version": twisted(b'"version": "2"', b'"version": "1"'),
    "a version that is a number": twisted(b'"version": "2"', b'"version": 2'),
    "another chain": twisted(b'"chainId": 31337', b'"chainId": 1'),
    "a chain that is text": twisted(b'"chainId": 31337', b'"chainId": "31337"'),
    "a chain that is true": twisted(b'"chainId": 31337', b'"chainId": true'),
    "a chain that is a float": twisted(b'"chainId": 31337', b'"chainId": 31337.0'),
    "a negative chain": twisted(b'"chainId": 31337', b'"chainId": -31337'),
    "a chain that wraps around": twisted(b'"chainId": 31337', b'"chainId": %d' % (2**256 + CHAIN)),
    "an address in small letters": twisted(USDC.encode(), USDC.lower().encode()),
    "another contract": twisted(USDC.encode(), POOL.encode()),
    "a salt": twisted(b'"version": "2"', b'"version": "2", "salt": "0x00"'),
    "no chain": twisted(b', "chainId": 31337', b""),
    "a field of the document more": twisted(b'"primaryType"', b'"extra": 1, "primaryType"'),
    "another primary type": twisted(b'"primaryType": "Permit"', b'"primaryType": "EIP712Domain"'),
    "a primary type that is not there": twisted(b'"primaryType": "Permit"', b'"primaryType": "Order"'),
    "an argument more": twisted(b'"value": 1000000', b'"value": 1000000, "allowed": true'),
    "an argument less": twisted(b', "deadline"', b', "dead"'),
    "null": twisted(b'"value": 1000000', b'"value": null'),
    "negative": twisted(b'"value": 1000000', b'"value": -1'),
    "beyond 256 bits": twisted(b'"value": 1000000', b'"value": "' + str(2**256).encode() + b'"'),
    "a small type": twisted(b'"value", "type": "uint256"', b'"value", "type": "uint8"'),
    "deep": b"[" * 8_000,
    "a byte-order mark": b"\xef\xbb\xbf" + permit(USD),
    "a second document": permit(USD) + permit(USD),
}


@pytest.mark.parametrize("twist", TWISTS)
def test_typed_data_is_signed_as_its_one_reading_or_not_at_all(world, twist):
    """What is signed is counted as what is hashed, and its domain is the listed one, to the byte."""
    held, raw = world.load(), TWISTS[twist]
    answer = world.sign_typed(held, raw)
    if not is_signed(answer):
        return
    document = json.loads(raw)
    assert document["domain"]["name"] == "USD Coin"
    assert document["domain"]["chainId"] == CHAIN
    assert document["domain"]["verifyingContract"].lower() == USDC.lower()
    assert set(document["domain"]) == {"name", "version", "chainId", "verifyingContract"}
    message = encode_typed_data(full_message=document)
    assert Account.recover_message(message, signature=answer.signature) == HOT.address
    [line] = world.core._state.windows.values()
    assert line.used(world.clock.now_ms()).notional_usd_e6 == int(document["message"]["value"])


def test_only_other_spellings_of_the_same_typed_data_are_signed():
    fresh = SignerWorld()
    held = fresh.load()
    signed = {twist for twist, raw in TWISTS.items() if is_signed(fresh.sign_typed(held, raw))}
    assert signed == {
        "a key twice, the harmless one last",  # hashed and counted as 1
        "the domain twice",
        "an escaped letter",
        "an address in small letters",
        "an argument more",  # that is not hashed
    }


def test_typed_data_that_can_not_be_signed_is_not_even_read(world):
    """Hashing it is the dearest thing that a worker may ask for, so it must be good for something."""
    held = world.load(typed_domains=())
    listed = world.load(serial=2)
    broken = b"["
    assert refusal(world.sign_typed("ab" * 32, broken)) == ("capability", "capability_unknown")
    assert refusal(world.sign_typed(held, broken)) == ("capability", "capability_revoked")
    assert refusal(world.sign_typed(listed, broken)) == ("form", "malformed")
    for purpose in Purpose:
        frozen = SignerWorld()
        closing = frozen.load(purpose=purpose)
        frozen.ask(Freeze(reason="an alarm", by="me"))
        assert refusal(frozen.sign_typed(closing, broken))[0] in ("freeze", "notional", "typed_data")
        assert not is_signed(frozen.sign_typed(closing, permit(USD)))
