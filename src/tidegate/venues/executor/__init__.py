"""The codec of our executor contract, which its three desks and the signer share.

Programs as data and as bytes, policy words, calls and answers of the contract. No I/O, no state:
the same bytes always give the same data. Any room above ``venues`` may call.
"""

from tidegate.venues.executor.assembler import assemble, calldata_gas, program_hash
from tidegate.venues.executor.disassembler import disassemble
from tidegate.venues.executor.program import (
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Op,
    Patch,
    Program,
    Take,
    encoded_size,
    encoded_sizes,
    walk,
)
from tidegate.venues.executor.refusal import ProgramRefused

__all__ = [
    "Approve",
    "Call",
    "Capture",
    "Check",
    "Comparison",
    "Flash",
    "FlashKind",
    "Line",
    "Load",
    "LoadSource",
    "Math",
    "MathFunction",
    "Op",
    "Patch",
    "Program",
    "ProgramRefused",
    "Take",
    "assemble",
    "calldata_gas",
    "disassemble",
    "encoded_size",
    "encoded_sizes",
    "program_hash",
    "walk",
]
