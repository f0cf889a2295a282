"""What the street asks of those who may say no at any step: stops, breakers, halts. ``risk/`` has them.

They are asked when an intent is accepted, when its plan is authorised, and right before each signature,
so their answers must be cheap and must not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from tidegate.model import Denied, Intent, Operation, Reason
from tidegate.risk import Place


class Refusing(Protocol):
    """A stop, breaker or halt that is in force."""

    def as_denied(self) -> Denied:
        """Return the refusal for whoever was stopped by it."""
        ...


class StopsPort(Protocol):
    """Knows which stops are in force. ``risk.StopBook`` is one; so is ``HaltBook``."""

    def blocking(self, place: Place, operation: Operation) -> Refusing | None:
        """Return what blocks the operation there, or None."""
        ...


class BreakersPort(Protocol):
    """Knows which operations tripped breakers mask. ``risk.BreakerBook`` is one."""

    def masked(self, place: Place, operation: Operation) -> Refusing | None:
        """Return a tripped breaker that masks the operation there, or None."""
        ...


Question: TypeAlias = Callable[[Place, Operation], Refusing | None]


class Permission:
    """Says whether an intent may go on just now. Asked anew at each step; remembers nothing.

    Whoever can not answer has said no, but to an exit: a halt never blocks one.
    """

    def __init__(self, stops: Sequence[StopsPort] = (), breakers: Sequence[BreakersPort] = ()) -> None:
        self._questions: tuple[Question, ...] = (
            *(one.blocking for one in stops),
            *(one.masked for one in breakers),
        )

    def refusal(self, intent: Intent, operation: Operation) -> Denied | None:
        """Return why the operation may not be done for the intent, or None."""
        place = Place.of(intent)
        for ask in self._questions:
            try:
                refusing = ask(place, operation)
            except Exception as error:  # noqa: BLE001 - an exception inside a stop or breaker is a trip
                if operation.is_exit:
                    continue
                return Denied(
                    Reason.STOPPED,
                    "whether a stop or breaker is in force can not be known",
                    found=f"{type(error).__name__}: {error}",
                    allowed="an answer, or an exit",
                    fix="tidegate doctor",
                )
            if refusing is not None:
                return refusing.as_denied()
        return None

    def demand(self, intent: Intent) -> None:
        """Raise ``Denied`` if the intent may not go on."""
        refusal = self.refusal(intent, intent.operation)
        if refusal is not None:
            raise refusal
