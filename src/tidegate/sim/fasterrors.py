"""What pyrevm's errors mean: it says everything in the text of a RuntimeError."""

from __future__ import annotations

import re

from tidegate.chain import RevertDecoder
from tidegate.model import Rejected, Revert, Unavailable
from tidegate.sim.errors import WorldReverted

_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")
_HALT = re.compile(r"Halt \{ reason: (.+), gas_used: \d+ \}")
_REFUSED = ("Transaction(", "Initial gas spend")
_PANIC = "PanicException"
_TEXT_MAX = 300


def failure_of(
    error: BaseException, decoder: RevertDecoder
) -> WorldReverted | Rejected | Unavailable | BaseException:
    """Return the error of ours that says what pyrevm's ``error`` says; one that is not its own as it is."""
    if isinstance(error, RuntimeError):
        text = str(error)
        if match := _REVERT.fullmatch(text):
            data = bytes.fromhex(match[1])
            return WorldReverted(decoder.decode(data), data)
        if match := _HALT.fullmatch(text):
            return WorldReverted(Revert(kind="halt", name=match[1]))
        if text.startswith(_REFUSED):
            return Rejected("no node would take this transaction", found=text)
    elif type(error).__name__ != _PANIC:
        return error
    return Unavailable("the fast engine failed", code="engine_panic", found=str(error)[:_TEXT_MAX])
