"""Our transaction bytes against eth-account's, and what is no transaction."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from tests.custody.signer_world import HOT, transaction

from tidegate.chain import address
from tidegate.custody.transactions import decode_unsigned, encode_unsigned, is_cancel, sign
from tidegate.model import Denied, Reason, UnsignedTransaction

numbers = st.integers(0, 2**64) | st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, 127, 128, 255, 256])
transactions = st.builds(
    UnsignedTransaction,
    chain_id=st.integers(1, 2**62),
    nonce=st.integers(0, 2**62),
    to=st.none() | st.integers(0, 2**160 - 1).map(address),
    data=st.binary(max_size=70) | st.binary(min_size=250, max_size=300),
    value_wei=numbers,
    gas_limit=st.integers(0, 2**32),
    max_fee_wei=st.integers(0, 2**96),
    max_priority_fee_wei=st.integers(0, 2**96),
)


def decoded(raw):
    """Return the bytes of the transaction that ``raw`` is, or None if it is refused as malformed."""
    try:
        return encode_unsigned(decode_unsigned(raw))
    except Denied as denied:
        return None if denied.reason is Reason.MALFORMED else denied


@given(transactions)
def test_signed_bytes_equal_those_of_eth_account(unsigned):
    fields = {
        "type": 2,
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "to": b"" if unsigned.to is None else unsigned.to,
        "data": unsigned.data,
        "value": unsigned.value_wei,
        "gas": unsigned.gas_limit,
        "maxFeePerGas": unsigned.max_fee_wei,
        "maxPriorityFeePerGas": unsigned.max_priority_fee_wei,
    }
    wanted = Account.from_key(b"\x11" * 32).sign_transaction(fields)
    signed = sign(encode_unsigned(unsigned), HOT)
    assert signed.raw == bytes(wanted.raw_transaction)
    assert signed.hash == bytes(wanted.hash)
    assert Account.recover_transaction(signed.raw) == signed.sender == HOT.address


@given(transactions)
def test_unsigned_bytes_and_transactions_are_exact_inverses(unsigned):
    assert decode_unsigned(encode_unsigned(unsigned)) == unsigned


@given(st.binary(max_size=120) | st.binary(max_size=120).map(lambda raw: b"\x02" + raw))
def test_any_other_bytes_are_refused_as_malformed_and_nothing_else_is_raised(raw):
    assert decoded(raw) in (None, raw)


@given(st.data())
def test_a_flipped_byte_is_another_transaction_or_none(data):
    raw = bytearray(encode_unsigned(transaction()))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert decoded(bytes(raw)) in (None, bytes(raw))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "type byte"),
        (b"\x01" + encode_unsigned(transaction())[1:], "type byte"),
        (encode_unsigned(transaction()) + b"\x00", "not one list"),
        (b"\x02\xc9" + b"\x80" * 8 + b"\xc1\x80", "not one list"),
        (b"\x02\xca" + b"\x01" + b"\x80" * 7 + b"\xc1\x80", "access list"),
        (b"\x02\xca\x81\x01" + b"\x80" * 7 + b"\xc0", "canonical"),
        (b"\x02\xca\x82\x00\x01" + b"\x80" * 6 + b"\xc0", "fields"),
    ],
)
def test_a_form_that_is_not_canonical_is_refused(raw, found):
    with pytest.raises(Denied) as refused:
        decode_unsigned(raw)
    assert found in refused.value.found


def test_a_cancel_is_nothing_sent_to_oneself():
    cancel = transaction(to=HOT.address, data=b"")
    assert is_cancel(cancel, HOT.address)
    assert not is_cancel(transaction(to=HOT.address, data=b"\x00"), HOT.address)
    assert not is_cancel(transaction(to=HOT.address, data=b"", value_wei=1), HOT.address)
    assert not is_cancel(transaction(data=b""), HOT.address)
    with pytest.raises(ValueError, match="256 bits"):
        encode_unsigned(transaction(value_wei=2**256))
