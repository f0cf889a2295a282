"""Tapes of states: what strategies read of a chain, block by block, to be decided on again later.

``TapeRecorder`` writes one from a node, ``TapeWorlds`` makes fast worlds of it. What is not on the tape
is refused, never taken for zero.
"""

from tidegate.sim.tape.recorder import TapeRecorder
from tidegate.sim.tape.tape import AccountValue, Measured, Tape, TapeBlock, TapeState
from tidegate.sim.tape.world import NOT_ON_TAPE, TapeWorld, TapeWorlds

__all__ = [
    "NOT_ON_TAPE",
    "AccountValue",
    "Measured",
    "Tape",
    "TapeBlock",
    "TapeRecorder",
    "TapeState",
    "TapeWorld",
    "TapeWorlds",
]
