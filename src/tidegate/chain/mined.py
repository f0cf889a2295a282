"""Blocks and logs with their place in the chain: what the block machine works on."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.model import Block, Log


class LogKey(NamedTuple):
    """What makes a log one of a kind. A reorg gives the same event another key: another block hash."""

    chain_id: int
    block_hash: bytes
    log_index: int


class Header(Block, frozen=True, kw_only=True):
    """A block's environment and its place: usable wherever a ``Block`` is.

    ``logs_bloom`` holds 256 bytes, or none where the node does not give one.
    """

    parent_hash: bytes
    logs_bloom: bytes = b""


class MinedLog(Log, frozen=True, kw_only=True):
    """A log and where it stands: usable wherever a ``Log`` is. ``index`` counts within the block."""

    block_number: int
    block_hash: bytes
    index: int
    transaction_hash: bytes
    transaction_index: int

    def key(self, chain_id: int) -> LogKey:
        """Return what makes this log one of a kind."""
        return LogKey(chain_id, self.block_hash, self.index)
