"""What an EVM chain is made of, as plain data that every room shares."""

from __future__ import annotations

from typing import NewType

import msgspec

from tidegate.model.digest import digest, sha256_hex

Address = NewType("Address", str)
"""An account: EIP-55 checksummed hex text, 42 characters. Make one with ``chain.address``."""

ZERO_ADDRESS = Address("0x0000000000000000000000000000000000000000")
UINT256_MAX = 2**256 - 1


class Log(msgspec.Struct, frozen=True):
    """One event that a contract emitted."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


class Block(msgspec.Struct, frozen=True):
    """A block's environment. ``timestamp`` in seconds, ``base_fee_wei`` per gas."""

    number: int
    timestamp: int
    base_fee_wei: int
    gas_limit: int
    hash: bytes = b""
    coinbase: Address = ZERO_ADDRESS
    prevrandao: bytes = bytes(32)


class Receipt(msgspec.Struct, frozen=True):
    """What became of a transaction. ``status`` 1 landed, 0 reverted.

    ``gas_used`` is a true figure in the exact world alone. ``data_fee_wei`` is what a rollup took for the
    data on its parent chain, on top of the gas.
    """

    transaction_hash: bytes
    status: int
    gas_used: int
    block_number: int
    logs: tuple[Log, ...]
    effective_gas_price_wei: int = 0
    contract_address: Address | None = None
    block_hash: bytes = b""
    output: bytes = b""
    data_fee_wei: int = 0

    @property
    def cost_wei(self) -> int:
        """Return all that the transaction cost: gas used times the price paid, and the data fee."""
        return self.gas_used * self.effective_gas_price_wei + self.data_fee_wei


class Revert(msgspec.Struct, frozen=True):
    """A decoded revert.

    ``kind`` is ``error`` (``Error(string)``), ``panic``, ``custom`` (known by ABI), ``unknown``
    (bytes that no ABI at hand explains), ``empty``, or ``halt`` (out of gas and the like).
    """

    kind: str
    name: str
    arguments: tuple[tuple[str, object], ...] = ()
    data: bytes = b""

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={_shown(value)}" for name, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name


class UnsignedTransaction(msgspec.Struct, frozen=True):
    """A transaction before its signature. Money in wei.

    On a chain without a base fee (``is_legacy``, EIP-155) both fees are the one gas price.
    """

    chain_id: int
    nonce: int
    to: Address | None
    data: bytes
    value_wei: int
    gas_limit: int
    max_fee_wei: int
    max_priority_fee_wei: int
    is_legacy: bool = False

    @property
    def content_digest(self) -> str:
        """Return the SHA-256 of all that is signed except nonce and fees."""
        return content_digest(self.chain_id, self.to, self.data, self.value_wei, self.gas_limit)


class SignedTransaction(msgspec.Struct, frozen=True):
    """Signed bytes, ready to be sent, with the hash by which chains know them."""

    hash: bytes
    raw: bytes
    sender: Address


def content_digest(chain_id: int, to: Address | None, data: bytes, value_wei: int, gas_limit: int) -> str:
    """Return the SHA-256 that a plan commits to and that a signer recomputes."""
    return digest(
        {
            "chain_id": chain_id,
            "data": sha256_hex(data),
            "gas_limit": gas_limit,
            "to": to,
            "value_wei": value_wei,
        }
    )


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
