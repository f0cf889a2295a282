"""A bundle: transactions that a builder includes together, in this order, in one block, or not at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from tidegate.chain.wire import hex_data, quantity
from tidegate.model import ConfigError, sha256_hex

TRANSACTIONS_MAX = 100
BYTES_MAX = 300_000


class Bundle(msgspec.Struct, frozen=True):
    """What is offered for one block. Times are the chain's, in seconds.

    ``uuid`` names the offer: another bundle under it takes its place, and it is cancelled by it.

    Raises
    ------
    ConfigError
        If it is empty, or more than relays take: 100 transactions, 300,000 B.
    """

    transactions: tuple[bytes, ...]
    block_number: int
    uuid: str
    min_timestamp_s: int | None = None
    max_timestamp_s: int | None = None
    builders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = sum(map(len, self.transactions))
        if not 1 <= len(self.transactions) <= TRANSACTIONS_MAX or size > BYTES_MAX:
            raise ConfigError(
                "no relay takes this bundle",
                code="bundle_size",
                found=f"{len(self.transactions)} transactions, {size:,} B",
                allowed=f"1 to {TRANSACTIONS_MAX} transactions, at most {BYTES_MAX:,} B",
                fix="send them in several bundles",
            )

    @property
    def offer(self) -> dict[str, Any]:
        """Return the parameter of ``eth_sendBundle``."""
        found: dict[str, Any] = {
            "txs": [hex_data(raw) for raw in self.transactions],
            "blockNumber": quantity(self.block_number),
            "replacementUuid": self.uuid,
        }
        if self.min_timestamp_s is not None:
            found["minTimestamp"] = self.min_timestamp_s
        if self.max_timestamp_s is not None:
            found["maxTimestamp"] = self.max_timestamp_s
        if self.builders:
            found["builders"] = list(self.builders)
        return found

    @property
    def trial(self) -> dict[str, Any]:
        """Return the parameter of ``eth_callBundle``: the same bytes in that block, on the newest state."""
        return {
            "txs": [hex_data(raw) for raw in self.transactions],
            "blockNumber": quantity(self.block_number),
            "stateBlockNumber": "latest",
        }


def uuid_of(name: str, block_number: int) -> str:
    """Return the UUID (form 4) of an offer for one block, the same in every process.

    One for each block: relays differ in whether a UUID stands for one block or for all, and an offer for
    the next block must not take the place of the one for this.
    """
    octets = bytes.fromhex(sha256_hex(f"tidegate bundle {name} {block_number}".encode()))
    return str(UUID(bytes=octets[:16], version=4))
