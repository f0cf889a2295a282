"""A bounded line before the street: what does not fit is denied by name, and never dropped in silence."""

from __future__ import annotations

import asyncio

from tidegate.model import Denied, Reason


class Queue:
    """Lets so many walk at once and so many wait. Exits go first, and are never turned away.

    When the line is full the newest that is no exit is denied with ``overloaded``: it has waited least, and
    what it was decided from is the least of all waiting to be missed.
    """

    def __init__(self, *, walking_max: int, waiting_max: int) -> None:
        self._walking_max = walking_max
        self._waiting_max = waiting_max
        self._walking = 0
        self._exits: list[asyncio.Future[None]] = []
        self._others: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._exits) + len(self._others)

    async def enter(self, *, is_exit: bool) -> None:
        """Wait for a place; whoever got one gives it back with ``leave``.

        Raises
        ------
        Denied
            ``overloaded``.
        """
        if self._walking < self._walking_max:
            self._walking += 1
            return
        if self.waiting >= self._waiting_max:
            if not is_exit:
                raise self._overloaded()
            if self._others:
                self._others.pop().set_exception(self._overloaded())
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._exits if is_exit else self._others
        line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # the place was handed over in the same moment
            elif place in line:
                line.remove(place)
            raise

    def leave(self) -> None:
        """Hand the place to the next: exits first, then in the order of arrival."""
        for line in (self._exits, self._others):
            while line:
                place = line.pop(0)
                if not place.done():
                    place.set_result(None)
                    return
        self._walking -= 1

    def _overloaded(self) -> Denied:
        return Denied(
            Reason.OVERLOADED,
            "the street is full",
            found=f"{self._walking} walking, {self.waiting} waiting",
            allowed=f"{self._walking_max} walking, {self._waiting_max} waiting; exits go first",
            fix="decide less often, or raise the desk's queue",
        )
