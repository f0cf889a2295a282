"""Heads and logs: each block of a chain once, in order, whole, and taken back when the chain does.

``announced -> fetched -> complete -> confirmed -> finalised``. A block is complete when its logs were
fetched by its hash; nothing is handed out past one that is missing, null or incomplete.
"""

from tidegate.chain.heads.changes import Added, BlockState, Change, Confirmed, Finalised, RolledBack
from tidegate.chain.heads.cursors import Cursor, CursorStore, JournalCursors, MemoryCursors
from tidegate.chain.heads.follower import HeadFollower, Progress
from tidegate.chain.heads.health import ChainHealth, GapAlert
from tidegate.chain.heads.hints import pass_on
from tidegate.chain.heads.marks import Mark
from tidegate.chain.heads.source import BlockSource, LogFilter, NodeBlocks
from tidegate.chain.mined import Header, LogKey, MinedLog

__all__ = [
    "Added",
    "BlockSource",
    "BlockState",
    "ChainHealth",
    "Change",
    "Confirmed",
    "Cursor",
    "CursorStore",
    "Finalised",
    "GapAlert",
    "HeadFollower",
    "Header",
    "JournalCursors",
    "LogFilter",
    "LogKey",
    "Mark",
    "MemoryCursors",
    "MinedLog",
    "NodeBlocks",
    "Progress",
    "RolledBack",
    "pass_on",
]
