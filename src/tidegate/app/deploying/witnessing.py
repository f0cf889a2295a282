"""Put what was seen of executors and addresses into the ledger, if it can be written just now.

A look that can not be written is still a look: the caller prints where it was put, or why nowhere. While
a desk runs it holds the ledger; the answer then says so, and the desk writes its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.ledger import Body, Journal, JournalReader, Place
from tidegate.model import SystemClock, TidegateError

ACTOR = "deploying"


def put_down(place: Place, make: Callable[[JournalReader], Sequence[Body]]) -> tuple[tuple[Body, ...], str]:
    """Write what ``make`` gives for the ledger as it stands; return it and where it was put.

    Parameters
    ----------
    make
        Called with the open ledger, so that what is new is judged against what is there.
    """
    try:
        with Journal.open(place, clock=SystemClock()) as journal:
            bodies = tuple(make(journal))
            seq = 0
            for body in bodies:
                seq = journal.append(body.KIND, body, actor=ACTOR).seq
            journal.flush()
            return bodies, f"seq {seq} of {place}" if bodies else "nothing new"
    except TidegateError as error:
        return (), f"NO: {error}"
