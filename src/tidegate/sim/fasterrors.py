"""What pyrevm's errors mean: it says everything in the text of a RuntimeError."""

from __future__ import annotations

import re
from functools import partial
from typing import NoReturn

from tidegate.chain import RevertDecoder
from tidegate.model import Rejected, Unavailable
from tidegate.sim.errors import WorldReverted, halted

_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")
_HALT = re.compile(r"Halt \{ reason: (.+), gas_used: \d+ \}")
_REFUSED = {
    "LackOfFund": "insufficient_funds",
    "CallGasCostMoreThanGasLimit": "intrinsic_gas",
    "CallerGasLimitMoreThanBlock": "gas_limit",
    "CreateInitCodeSizeLimit": "initcode_size",
    "RejectCallerWithCode": "sender_is_contract",
}
"""What no node would take, by what the engine calls it; codes as for the errors of nodes."""

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
            return WorldReverted(partial(decoder.decode, data), data)
        if match := _HALT.fullmatch(text):
            return WorldReverted(partial(halted, match[1]))
        for name, code in _REFUSED.items():
            if name in text:
                return Rejected(f"no node would take this transaction: {code}", code=code, found=text)
    elif type(error).__name__ != _PANIC:
        return error
    if "HTTPError" in str(error) or "Url {" in str(error):
        # The engine's text holds the URL, and URLs may hold keys.
        return Unavailable("the pinned node does not answer", code="fork_lost")
    return Unavailable("the fast engine failed", code="engine_panic", found=str(error)[:_TEXT_MAX])


class Closed:
    """Stands in for an engine that may not be asked any more: whatever is asked, it says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, _: str) -> NoReturn:
        raise Unavailable(
            "this fast world is closed", code="world_closed", found=self._reason, fix="build a new one"
        )
