"""Bloom filters of headers: what tells a block without logs from one whose logs are late.

A header's ``logsBloom`` has three bits set for the address and for each topic of every log of the
block (yellow paper, section 4.4.1). So bits that no log at hand explains mean that one is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from tidegate.chain.codecs import keccak256
from tidegate.chain.heads.source import LogFilter
from tidegate.model import Log

_ALL = (1 << 2048) - 1


def bloom_of(logs: Iterable[Log]) -> int:
    """Return the bloom filter that a block with these logs has, as an integer of 2048 bits."""
    bits = 0
    for log in logs:
        bits |= _bits(bytes.fromhex(log.address[2:]))
        for topic in log.topics:
            bits |= _bits(topic)
    return bits


def is_explained(logs_bloom: bytes, logs: Iterable[Log]) -> bool:
    """Say whether ``logs`` explain every bit of a header's bloom: whether none is missing.

    A node that gives no bloom, or one with all bits set, says nothing.
    """
    bits = int.from_bytes(logs_bloom, "big")
    return bits in (0, _ALL) or bits & ~bloom_of(logs) == 0


def may_hold(logs_bloom: bytes, wanted: LogFilter) -> bool:
    """Say whether the block may hold a log that is wanted. No is certain, yes is not."""
    if not logs_bloom:
        return True
    bits = int.from_bytes(logs_bloom, "big")
    accounts = [_bits(bytes.fromhex(account[2:])) for account in wanted.accounts]
    topics = [_bits(topic) for topic in wanted.topics]
    return all(not group or any(bits & item == item for item in group) for group in (accounts, topics))


@lru_cache(maxsize=65_536)
def _bits(item: bytes) -> int:
    hashed = keccak256(item)
    bits = 0
    for start in (0, 2, 4):
        bits |= 1 << (int.from_bytes(hashed[start : start + 2], "big") & 2047)
    return bits
