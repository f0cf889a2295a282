"""EIP-1559 transactions as bytes: the unsigned form that is hashed, and the signed one that is sent.

Only the fields that the signer signs have a place here: an access list is always empty. Bytes that
are not the one canonical form of a transaction are refused, so that what was judged is what is signed.
"""

from __future__ import annotations

from tidegate.chain import address, keccak256
from tidegate.custody.ports import KeyHandle
from tidegate.model import UINT256_MAX, Address, Denied, Reason, SignedTransaction, UnsignedTransaction

_TYPE = b"\x02"
_FIELDS = 9
_EMPTY_LIST = b"\xc0"


def encode_unsigned(transaction: UnsignedTransaction) -> bytes:
    """Return ``0x02 ‖ rlp([chain_id, nonce, priority, max_fee, gas, to, value, data, []])``.

    Raises
    ------
    ValueError
        If a number is negative or takes more than 256 bits.
    """
    return _TYPE + _list(_payload(transaction))


def decode_unsigned(raw: bytes) -> UnsignedTransaction:
    """Return the transaction whose unsigned form ``raw`` is: encoding it again gives ``raw``.

    Raises
    ------
    Denied
        ``malformed`` for every other input; nothing else is ever raised.
    """
    try:
        if raw[:1] != _TYPE:
            raise ValueError(f"type byte 0x{raw[:1].hex()}, 0x02 is allowed")
        fields = _items(raw[1:])
        if len(fields) != _FIELDS:
            raise ValueError(f"{len(fields)} fields, {_FIELDS} are allowed")
        chain_id, nonce, priority, max_fee, gas, to, value, data, access = fields
        if access != _EMPTY_LIST:
            raise ValueError("an access list, none is allowed")
        if len(_text(to)) not in (0, 20):
            raise ValueError(f"a recipient of {len(_text(to))} bytes")
        transaction = UnsignedTransaction(
            chain_id=_number(chain_id),
            nonce=_number(nonce),
            to=address(_text(to)) if _text(to) else None,
            data=_text(data),
            value_wei=_number(value),
            gas_limit=_number(gas),
            max_fee_wei=_number(max_fee),
            max_priority_fee_wei=_number(priority),
        )
        if encode_unsigned(transaction) != raw:
            raise ValueError("another form than the canonical one")
    except (ValueError, IndexError) as error:
        raise Denied(
            Reason.MALFORMED,
            "these bytes are not an EIP-1559 transaction",
            found=str(error),
            allowed="0x02 and the RLP of nine fields, each in its shortest form, without an access list",
        ) from error
    return transaction


def sign(unsigned: bytes, key: KeyHandle) -> SignedTransaction:
    """Return the signed form of ``unsigned``: what eth-account gives for the same fields.

    Parameters
    ----------
    unsigned
        A canonical unsigned form (``encode_unsigned``).
    """
    signature = key.sign_digest(keccak256(unsigned))
    parts = signature[64], int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    raw = _TYPE + _list(_body(unsigned[1:]) + b"".join(map(_encode_number, parts)))
    return SignedTransaction(hash=keccak256(raw), raw=raw, sender=key.address)


def is_signed_form(raw: bytes, unsigned: bytes) -> bool:
    """Say whether ``raw`` is ``unsigned`` with three numbers of a signature behind its fields."""
    try:
        fields, signed = _items(unsigned[1:]), _items(raw[1:])
    except (ValueError, IndexError):
        return False
    return raw[:1] == unsigned[:1] == _TYPE and signed[:-3] == fields and len(fields) == _FIELDS


def is_cancel(transaction: UnsignedTransaction, sender: Address) -> bool:
    """Say whether it only uses up its nonce: nothing, sent to the sender itself."""
    return transaction.to == sender and transaction.value_wei == 0 and not transaction.data


def _payload(transaction: UnsignedTransaction) -> bytes:
    return b"".join(
        (
            _encode_number(transaction.chain_id),
            _encode_number(transaction.nonce),
            _encode_number(transaction.max_priority_fee_wei),
            _encode_number(transaction.max_fee_wei),
            _encode_number(transaction.gas_limit),
            b"\x80" if transaction.to is None else b"\x94" + bytes.fromhex(transaction.to[2:]),
            _encode_number(transaction.value_wei),
            _string(transaction.data),
            _EMPTY_LIST,
        )
    )


def _encode_number(value: int) -> bytes:
    if not 0 <= value <= UINT256_MAX:
        raise ValueError(f"a number must fit 256 bits, was {value}")
    return _string(value.to_bytes((value.bit_length() + 7) // 8))


def _string(data: bytes) -> bytes:
    if len(data) == 1 and data[0] < 0x80:
        return data
    return _prefix(len(data), 0x80) + data


def _list(payload: bytes) -> bytes:
    return _prefix(len(payload), 0xC0) + payload


def _prefix(size: int, base: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((base + 55 + len(digits),)) + digits


def _span(raw: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the item at ``at`` begins and ends."""
    first = raw[at]
    if first < 0x80:
        return at, at + 1
    base = 0x80 if first < 0xC0 else 0xC0
    size, start = first - base, at + 1
    if size > 55:
        digits = size - 55
        size, start = int.from_bytes(raw[start : start + digits]), start + digits
    if start + size > len(raw):
        raise ValueError("an item that ends after the bytes do")
    return start, start + size


def _body(raw: bytes) -> bytes:
    start, end = _span(raw, 0)
    if raw[0] < 0xC0 or end != len(raw):
        raise ValueError("not one list")
    return raw[start:end]


def _items(raw: bytes) -> list[bytes]:
    """Return the items of a list, each with its prefix."""
    body, items, at = _body(raw), [], 0
    while at < len(body):
        _, end = _span(body, at)
        items.append(body[at:end])
        at = end
    return items


def _text(item: bytes) -> bytes:
    if item[0] >= 0xC0:
        raise ValueError("a list where text belongs")
    start, end = _span(item, 0)
    return item[start:end]


def _number(item: bytes) -> int:
    return int.from_bytes(_text(item))
