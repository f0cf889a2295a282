"""What every body is: data with a kind, a canonical form, and, for some, a name under which it stands."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec

from tidegate.model import RecordKind


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A record's body with its kind. Keys that a later version adds are ignored by this one."""

    KIND: ClassVar[RecordKind]

    def to_body(self) -> dict[str, Any]:
        """Return the plain mapping that the journal hashes and stores."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """Return the typed body of a record of this kind.

        Raises
        ------
        ValueError
            If a key is missing or holds the wrong type.
        """
        try:
            return msgspec.convert(body, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"not the body of a {cls.KIND} record: {error}") from error


class StandingBody(Body, frozen=True, kw_only=True):
    """A body whose newest record by name stands: a cursor, a lease, a halt, a breaker's state.

    Whoever starts wants the newest of each, not the history: the projection ``standing`` keeps one row a
    name, until another record takes its place or ends it. ``TOPIC`` is the kind of thing that stands;
    records of two kinds may share one, as a stop and its release do.
    """

    TOPIC: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names, unique within the topic, that this record sets or ends."""
        raise NotImplementedError

    @property
    def stands(self) -> bool:
        """Say whether the names stand after this record; a row that does not is removed."""
        return True
