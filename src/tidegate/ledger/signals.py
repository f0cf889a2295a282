"""What is written down of the inputs of alerts: each time one leaves its bound, and when it comes back."""

from __future__ import annotations

from typing import Any, ClassVar

from tidegate.ledger.body import StandingBody
from tidegate.model import RecordKind


class SignalBody(StandingBody, frozen=True, kw_only=True):
    """A ``signal``: what was measured of ``about``, what it is held against, and how loud it is.

    ``level`` is ``quiet``, ``warning`` or ``critical``; what is not quiet stands until it is. ``value`` and
    ``bound`` are integers in ``unit``. A signal of one run is written with the intent as correlation.
    """

    KIND: ClassVar[RecordKind] = RecordKind.SIGNAL
    TOPIC: ClassVar[str] = "signal"

    desk: str
    chain_id: int
    subject: str
    what: str
    level: str
    value: int
    bound: int
    unit: str
    about: str = ""
    note: str = ""
    at_block: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return ``desk:chain:subject:what:about``: each is quiet or it is not."""
        return (f"{self.desk}:{self.chain_id}:{self.subject}:{self.what}:{self.about}",)

    @property
    def stands(self) -> bool:
        """Say whether somebody should look."""
        return self.level != "quiet"

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with both figures as decimal text."""
        return super().to_body() | {"value": str(self.value), "bound": str(self.bound)}
