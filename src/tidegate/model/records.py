"""The journal's record kinds: one for each arrow of the street, and what stands beside it."""

from __future__ import annotations

from enum import StrEnum


class RecordKind(StrEnum):
    """What a journal record says happened. The value is written to the journal: never rename."""

    SESSION = "session"  # a process began to write: version, config digest, stage
    EVENT = "event"  # something observed
    DECISION = "decision"  # decide() with its inputs, also when the answer is "no"
    INTENT = "intent"  # accepted by the street
    LIMITS = "limits"  # limits and stops, with the reservation
    PLAN = "plan"
    GUARDS = "guards"  # results of one placement
    SIMULATION = "simulation"
    BOUNDS = "bounds"
    AUTHORISATION = "authorisation"
    NONCE = "nonce"  # a nonce reserved
    SIGNATURE = "signature"  # signed bytes, durable before anything is sent
    SENT = "sent"
    RECEIPT = "receipt"
    OUTCOME = "outcome"
    BOOKING = "booking"  # realised balance changes and costs
    STOP = "stop"
    RESUME = "resume"
    RECOVERY = "recovery"  # what was found open at a start, and what was done
    SUMMARY = "summary"


DURABLE_KINDS = frozenset({RecordKind.INTENT, RecordKind.PLAN, RecordKind.NONCE, RecordKind.SIGNATURE})
"""Kinds that must be flushed to disk before the next step, because it acts on them."""
