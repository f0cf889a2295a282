"""The states of a transaction and the one table of what leads from one to the next.

Nothing moves a transaction but ``move``, which refuses what the table does not hold. Each transition is
one journal record, named here, so that a transaction can be read back after a kill at any of them.
``docs/reference/transactions.md`` is generated from this table.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.model import Divergence, RecordKind


class State(StrEnum):
    """Where a transaction stands."""

    PLANNED = "planned"
    RESERVED = "reserved"
    SIGNED = "signed"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    EXPIRING = "expiring"
    LANDED = "landed"
    REVERTED = "reverted"
    CANCELLED = "cancelled"
    CONFIRMED = "confirmed"
    FINALISED = "finalised"
    DENIED = "denied"
    REJECTED = "rejected"
    DIVERGENT = "divergent"

    @property
    def is_included(self) -> bool:
        """Say whether a block holds a version of it."""
        return self in (State.LANDED, State.REVERTED, State.CANCELLED, State.CONFIRMED, State.FINALISED)


class Event(StrEnum):
    """What happened to it."""

    RESERVE = "a nonce is reserved"
    SIGN = "the signer returns bytes"
    DENY = "the signer denies"
    ACCEPT = "at least one endpoint accepts"
    NO_ANSWER = "no endpoint confirms"
    REJECT = "every endpoint refuses for good"
    LAND = "a receipt with status 1"
    REVERT = "a receipt with status 0"
    CANCEL_LANDS = "a receipt of the cancel"
    FOLLOW_OTHER = "the nonce was used by another hash of ours"
    FOREIGN = "the nonce was used by a foreign hash"
    RAISE = "stuck: signed anew with higher fees"
    EXPIRE = "the deadline is over and the nonce unused"
    CANCEL = "the nonce is to be used up: a cancel is signed"
    CONFIRM = "as deep as the network's confirmations"
    FINALISE = "no reorg that is followed can reach it"
    WITHDRAW = "a reorg withdraws the block"


class Transition(msgspec.Struct, frozen=True):
    """One row: what stands in the journal for it, and what is done then."""

    state: State
    event: Event
    next: State
    record: RecordKind
    effect: str


_OPEN = (State.SIGNED, State.SENT, State.AMBIGUOUS, State.EXPIRING)

_ASK = "ask: receipt, nonce count, mempool; send the same bytes again"


def _rows() -> tuple[Transition, ...]:
    rows = [
        Transition(State.PLANNED, Event.RESERVE, State.RESERVED, RecordKind.NONCE, "sign"),
        Transition(State.RESERVED, Event.SIGN, State.SIGNED, RecordKind.SIGNATURE, "send"),
        Transition(
            State.RESERVED, Event.DENY, State.DENIED, RecordKind.OUTCOME, "release the nonce, if the highest"
        ),
        Transition(
            State.SIGNED, Event.REJECT, State.REJECTED, RecordKind.OUTCOME, "cancel, to use up the nonce"
        ),
        Transition(State.REJECTED, Event.CANCEL, State.EXPIRING, RecordKind.REPLACEMENT, "send the cancel"),
        Transition(State.DENIED, Event.CANCEL, State.EXPIRING, RecordKind.REPLACEMENT, "send the cancel"),
    ]
    for state in (State.SIGNED, State.AMBIGUOUS):
        rows.append(Transition(state, Event.ACCEPT, State.SENT, RecordKind.SENT, "follow"))
    rows.append(Transition(State.EXPIRING, Event.ACCEPT, State.EXPIRING, RecordKind.SENT, "follow"))
    for state in (State.SIGNED, State.SENT):
        rows.append(Transition(state, Event.NO_ANSWER, State.AMBIGUOUS, RecordKind.AMBIGUOUS, _ASK))
    for state in _OPEN:
        rows += [
            Transition(state, Event.LAND, State.LANDED, RecordKind.RECEIPT, "book"),
            Transition(
                state, Event.REVERT, State.REVERTED, RecordKind.RECEIPT, "decode by step; book the cost"
            ),
            Transition(state, Event.CANCEL_LANDS, State.CANCELLED, RecordKind.RECEIPT, "drop; book the cost"),
            Transition(state, Event.FOLLOW_OTHER, state, RecordKind.REPLACED, "follow that hash"),
            Transition(state, Event.FOREIGN, State.DIVERGENT, RecordKind.HALT, "halt the key, alert"),
        ]
    for state in (State.SENT, State.AMBIGUOUS, State.SIGNED):
        rows += [
            Transition(state, Event.RAISE, State.SIGNED, RecordKind.REPLACEMENT, "send the new version"),
            Transition(
                state, Event.EXPIRE, State.EXPIRING, RecordKind.EXPIRING, "cancel with the same nonce"
            ),
        ]
    rows.append(
        Transition(State.EXPIRING, Event.CANCEL, State.EXPIRING, RecordKind.REPLACEMENT, "send the cancel")
    )
    for event, state in (
        (Event.LAND, State.LANDED),
        (Event.REVERT, State.REVERTED),
        (Event.CANCEL_LANDS, State.CANCELLED),
    ):
        rows.append(
            Transition(State.DIVERGENT, event, state, RecordKind.RECEIPT, "book: a person lifted the halt")
        )
    rows.append(
        Transition(
            State.DIVERGENT, Event.FOLLOW_OTHER, State.DIVERGENT, RecordKind.REPLACED, "follow that hash"
        )
    )
    for state in (State.LANDED, State.REVERTED, State.CANCELLED):
        rows.append(Transition(state, Event.CONFIRM, State.CONFIRMED, RecordKind.CONFIRMED, "-"))
    rows.append(Transition(State.CONFIRMED, Event.FINALISE, State.FINALISED, RecordKind.FINALISED, "forget"))
    for state in (State.LANDED, State.REVERTED, State.CANCELLED, State.CONFIRMED):
        rows.append(
            Transition(
                state,
                Event.WITHDRAW,
                State.SENT,
                RecordKind.WITHDRAWN,
                "book back; the same bytes again if inside the deadline, else cancel",
            )
        )
    return tuple(rows)


TRANSITIONS = _rows()
_TABLE = {(row.state, row.event): row for row in TRANSITIONS}


def transition(state: State, event: Event) -> Transition:
    """Return the row for an event in a state.

    Raises
    ------
    Divergence
        If there is none: what happened can not have happened to a transaction that stands there.
    """
    row = _TABLE.get((state, event))
    if row is None:
        raise Divergence(
            f"a transaction that is {state} can not see this: {event}",
            code="transition",
            found=f"{state}, {event}",
            allowed=", ".join(one.event for one in TRANSITIONS if one.state is state) or "nothing more",
            fix="keep the journal and report it; nothing was written",
        )
    return row
