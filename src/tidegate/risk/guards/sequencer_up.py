"""On a layer 2, prices are old while the sequencer is down and for a while after it comes back."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import encode_call
from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import Read, word
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck, Position
from tidegate.venues.chainlink import LATEST_ROUND
from tidegate.venues.executor import Comparison

FEED = "chainlink.sequencer_uptime"
"""The book name of the chain's sequencer uptime feed: answer 0 is up, 1 is down, startedAt is since when."""

LABEL = "sequencer up"


class SequencerUp:
    """The chain's sequencer has been up for longer than ``grace``.

    Every strategy on a layer 2 has it by itself, before and inside. The address book names the uptime
    feed ``chainlink.sequencer_uptime``; without one nothing runs there.
    """

    name = "sequencer_up"
    placements = frozenset({Placement.PRE, Placement.IN})
    parameters: Mapping[str, Parameter] = {
        "grace": Parameter(ParameterKind.SECONDS, default=3_600, low=0, high=86_400)
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the newest round of the uptime feed."""
        return (Read(context.book.entry(FEED).address, LATEST_ROUND),)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head: up, and for how long. A feed that has no round yet is down."""
        (question,) = self.reads(context)
        is_down, started_at_s = word(context.answers[question], 1), word(context.answers[question], 2)
        up_s = context.block.timestamp - started_at_s if started_at_s and not is_down else 0
        grace_s = context.integer("grace")
        return verdict(
            self.name,
            Placement.PRE,
            passed=up_s > grace_s,
            code="sequencer_down" if is_down or not started_at_s else "sequencer_grace",
            measured=up_s,
            bound=grace_s,
            unit="seconds",
            at_block=context.block.number,
        )

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return the check by the lens, before everything else of its scope."""
        feed = context.book.entry(FEED).address
        lens = context.book.entry("guard_lens").address
        return (
            OnChainCheck(
                label=LABEL,
                read=Read(lens, encode_call("sequencer_up(address,uint256)", feed, context.integer("grace"))),
                comparison=Comparison.EQUAL,
                bound=1,
                position=Position.BEFORE,
            ),
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: a block that was included had a sequencer."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")
