"""How a read or a send is to be made: the words that a desk names per read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeAlias

from tidegate.model import ConfigError


@dataclass(frozen=True, slots=True)
class AnyEndpoint:
    """The first good answer of any endpoint."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The first good answer of an endpoint whose head is at most this far behind the pool's."""

    max_lag_blocks: int = 0

    def __post_init__(self) -> None:
        if self.max_lag_blocks < 0:
            raise ConfigError(f"max_lag_blocks must be at least 0, was {self.max_lag_blocks}")


@dataclass(frozen=True, slots=True)
class Quorum:
    """The same answer for the same block hash from this many endpoints of different operators."""

    operators: int = 2

    def __post_init__(self) -> None:
        if self.operators < 2:
            raise ConfigError(f"a quorum needs at least 2 operators, was {self.operators}")


Policy: TypeAlias = AnyEndpoint | Fresh | Quorum
ANY = AnyEndpoint()


class Priority(IntEnum):
    """Who goes first where calls must wait. The lower goes first, but nobody starves."""

    SEND = 0
    CONFIRM = 1
    DECIDE = 2
    BACKFILL = 3


class Keep(StrEnum):
    """What may be answered from memory.

    ``NOTHING`` is for whoever signs. ``PINNED`` is what a block's hash pins, which never changes; every
    other kind includes it. ``HEAD`` lasts until the next head, ``GAS`` 10 s, ``PRICE`` 60 s and
    ``FOR_EVER`` (addresses, ABIs) as long as the process.
    """

    NOTHING = "nothing"
    PINNED = "pinned"
    HEAD = "head"
    GAS = "gas"
    PRICE = "price"
    FOR_EVER = "for_ever"
