"""What a reorg may take back: how to undo what each ended intent was counted for, while that is possible."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.risk.limits.meter import Undo
from tidegate.risk.limits.rows import WEEK_S


class UndoMemory:
    """Remembers by intent, until it is final or has rolled off every window."""

    def __init__(self) -> None:
        self._undo: dict[str, tuple[int, Sequence[Undo]]] = {}

    def __contains__(self, intent_id: str) -> bool:
        return intent_id in self._undo

    def keep(self, intent_id: str, undo: Sequence[Undo], *, now_s: int) -> None:
        """Remember how to take back what was counted at ``now_s``."""
        while self._undo:
            oldest, (at_s, _) = next(iter(self._undo.items()))
            if at_s > now_s - WEEK_S:
                break
            del self._undo[oldest]
        self._undo[intent_id] = (now_s, undo)

    def take_back(self, intent_id: str) -> None:
        """Take back what is remembered of an intent, once."""
        _, undo = self._undo.pop(intent_id, (0, ()))
        for one in undo:
            one()

    def forget(self, intent_id: str) -> None:
        """Let what an intent was counted for stay for good."""
        self._undo.pop(intent_id, None)
