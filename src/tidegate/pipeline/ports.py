"""What the street asks of those who may say no at any step: stops and breakers. ``risk/`` fills these.

Both are asked when an intent is accepted, when its plan is authorised, and right before the signature,
so their answers must be cheap and must not wait.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.model import Denied, Intent


class StopsPort(Protocol):
    """Knows which stops and halts are in force."""

    def blocking(
        self, *, desk: str, chain_id: int, venues: tuple[str, ...], market: str, is_exit: bool
    ) -> Denied | None:
        """Return the refusal of the stop that covers this, or None.

        Whatever keeps it from knowing is a refusal, too.
        """
        ...


class BreakersPort(Protocol):
    """Knows which kinds of operation are masked."""

    def masking(self, intent: Intent, /) -> Denied | None:
        """Return the refusal of the breaker that masks what the intent does, or None.

        Never masks an exit. Whatever keeps it from knowing is a refusal of everything else.
        """
        ...


class NoStops:
    """No stop exists: for tools that send nothing, and tests."""

    def blocking(self, **_: object) -> Denied | None:
        """Return None."""
        return None


class NoBreakers:
    """No breaker exists: for tools that send nothing, and tests."""

    def masking(self, _: Intent, /) -> Denied | None:
        """Return None."""
        return None
