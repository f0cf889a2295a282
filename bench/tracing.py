"""Say from a node's instruction trace (``debug_traceCall``) whose gas it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_CALLS = frozenset({"CALL", "STATICCALL", "DELEGATECALL"})


class Trace:
    """The instructions of one call, in order; ``depth`` counts from 1 for the transaction's own frame."""

    def __init__(self, steps: Sequence[dict[str, Any]]) -> None:
        self._steps = steps

    def of_call(self, index: int, *, depth: int) -> Trace:
        """Return what ran inside the ``index``-th call (from 0) that was made at ``depth``."""
        made = self._calls(depth)[index]
        after = next((at for at in range(made + 1, len(self._steps)) if self._depth(at) <= depth), None)
        return Trace(self._steps[made + 1 : after])

    def frame_gas(self, depth: int) -> int:
        """Return the gas of everything at ``depth`` and below it."""
        inside = [step for step in self._steps if step["depth"] == depth]
        return int(inside[0]["gas"] - inside[-1]["gas"] + inside[-1]["gasCost"])

    def last_call_gas(self, depth: int) -> int:
        """Return the gas of the last call made at ``depth``, its base cost included."""
        made = self._calls(depth)[-1]
        back = next(at for at in range(made + 1, len(self._steps)) if self._depth(at) == depth)
        return int(self._steps[made]["gas"] - self._steps[back]["gas"])

    def memory_words(self, depth: int) -> int:
        """Return how many words of memory the frame at ``depth`` had when it ended."""
        last = [step for step in self._steps if step["depth"] == depth][-1]
        return len(last["memory"])

    def _calls(self, depth: int) -> list[int]:
        return [at for at, step in enumerate(self._steps) if step["depth"] == depth and step["op"] in _CALLS]

    def _depth(self, at: int) -> int:
        return int(self._steps[at]["depth"])
