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
    AMBIGUOUS = "ambiguous"  # sent, and nobody confirmed: the chain is asked
    REPLACEMENT = "replacement"  # signed anew with the same nonce: higher fees, or a cancel
    REPLACED = "replaced"  # the nonce was used by another hash of ours, which is followed
    EXPIRING = "expiring"  # the deadline is over and the nonce unused: to be cancelled
    RECEIPT = "receipt"
    WITHDRAWN = "withdrawn"  # a reorg took the block of a receipt away
    CONFIRMED = "confirmed"  # as deep as the chain's confirmations
    FINALISED = "finalised"
    OUTCOME = "outcome"
    BOOKING = "booking"  # realised balance changes and costs
    STOP = "stop"
    RESUME = "resume"
    RECOVERY = "recovery"  # what was found open at a start, and what was done
    SUMMARY = "summary"
    CURSOR = "cursor"  # a chain's newest complete block: number and hash
    HALT = "halt"  # a divergence halted a key, chain or desk
    MARK = "mark"  # what a desk holds and what that is worth, unrealised
    BREAKER = "breaker"  # a breaker's state, inputs or transition
    CAPABILITY = "capability"  # loaded, replaced or revoked, in the signer's journal
    ANSWER = "answer"  # what the signer answered, written before the signature leaves
    FREEZE = "freeze"  # the signer was frozen or unfrozen
    RECONCILIATION = "reconciliation"  # our books against the chain's
    JUDGEMENT = "judgement"  # what a shadow's plan would have done in the blocks that followed
    DRILL = "drill"  # a drill's steps and times
    ADMINISTRATION = "administration"  # who may do what was changed on an executor, announced or not
    EXECUTOR_STATE = "executor_state"  # an executor's roles, policy and schedule, as read from the chain
    ADDRESSES_CHECKED = "addresses_checked"  # every address of a book, looked at
    SIGNAL = "signal"  # an input of an alert left its bound, or came back
    LEASE = "lease"  # who owns a key on a chain
    ENDPOINT = "endpoint"  # an endpoint of a chain needs a person: quarantined, key refused; or let go


DURABLE_KINDS = frozenset(
    {
        RecordKind.INTENT,
        RecordKind.PLAN,
        RecordKind.NONCE,
        RecordKind.SIGNATURE,
        RecordKind.REPLACEMENT,
        RecordKind.CURSOR,
        RecordKind.STOP,
        RecordKind.RESUME,
        RecordKind.HALT,
        RecordKind.BREAKER,
        RecordKind.CAPABILITY,
        RecordKind.ANSWER,
        RecordKind.FREEZE,
        RecordKind.LEASE,
        RecordKind.ENDPOINT,
    }
)
"""Kinds that must be flushed to disk before the next step, because it acts on them."""
