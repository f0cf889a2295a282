"""One evaluation of one breaker: a pure function of its state, its input and the time.

======================  ====================================================================
the input               the level
======================  ====================================================================
reaches a higher level  goes there at once, however many rungs that is, unless only a
                        cool-down of that very level stands against it
is not clear            stays; the hold begins anew
is clear                steps down one, once it was clear for ``min_hold_s``; a latched level stays
missing, NaN, too old   goes to the highest, ``breaker_blind``
======================  ====================================================================
"""

from __future__ import annotations

import math

import msgspec

from tidegate.model import Halted
from tidegate.risk.breakers.breaker import Breaker

TRIPPED = "tripped"
BLIND = "breaker_blind"
SILENT = "breaker_silent"
STEPPED_DOWN = "stepped_down"
RESUMED = "resumed"
MEASURED = "measured"

MS = 1_000


class Reading(msgspec.Struct, frozen=True):
    """A measure and when it was taken, in milliseconds since the Unix epoch."""

    value: float
    at_ms: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a breaker stands. Times in milliseconds since the Unix epoch.

    ``quiet_since_ms`` is since when the measure has been clear of the level, None while it is not;
    ``left_ms`` by level from 1 on when it was last stepped down from, 0 never; ``evaluated_ms`` 0: never.
    """

    level: int = 0
    since_ms: int = 0
    quiet_since_ms: int | None = None
    blind_since_ms: int | None = None
    is_latched: bool = False
    left_ms: tuple[int, ...] = ()
    evaluated_ms: int = 0
    value: str = ""
    value_at_ms: int = 0


class Transition(msgspec.Struct, frozen=True):
    """A change of level and its code: one of the constants above."""

    code: str
    previous: int
    level: int


def step(
    breaker: Breaker, state: State, reading: Reading | None, now_ms: int, *, blind_code: str = BLIND
) -> tuple[State, Transition | None]:
    """Return the state after one evaluation, and the transition if the level changed."""
    state = _measured(breaker, state, reading, now_ms)
    if reading is None or not is_usable(breaker, reading, now_ms):
        return _blind(breaker, state, now_ms, blind_code)
    latches = breaker.is_latched(_demanded(breaker, reading.value))
    state = msgspec.structs.replace(
        state, blind_since_ms=None, is_latched=state.is_latched or (latches and state.level > 0)
    )
    target = _reached(breaker, state, reading.value, now_ms)
    if target > state.level:
        return _moved(breaker, state, target, now_ms, TRIPPED)
    if state.level == 0:
        return state, None
    if not _is_clear(breaker, state.level, reading.value):
        return msgspec.structs.replace(state, quiet_since_ms=None), None
    quiet_since_ms = now_ms if state.quiet_since_ms is None else state.quiet_since_ms
    state = msgspec.structs.replace(state, quiet_since_ms=quiet_since_ms)
    if state.is_latched or now_ms - quiet_since_ms < breaker.min_hold_s * MS:
        return state, None
    left = tuple(now_ms if number == state.level else at for number, at in enumerate(state.left_ms, 1))
    state = msgspec.structs.replace(state, left_ms=left)
    stepped, transition = _moved(breaker, state, state.level - 1, now_ms, STEPPED_DOWN)
    clear_below = stepped.level > 0 and _is_clear(breaker, stepped.level, reading.value)
    return msgspec.structs.replace(stepped, quiet_since_ms=now_ms if clear_below else None), transition


def resume(breaker: Breaker, state: State, reading: Reading | None, now_ms: int) -> tuple[State, Transition]:
    """Return the state after a person released a latched breaker: the level that its measure asks for now.

    Raises
    ------
    Halted
        If the breaker is blind.
    """
    reading = demand_sight(breaker, reading, now_ms)
    measured = _measured(breaker, state, reading, now_ms)
    level = _demanded(breaker, reading.value)
    return (
        msgspec.structs.replace(
            measured,
            level=level,
            since_ms=now_ms,
            quiet_since_ms=None,
            blind_since_ms=None,
            is_latched=breaker.is_latched(level),
        ),
        Transition(RESUMED, state.level, level),
    )


def demand_sight(breaker: Breaker, reading: Reading | None, now_ms: int) -> Reading:
    """Return the reading, or refuse to release a blind breaker: nobody knows what would be released.

    Raises
    ------
    Halted
        ``breaker_blind``.
    """
    if reading is None or not is_usable(breaker, reading, now_ms):
        raise Halted(
            f"breaker {breaker.name} can not be resumed while it is blind",
            code=BLIND,
            found=f"no usable {breaker.input}",
            allowed=f"a measure that is at most {breaker.max_input_age_s} s old",
            fix="mend what measures it, then resume again",
        )
    return reading


def is_usable(breaker: Breaker, reading: Reading, now_ms: int) -> bool:
    """Say whether a reading is a finite number of an age that the breaker accepts, either way of now."""
    value = reading.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return is_number and abs(now_ms - reading.at_ms) <= breaker.max_input_age_s * MS


def _measured(breaker: Breaker, state: State, reading: Reading | None, now_ms: int) -> State:
    return msgspec.structs.replace(
        state,
        level=min(state.level, breaker.highest),
        left_ms=(state.left_ms + (0,) * breaker.highest)[: breaker.highest],
        evaluated_ms=now_ms,
        value="" if reading is None else str(reading.value)[:80],
        value_at_ms=0 if reading is None else reading.at_ms,
    )


def _blind(breaker: Breaker, state: State, now_ms: int, code: str) -> tuple[State, Transition | None]:
    since_ms = now_ms if state.blind_since_ms is None else min(now_ms, state.blind_since_ms)
    highest = breaker.highest
    latches = breaker.is_latched(highest) and now_ms - since_ms >= breaker.blind_latch_s * MS
    blinded = msgspec.structs.replace(
        state, blind_since_ms=since_ms, quiet_since_ms=None, is_latched=state.is_latched or latches
    )
    if state.level == highest:
        return blinded, None
    return msgspec.structs.replace(blinded, level=highest, since_ms=now_ms), Transition(
        code, state.level, highest
    )


def _reached(breaker: Breaker, state: State, value: float, now_ms: int) -> int:
    """Return the highest level that the value trips, cool-downs minded; at least the present one."""
    for level in range(_demanded(breaker, value), state.level, -1):
        left_ms = state.left_ms[level - 1]
        cools = left_ms > 0 and 0 <= now_ms - left_ms < breaker.cooldown_s * MS
        if breaker.is_critical(level) or not cools:
            return level
    return state.level


def _demanded(breaker: Breaker, value: float) -> int:
    reached = (breaker.side * value >= breaker.side * level.threshold for level in breaker.levels)
    return sum(reached)


def _is_clear(breaker: Breaker, level: int, value: float) -> bool:
    return breaker.side * value < breaker.side * breaker.clear_of(level)


def _moved(
    breaker: Breaker, state: State, level: int, now_ms: int, code: str
) -> tuple[State, Transition | None]:
    return (
        msgspec.structs.replace(
            state,
            level=level,
            since_ms=now_ms,
            quiet_since_ms=None,
            is_latched=state.is_latched or breaker.is_latched(level),
        ),
        Transition(code, state.level, level),
    )
