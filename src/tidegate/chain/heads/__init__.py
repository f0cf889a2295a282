"""Heads and logs: each block of a chain once, in order, whole, and taken back when the chain does."""

from tidegate.chain.heads.changes import Added, BlockState, Change, Confirmed, Finalised, RolledBack
from tidegate.chain.heads.cursors import Cursor, CursorStore, JournalCursors, MemoryCursors
from tidegate.chain.heads.marks import Mark
from tidegate.chain.heads.source import BlockSource, LogFilter, NodeBlocks

__all__ = [
    "Added",
    "BlockSource",
    "BlockState",
    "Change",
    "Confirmed",
    "Cursor",
    "CursorStore",
    "Finalised",
    "JournalCursors",
    "LogFilter",
    "Mark",
    "MemoryCursors",
    "NodeBlocks",
    "RolledBack",
]
