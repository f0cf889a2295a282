import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.venues.safe.test_safe_deploy import KEYS, signed

from tidegate.app.devnet import Devnet
from tidegate.chain import address, encode_call, keccak256
from tidegate.model import Address, ConfigError, Tampered
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.calls import read
from tidegate.venues.safe import (
    CALL,
    DELEGATE_CALL,
    MULTI_SEND,
    Safe,
    SafeCall,
    SafeTransaction,
    create_safe,
    decode_batch,
    decode_execution,
    encode_batch,
    encode_execution,
    owner_of,
)
from tidegate.venues.tokens import balance_of, mint

TERMS = "address,uint256,bytes,uint8,uint256,uint256,uint256,address,address"
addresses = st.binary(min_size=20, max_size=20).map(address)
calls = st.builds(SafeCall, to=addresses, data=st.binary(max_size=80), value_wei=st.integers(0, 2**256 - 1))


@pytest.fixture
def safe(world: FastWorld, devnet: Devnet) -> Safe:
    owners = tuple(Address(key.address) for key in KEYS)
    made = create_safe(world, devnet.safe, owners, 3, sender=devnet.accounts["admin"])
    mint(world, devnet.tokens["USDC"], made.address, 1_000)
    return made


def test_hash_is_the_contracts_own_for_any_transaction(world: FastWorld, devnet: Devnet, safe: Safe) -> None:
    @settings(max_examples=60)
    @given(calls, st.sampled_from((CALL, DELEGATE_CALL)), st.integers(0, 2**64))
    def holds(call: SafeCall, operation: int, nonce: int) -> None:
        call = SafeCall(call.to, call.data, call.value_wei, operation)
        ours = SafeTransaction.of(safe.address, world.chain_id, nonce, call).hash
        name = f"getTransactionHash({TERMS},uint256)(bytes32)"
        assert ours == read(world, safe.address, name, *call.terms(), nonce)

    holds()


def test_a_batch_executes_all_its_calls_through_the_canonical_contract(
    world: FastWorld, devnet: Devnet, safe: Safe
) -> None:
    usdc, operator, trader = devnet.token("USDC"), devnet.accounts["operator"], devnet.accounts["trader"]
    pay = encode_call("transfer(address,uint256)", operator, 300)
    batch = encode_batch([SafeCall(usdc, pay), SafeCall(usdc, pay)])
    transaction = SafeTransaction.of(safe.address, world.chain_id, 0, batch)
    data = encode_execution(transaction, signed(transaction.hash, 3, 1, 0))
    world.transact(safe.address, data, sender=trader)
    assert balance_of(world, usdc, operator) == 600
    with pytest.raises(WorldReverted):  # the same signatures never serve a second time
        world.transact(safe.address, data, sender=trader)


@settings(max_examples=80)
@given(st.lists(calls, min_size=1, max_size=5))
def test_batches_read_back_as_they_were_written(batch: list[SafeCall]) -> None:
    assert decode_batch(encode_batch(batch).data) == tuple(batch)


def test_a_batch_that_delegates_or_is_cut_off_is_refused() -> None:
    target = address(7)
    with pytest.raises(ConfigError, match="not a batch"):
        encode_batch([SafeCall(target, b"", 0, DELEGATE_CALL)])
    with pytest.raises(ConfigError, match="not a batch"):
        encode_batch([])
    whole = encode_batch([SafeCall(target, b"abc")]).data
    packed = whole[68 : 68 + 88]
    with pytest.raises(ConfigError, match="cut off"):
        decode_batch(encode_call("multiSend(bytes)", packed[:-1]))
    with pytest.raises(ConfigError, match="not a batch"):
        decode_batch(b"\x01\x02\x03\x04" + whole[4:])


def test_calls_looks_into_batches_of_both_batchers_and_nowhere_else() -> None:
    inner = SafeCall(address(9), b"x", 5)
    batch = encode_batch([inner])
    for to, expected in ((batch.to, (inner,)), (MULTI_SEND, (inner,))):
        call = SafeCall(to, batch.data, 0, DELEGATE_CALL)
        assert SafeTransaction.of(address(1), 1, 0, call).calls == expected
    other = SafeCall(address(3), batch.data, 0, DELEGATE_CALL)
    assert SafeTransaction.of(address(1), 1, 0, other).calls == (other,)


def test_execution_reads_back_as_it_was_written() -> None:
    transaction = SafeTransaction(safe=address(1), chain_id=5, to=address(2), data=b"z", nonce=9)
    data = encode_execution(transaction, signed(transaction.hash, 0))
    assert decode_execution(data, safe=address(1), chain_id=5, nonce=9) == transaction
    with pytest.raises(ConfigError):
        decode_execution(b"\x00" * 100, safe=address(1), chain_id=5, nonce=9)


def test_an_execution_that_refunds_gas_is_refused() -> None:
    call = SafeCall(address(2), b"z")
    data = encode_call(f"execTransaction({TERMS},bytes)", *call.terms()[:6], 1, *call.terms()[7:], b"")
    with pytest.raises(ConfigError, match="refunds gas"):
        decode_execution(data, safe=address(1), chain_id=5, nonce=0)


def test_the_owner_of_a_signature_is_found_in_both_forms() -> None:
    digest = keccak256(b"agreed")
    key = Account.from_key(keccak256(b"someone"))
    plain = bytes(key.unsafe_sign_hash(digest).signature)
    assert owner_of(plain, digest) == key.address
    message = bytearray(key.sign_message(encode_defunct(digest)).signature)
    message[64] += 4
    assert owner_of(bytes(message), digest) == key.address
    assert owner_of(plain, keccak256(b"other")) != key.address


def test_what_is_no_canonical_signature_is_refused() -> None:
    digest = keccak256(b"agreed")
    plain = bytes(Account.from_key(keccak256(b"someone")).unsafe_sign_hash(digest).signature)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(plain[32:64], "big")).to_bytes(32, "big")
    flipped = plain[:32] + high + bytes([55 - plain[64]])
    for signature in (b"", plain[:64], plain + b"\x00", plain[:64] + b"\x01", flipped, bytes(64) + b"\x1b"):
        with pytest.raises(Tampered):
            owner_of(signature, digest)
