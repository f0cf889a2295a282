"""A stop, whatever the file holds that means it."""

from __future__ import annotations

from typing import Self

import msgspec

from tidegate.ledger import StopBody
from tidegate.model import ConfigError, Denied, Operation, Reason
from tidegate.risk.scope import Place, Scope
from tidegate.risk.stops.order import MACHINE, NO_EXIT_PEOPLE, PERSON, StopOrder, count_people

_SHOWN = 200


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop. ``id`` is its file's name and that file's time: dropped again, it is another stop."""

    id: str
    name: str
    scope: Scope
    reason: str
    who: tuple[str, ...]
    set_by: str
    at_ms: int
    until_ms: int | None = None
    allow_exit: bool = True

    @classmethod
    def of_file(cls, name: str, written_ns: int, content: bytes) -> Self:
        """Return the stop that a file means, whatever it holds.

        A file that is not an order of ours stops everything but exits, unless it is one line that
        writes a scope. Nothing that is wrong in it makes the stop narrower or forbids an exit.
        """
        order = _order(content) or _dropped(name, written_ns, content)
        return cls(
            id=f"{name}@{written_ns}",
            name=name,
            scope=_scope(order.scope),
            reason=order.reason,
            who=order.who,
            set_by=order.set_by if order.set_by in (PERSON, MACHINE) else MACHINE,
            at_ms=order.at_ms,
            until_ms=order.until_ms,
            allow_exit=order.allow_exit or count_people(order.who) < NO_EXIT_PEOPLE,
        )

    @classmethod
    def of_body(cls, body: StopBody) -> Self:
        """Return the stop that a record tells."""
        fields = {name: getattr(body, name) for name in cls.__struct_fields__}
        return cls(**{**fields, "scope": _scope(body.scope)})

    @property
    def body(self) -> StopBody:
        """Return the record of the stop."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return StopBody(**{**fields, "scope": str(self.scope)})

    @property
    def people_to_release(self) -> int:
        """Return how many different people must agree to end it before its time."""
        return 1 if self.allow_exit else NO_EXIT_PEOPLE

    def blocks(self, place: Place, operation: Operation) -> bool:
        """Say whether the operation may not be done there. A plain stop never blocks an exit."""
        return self.scope.covers(place) and not (operation.is_exit and self.allow_exit)

    def as_denied(self) -> Denied:
        """Return the refusal that names scope, reason and who."""
        return Denied(
            Reason.STOPPED,
            f"a stop is in force: {self.reason}",
            found=f"stop of {self.scope} by {', '.join(self.who)}",
            allowed="exits" if self.allow_exit else "nothing",
            fix=f'tidegate resume --scope {self.scope} --reason "..." --evidence "..."',
        )


def _order(content: bytes) -> StopOrder | None:
    try:
        return msgspec.json.decode(content, type=StopOrder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _dropped(name: str, written_ns: int, content: bytes) -> StopOrder:
    text = content.decode(errors="replace").strip()
    shown = "".join(mark if mark.isprintable() else " " for mark in text[:_SHOWN])
    return StopOrder(
        scope=text,
        reason=f"file stop.d/{name}" + (f": {shown}" if shown else ""),
        who=("whoever dropped the file",),
        at_ms=written_ns // 1_000_000,
    )


def _scope(text: str) -> Scope:
    try:
        return Scope.parse(text)
    except ConfigError:
        return Scope()  # what can not be read is not narrower than everything
