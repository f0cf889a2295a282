"""The event of a Chainlink aggregator (``AggregatorInterface``). The feed's proxy emits none."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable


class AnswerUpdated(NamedTuple):
    """A new answer, in the feed's own decimals; ``round_id`` is the aggregator's, ``updated_at`` seconds."""

    current: int
    round_id: int
    updated_at: int


ANSWER_UPDATED = EventDecoder(
    AnswerUpdated,
    "AnswerUpdated(int256 indexed current, uint256 indexed round_id, uint256 updated_at)",
)
EVENTS = EventTable((ANSWER_UPDATED,))
