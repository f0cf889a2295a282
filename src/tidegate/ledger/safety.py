"""What the risk room writes down: limits used, marks, stops and their release, breakers, drills."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tidegate.ledger.body import Body, StandingBody
from tidegate.model import RecordKind, Stage


class Used(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of a limit was used before this intent, and how much it allows, in its scope."""

    limit: str
    used: int
    allowed: int
    scope: str = ""


class LimitsBody(Body, frozen=True, kw_only=True):
    """The ``limits`` that an intent was held against; its place in each is reserved."""

    KIND: ClassVar[RecordKind] = RecordKind.LIMITS

    checked: tuple[Used, ...]


class Held(msgspec.Struct, frozen=True):
    """What a desk holds of a token at a venue, in millionths of a dollar."""

    venue: str
    token: str
    value_usd_e6: int


class MarkBody(StandingBody, frozen=True, kw_only=True):
    """A ``mark``: all that a desk holds, and what that is worth more (or less) than it was booked at.

    ``at_s`` is when it was valued; 0 where it only says what is held.
    """

    KIND: ClassVar[RecordKind] = RecordKind.MARK
    TOPIC: ClassVar[str] = "mark"

    stage: Stage
    desk: str
    unrealised_usd_e6: int
    held: tuple[Held, ...]
    at_s: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return ``stage:desk``: each has one newest mark."""
        return (f"{self.stage}:{self.desk}",)


class StopBody(StandingBody, frozen=True, kw_only=True):
    """A ``stop`` that came into force. ``until_ms`` None: until it is resumed."""

    KIND: ClassVar[RecordKind] = RecordKind.STOP
    TOPIC: ClassVar[str] = "stop"

    id: str
    name: str
    scope: str
    reason: str
    who: tuple[str, ...]
    set_by: str
    at_ms: int
    until_ms: int | None = None
    allow_exit: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Return the id of the stop."""
        return (self.id,)


class ResumeBody(StandingBody, frozen=True, kw_only=True):
    """A ``resume``: what released a stop (``stop_id``) or a latched breaker, who, why, on what evidence."""

    KIND: ClassVar[RecordKind] = RecordKind.RESUME
    TOPIC: ClassVar[str] = "stop"

    scope: str
    who: tuple[str, ...]
    reason: str
    evidence: str
    at_ms: int
    stop_id: str = ""
    breaker: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the id of the stop that is released; none where a breaker is."""
        return (self.stop_id,) if self.stop_id else ()

    @property
    def stands(self) -> bool:
        """Say no: what is released stands no more."""
        return False


class BreakerBody(StandingBody, frozen=True, kw_only=True):
    """A ``breaker`` after an evaluation: its whole state, and the input that gave it.

    ``code`` says why it moved: ``tripped``, ``breaker_blind``, ``breaker_silent``, ``stepped_down``,
    ``resumed``, or ``measured`` where the level is the same. ``value`` is decimal text, empty when
    there was none; times are milliseconds since the Unix epoch. ``left_ms`` holds, by level from 1 on,
    when it was last stepped down from (0: never). Evaluations that change nothing are not written, those
    that change the measure alone at most once a minute.
    """

    KIND: ClassVar[RecordKind] = RecordKind.BREAKER
    TOPIC: ClassVar[str] = "breaker"

    breaker: str
    scope: str
    code: str
    level: int
    previous: int
    value: str
    value_at_ms: int
    since_ms: int
    quiet_since_ms: int | None
    blind_since_ms: int | None
    is_latched: bool
    left_ms: tuple[int, ...]
    evaluated_ms: int

    @property
    def names(self) -> tuple[str, ...]:
        """Return the breaker and its scope: each pair is at one level."""
        return (f"{self.breaker} {self.scope}",)


class DrillBody(Body, frozen=True, kw_only=True):
    """A ``drill``: what was rehearsed in which world, its times and figures, and whether it held.

    ``figures`` are integers with their unit in the name; ``steps`` are (what, milliseconds from the start).
    """

    KIND: ClassVar[RecordKind] = RecordKind.DRILL

    drill: str
    world: str
    passed: bool
    started_ms: int
    steps: tuple[tuple[str, int], ...]
    figures: dict[str, int]
    detail: str = ""
