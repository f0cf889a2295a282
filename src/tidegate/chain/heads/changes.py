"""What a consumer of a chain is told, in order."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.chain.mined import Header, LogKey, MinedLog


class BlockState(StrEnum):
    """How far a block has come. It moves down this list, and off it when a reorg withdraws it."""

    ANNOUNCED = "announced"  # a head at or above it was seen
    FETCHED = "fetched"  # its header is here
    COMPLETE = "complete"  # its logs were fetched by its hash; consumers were told
    CONFIRMED = "confirmed"  # as deep as the chain's confirmations
    FINALISED = "finalised"  # the chain says that it stays; a reorg of it is a divergence


class Added(msgspec.Struct, frozen=True):
    """A complete block joined the canonical chain, with its logs in order.

    ``is_repeated`` marks a block that may have been handed out before the process was killed: it
    comes again after the restart, with the same keys.
    """

    block: Header
    logs: tuple[MinedLog, ...]
    is_repeated: bool = False


class RolledBack(msgspec.Struct, frozen=True):
    """A block left the canonical chain, and with it the logs that ``keys`` name.

    Blocks are withdrawn from the head down. After a restart this may name a block that the consumer
    never got: a key that it does not hold withdraws nothing.
    """

    number: int
    hash: bytes
    keys: tuple[LogKey, ...]


class Confirmed(msgspec.Struct, frozen=True):
    """Every block up to ``number`` is as deep as the chain's confirmations."""

    number: int


class Finalised(msgspec.Struct, frozen=True):
    """Every block up to ``number`` is final."""

    number: int


Change = Added | RolledBack | Confirmed | Finalised
