"""A Safe's transaction as data: its EIP-712 hash, its signatures, its call data, and batches of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from coincurve import PublicKey

from tidegate.chain import address, decode_output, encode_arguments, encode_call, keccak256, selector
from tidegate.model import ZERO_ADDRESS, Address, ConfigError, Tampered
from tidegate.venues.safe.execute import CALL, DELEGATE_CALL, SafeCall

MULTI_SEND = address("0x38869bf66a61cF6bDB996A6aE40D5853Fd43B526")
MULTI_SEND_CALL_ONLY = address("0x9641d764fc13c8B624c04430C7356C1C7C8102e2")
"""Safe 1.4.1's batchers, at the same address on every chain."""

_DOMAIN = keccak256(b"EIP712Domain(uint256 chainId,address verifyingContract)")
_STRUCT = keccak256(
    b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
    b"uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)
_EXECUTE_TYPES = (
    *("address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address"),
    "bytes",
)
_EXECUTE = f"execTransaction({','.join(_EXECUTE_TYPES)})"
_MULTI_SEND = "multiSend(bytes)"
_PREFIX = b"\x19Ethereum Signed Message:\n32"
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class SafeTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """What the owners of a Safe agree to, at one nonce. No gas is refunded to anyone."""

    safe: Address
    chain_id: int
    to: Address
    value_wei: int = 0
    data: bytes = b""
    operation: int = CALL
    nonce: int

    @classmethod
    def of(cls, safe: Address, chain_id: int, nonce: int, call: SafeCall) -> SafeTransaction:
        """Return the transaction that makes ``call`` at ``nonce``."""
        return cls(
            safe=safe,
            chain_id=chain_id,
            to=call.to,
            value_wei=call.value_wei,
            data=call.data,
            operation=call.operation,
            nonce=nonce,
        )

    @property
    def hash(self) -> bytes:
        """Return what owners sign (EIP-712), equal to the contract's ``getTransactionHash``."""
        domain = keccak256(_DOMAIN + encode_arguments(("uint256", "address"), (self.chain_id, self.safe)))
        refund = (0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS)
        fields = (self.to, self.value_wei, keccak256(self.data), self.operation, *refund, self.nonce)
        types = ("address", "uint256", "bytes32", "uint8", *("uint256",) * 3, "address", "address", "uint256")
        return keccak256(b"\x19\x01" + domain + keccak256(_STRUCT + encode_arguments(types, fields)))

    @property
    def calls(self) -> tuple[SafeCall, ...]:
        """Return the calls that are made: those of a batch, or the one.

        Raises
        ------
        ConfigError
            If a batch is not well formed.
        """
        if self.operation == DELEGATE_CALL and self.to in (MULTI_SEND, MULTI_SEND_CALL_ONLY):
            return decode_batch(self.data)
        return (SafeCall(self.to, self.data, self.value_wei, self.operation),)


def encode_batch(calls: Sequence[SafeCall]) -> SafeCall:
    """Return one call that makes ``calls`` in order, all or none, through MultiSendCallOnly.

    Raises
    ------
    ConfigError
        If there is none, or one of them delegates.
    """
    if not calls or any(call.operation != CALL for call in calls):
        raise ConfigError(
            "not a batch",
            found=f"{len(calls)} calls",
            allowed="at least one call, none of them a delegate call",
        )
    packed = b"".join(
        bytes([call.operation])
        + bytes.fromhex(call.to[2:])
        + call.value_wei.to_bytes(32, "big")
        + len(call.data).to_bytes(32, "big")
        + call.data
        for call in calls
    )
    return SafeCall(MULTI_SEND_CALL_ONLY, encode_call(_MULTI_SEND, packed), 0, DELEGATE_CALL)


def decode_batch(data: bytes) -> tuple[SafeCall, ...]:
    """Return the calls of ``multiSend`` call data.

    Raises
    ------
    ConfigError
        If it is not ``multiSend``, or its packed bytes do not end where a call ends.
    """
    if data[:4] != selector(_MULTI_SEND):
        raise ConfigError("not a batch", found="0x" + data[:4].hex(), allowed=_MULTI_SEND)
    (packed,) = decode_output(("bytes",), data[4:])
    calls, at = [], 0
    while at < len(packed):
        head = packed[at : at + 85]
        length = int.from_bytes(head[53:85], "big")
        content = packed[at + 85 : at + 85 + length]
        if len(head) < 85 or len(content) < length:
            raise ConfigError("a batch is cut off", found=f"{len(packed)} bytes", allowed="whole calls")
        calls.append(SafeCall(address(head[1:21]), content, int.from_bytes(head[21:53], "big"), head[0]))
        at += 85 + length
    return tuple(calls)


def encode_execution(transaction: SafeTransaction, signatures: Mapping[Address, bytes]) -> bytes:
    """Return call data of ``execTransaction``; signatures are put in the order the Safe asks for."""
    ordered = b"".join(signatures[owner] for owner in sorted(signatures, key=lambda owner: int(owner, 16)))
    call = SafeCall(transaction.to, transaction.data, transaction.value_wei, transaction.operation)
    return encode_call(_EXECUTE, *call.terms(), ordered)


def decode_execution(data: bytes, *, safe: Address, chain_id: int, nonce: int) -> SafeTransaction:
    """Return the transaction inside ``execTransaction`` call data, for the nonce at which it was made.

    Raises
    ------
    ConfigError
        If it is another function, or asks for a gas refund (which we never sign).
    """
    if data[:4] != selector(_EXECUTE):
        raise ConfigError("not an execution", found="0x" + data[:4].hex(), allowed=_EXECUTE)
    to, value_wei, content, operation, *refund, _ = decode_output(_EXECUTE_TYPES, data[4:])
    if any(int(part, 16) if isinstance(part, str) else part for part in refund):
        raise ConfigError("it refunds gas to somebody", found=str(refund), allowed="no refund")
    return SafeTransaction(
        safe=safe,
        chain_id=chain_id,
        to=address(to),
        value_wei=value_wei,
        data=content,
        operation=operation,
        nonce=nonce,
    )


def owner_of(signature: bytes, transaction_hash: bytes) -> Address:
    """Return who made a 65-byte signature: of the hash itself, or of the signed-message form (v 31, 32).

    Raises
    ------
    Tampered
        If it is not a canonical ECDSA signature of anybody.
    """
    if len(signature) == 65:
        version = signature[64]
        recovery = {27: 0, 28: 1, 31: 0, 32: 1}.get(version)
        if recovery is not None and 0 < int.from_bytes(signature[32:64], "big") <= _HALF_ORDER:
            message = transaction_hash if version < 31 else keccak256(_PREFIX + transaction_hash)
            try:
                key = PublicKey.from_signature_and_message(
                    signature[:64] + bytes([recovery]), message, hasher=None
                )
            except Exception as error:
                raise _no_signature(signature) from error
            return address(keccak256(key.format(compressed=False)[1:])[12:])
    raise _no_signature(signature)


def _no_signature(signature: bytes) -> Tampered:
    return Tampered(
        "not an owner's signature",
        code="safe_signature",
        found=f"{len(signature)} bytes" + (f", v {signature[64]}" if len(signature) == 65 else ""),
        allowed="65 bytes r, s, v with v 27, 28, 31 or 32 and s in the lower half",
    )
