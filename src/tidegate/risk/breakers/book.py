"""All breakers of a process: evaluated by a beat, asked at every step, durable through the journal.

A trip holds from the moment it is measured, whether or not it could be written. A step down, and a
resume, hold only once they are on disk. Nothing that a caller does afterwards takes a record back: the
records of a round are one commit of their own, and the state is what the records fold to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Self

import msgspec

from tidegate.ledger import Entry, Journal, ResumeBody
from tidegate.model import (
    Clock,
    ConfigError,
    Halted,
    Metric,
    NullRecorder,
    Operation,
    Recorder,
    RecordKind,
)
from tidegate.risk.breakers.breaker import Breaker
from tidegate.risk.breakers.inputs import Inputs
from tidegate.risk.breakers.records import Masked, body_of, read_states
from tidegate.risk.breakers.step import (
    MS,
    SILENT,
    Reading,
    State,
    Transition,
    demand_sight,
    is_usable,
    resume,
    step,
)
from tidegate.risk.scope import Place, Scope
from tidegate.risk.steady import SteadyClock
from tidegate.risk.stops import StopFolder
from tidegate.risk.stops.order import ResumeNote

ACTOR = "breakers"
SILENT_PERIODS = 3
REPEAT_S = 60
"""A measure that changes while all else of a breaker stays is written at most once in so long."""


class BreakerBook:
    """Breakers with their states. Safe to use from several threads.

    Parameters
    ----------
    breakers
        Their definitions; scope and name together are unique.
    inputs
        Where measures come from.
    clock
        Holds and silence are measured by its monotonic side.
    journal
        Where every round that changed something is written, by the process that owns the ledger.
    states
        What the journal holds, by ``Breaker.key``.
    on_resume
        Told of each release of a breaker, for what counts on beside it: the limits.
    forgivable
        Names of which a person's note means something without a latch, too, each as ``SCOPE/NAME``: what
        counts on beside them begins anew. No breaker needs to have that scope.

    Raises
    ------
    ConfigError
        If two breakers have the same name and scope.
    """

    def __init__(
        self,
        breakers: Iterable[Breaker],
        *,
        inputs: Inputs,
        clock: Clock,
        journal: Journal,
        states: Mapping[str, State] | None = None,
        recorder: Recorder | None = None,
        on_resume: Callable[[ResumeBody], None] | None = None,
        forgivable: Collection[str] = (),
    ) -> None:
        self._breakers = tuple(breakers)
        keys = [breaker.key for breaker in self._breakers]
        if len(set(keys)) != len(keys):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise ConfigError("two breakers of one name", found=", ".join(twice), allowed="one of each")
        known = states or {}
        self._on_resume = on_resume
        self._forgivable = frozenset(forgivable)
        self._scopes = {breaker.key: Scope.parse(breaker.scope) for breaker in self._breakers}
        self._states = {
            breaker.key: _capped(breaker, known.get(breaker.key, State())) for breaker in self._breakers
        }
        self._written: dict[str, State] = dict(known)
        self._beats: dict[str, int] = {}
        self._codes: dict[str, str] = {}
        self._inputs = inputs
        self._journal = journal
        self._recorder = recorder or NullRecorder()
        self._clock = SteadyClock(clock)
        self._opened_ms = self._clock.now_ms()
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        breakers: Iterable[Breaker],
        *,
        inputs: Inputs,
        clock: Clock,
        journal: Journal,
        recorder: Recorder | None = None,
        on_resume: Callable[[ResumeBody], None] | None = None,
        forgivable: Collection[str] = (),
    ) -> Self:
        """Return the book with the states that the journal holds, and evaluate it once."""
        states = read_states(journal)
        book = cls(
            breakers,
            inputs=inputs,
            clock=clock,
            journal=journal,
            states=states,
            recorder=recorder,
            on_resume=on_resume,
            forgivable=forgivable,
        )
        book.evaluate()
        return book

    def masked(self, place: Place, operation: Operation) -> Masked | None:
        """Return a breaker that masks the operation there, or None; no breaker masks an exit.

        One that was not evaluated for three of its periods, or never, masks as its highest level does.
        """
        if operation.is_exit:
            return None
        with self._lock:
            for breaker in self._breakers:
                if not self._scopes[breaker.key].covers(place):
                    continue
                state, is_silent = self._states[breaker.key], self._is_silent(breaker)
                level = breaker.highest if is_silent else state.level
                if is_silent:
                    self._measure_age(breaker)
                if operation in breaker.masks(level):
                    code = SILENT if is_silent else self._codes.get(breaker.key, "tripped")
                    return Masked(breaker, level, code, state.value)
        return None

    def evaluate(self) -> tuple[tuple[Breaker, Transition], ...]:
        """Evaluate every breaker, write what changed, and return the transitions.

        Raises
        ------
        Unavailable
            If the journal can not be written. Trips of this round hold all the same; steps down do not.
        """
        with self._lock:
            now_ms = self._clock.now_ms()
            rounds = [(breaker, *self._stepped(breaker, now_ms)) for breaker in self._breakers]
            for breaker, state, transition in rounds:
                if transition is not None and transition.level > transition.previous:
                    self._states[breaker.key] = state
                    self._codes[breaker.key] = transition.code
            news = [found for found in rounds if self._is_news(*found)]
            self._journal.append_many(
                [Entry(RecordKind.BREAKER, body_of(*found), actor=ACTOR) for found in news]
            )
            self._written |= {breaker.key: state for breaker, state, _ in news}
            for breaker, state, transition in rounds:
                self._keep(breaker, state, transition)
                self._beats[breaker.key] = now_ms
            self._measure()
            return tuple((breaker, moved) for breaker, _, moved in rounds if moved is not None)

    def state(self, scope: str, name: str) -> State:
        """Return where a breaker stands; ``ConfigError`` if there is none of this scope and name."""
        with self._lock:
            return self._states[self._find(scope, name).key]

    def resume(self, scope: str, name: str, *, who: str, reason: str, evidence: str) -> Transition:
        """Release a breaker, by a person: it goes to the level that its measure asks for now.

        Raises
        ------
        ConfigError
            If there is no such breaker, or who, why or the evidence is missing.
        Halted
            If it is blind.
        Unavailable
            If the release can not be written; then nothing is released.
        """
        if not all(text.strip() for text in (who, reason, evidence)):
            raise ConfigError(
                "a breaker is resumed by somebody, for a reason, on evidence",
                code="resume",
                found=f"who {who!r}, reason {reason!r}, evidence {evidence!r}",
                allowed="none of them empty",
            )
        with self._lock:
            breaker, now_ms = self._find(scope, name), self._clock.now_ms()
            demand_sight(breaker, self._read(breaker), now_ms)
            self._write_release(
                ResumeBody(
                    scope=breaker.scope,
                    breaker=name,
                    who=(who,),
                    reason=reason,
                    evidence=evidence,
                    at_ms=now_ms,
                )
            )
            state, transition = resume(breaker, self._states[breaker.key], self._read(breaker), now_ms)
            self._journal.append(RecordKind.BREAKER, body_of(breaker, state, transition), actor=ACTOR)
            self._keep(breaker, state, transition)
            self._written[breaker.key] = state
            return transition

    def take_notes(self, folder: StopFolder) -> tuple[Transition, ...]:
        """Act on notes of people who resumed a breaker from another process.

        A note that is older than the latch, or of a breaker that is not latched, releases nothing, but one
        of a forgivable name begins what it counts anew. One of a breaker that is blind waits.
        """
        done = []
        with self._lock:
            for path, note in folder.notes():
                if not note.breaker:
                    continue
                try:
                    key = f"{Scope.parse(note.scope)}/{note.breaker}"
                    is_forgivable = key in self._forgivable
                    if is_forgivable and key not in self._states:
                        self._forgive(note)
                        folder.discard_note(path)
                        continue
                    breaker = self._find(note.scope, note.breaker)
                    state = self._states[breaker.key]
                    if (state.is_latched or is_forgivable) and note.at_ms >= state.since_ms:
                        done.append(
                            self.resume(
                                note.scope,
                                note.breaker,
                                who=note.who,
                                reason=note.reason,
                                evidence=note.evidence,
                            )
                        )
                except Halted:
                    continue
                except ConfigError:
                    continue  # of another process's breakers, or of none
                folder.discard_note(path)
        return tuple(done)

    def _forgive(self, note: ResumeNote) -> None:
        if note.is_complete:
            self._write_release(
                ResumeBody(
                    scope=str(Scope.parse(note.scope)),
                    breaker=note.breaker,
                    who=(note.who,),
                    reason=note.reason,
                    evidence=note.evidence,
                    at_ms=self._clock.now_ms(),
                )
            )

    def _write_release(self, released: ResumeBody) -> None:
        self._journal.append(released.KIND, released, actor=ACTOR)
        if self._on_resume is not None:
            self._on_resume(released)  # a count that begins anew is measured anew

    def _find(self, scope: str, name: str) -> Breaker:
        wanted = Scope.parse(scope)
        for breaker in self._breakers:
            if breaker.name == name and self._scopes[breaker.key] == wanted:
                return breaker
        raise ConfigError(
            "no such breaker",
            code="breaker",
            found=f"{scope}/{name}"[:120],
            allowed=", ".join(breaker.key for breaker in self._breakers) or "none is set up",
        )

    def _stepped(self, breaker: Breaker, now_ms: int) -> tuple[State, Transition | None]:
        state = self._states[breaker.key]
        if breaker.key in self._beats and self._is_silent(breaker):
            return step(breaker, state, None, now_ms, blind_code=SILENT)
        return step(breaker, state, self._read(breaker), now_ms)

    def _read(self, breaker: Breaker) -> Reading | None:
        try:
            reading = self._inputs.read(breaker.input, breaker.scope)
            if reading is not None:
                is_usable(breaker, reading, reading.at_ms)  # what can not even be looked at raises here
        except Exception:  # noqa: BLE001 - whatever a measure raises, the breaker is blind, and blind trips
            return None
        return reading

    def _is_silent(self, breaker: Breaker) -> bool:
        beat_ms = self._beats.get(breaker.key)
        return beat_ms is None or self._clock.now_ms() - beat_ms > SILENT_PERIODS * breaker.period_s * MS

    def _is_news(self, breaker: Breaker, state: State, transition: Transition | None) -> bool:
        """Say whether a round is written: it moved, its state changed, or its measure did, a minute on.

        An evaluation that found what the last record says is no news: a beat a second would drown the rest.
        """
        old = self._written.get(breaker.key)
        if old is None or transition is not None:
            return True
        is_due = not 0 <= state.evaluated_ms - old.evaluated_ms < REPEAT_S * MS
        measured = msgspec.structs.replace(
            old,
            value=state.value,
            value_at_ms=state.value_at_ms,
            evaluated_ms=state.evaluated_ms,
            quiet_since_ms=state.quiet_since_ms,  # a hold begins anew at a start: it need not be kept
        )
        return measured != state or (is_due and old.value != state.value)

    def _keep(self, breaker: Breaker, state: State, transition: Transition | None) -> None:
        self._states[breaker.key] = state
        if transition is not None:
            self._codes[breaker.key] = transition.code

    def _measure(self) -> None:
        for breaker in self._breakers:
            level = self._states[breaker.key].level
            self._recorder.set(Metric.BREAKER_LEVEL, level, breaker=breaker.name, scope=breaker.scope)
            self._measure_age(breaker)

    def _measure_age(self, breaker: Breaker) -> None:
        age_s = (self._clock.now_ms() - self._beats.get(breaker.key, self._opened_ms)) / MS
        self._recorder.set(Metric.BREAKER_HEARTBEAT_AGE_S, age_s, breaker=breaker.name, scope=breaker.scope)


def _capped(breaker: Breaker, state: State) -> State:
    return msgspec.structs.replace(state, level=min(state.level, breaker.highest))
