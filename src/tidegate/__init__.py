"""Tidegate builds, proves and runs automated on-chain desks.

The rooms and their floors are drawn in ``docs/explanation/rooms.md``; each room's
``__init__`` is its front door.
"""

__version__ = "0.1.0"
