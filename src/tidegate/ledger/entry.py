"""A record that is to be: what the writer is given, before it has a place in the chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tidegate.ledger.body import Body
from tidegate.ledger.projections import PROJECTED
from tidegate.model import RecordKind, canonical_json

Formed = tuple[str, Body | None]
"""A body's canonical JSON, and its typed form where a projection reads it."""


class Entry(msgspec.Struct, frozen=True):
    """A record that is to be appended: what ``Journal.append`` takes, as one value."""

    kind: RecordKind
    body: Body | Mapping[str, Any]
    actor: str
    correlation_id: str = ""
    causation_id: str = ""

    def formed(self) -> Formed:
        """Return the canonical JSON of the body, and the body as its readers will find it.

        Raises
        ------
        TypeError, ValueError
            If it has no canonical form, or not the form of its kind.
        """
        plain = self.body.to_body() if isinstance(self.body, Body) else dict(self.body)
        typed = PROJECTED[self.kind].from_body(plain) if self.kind in PROJECTED else None
        return canonical_json(plain).decode(), typed
