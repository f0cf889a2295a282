"""The blocks of a run's chain, for as long as its history can be followed.

A reorg that reaches deeper than is followed halts the chain's desks and ends nothing: what was sent is still
followed, exits still go. No block is looked at until a person has lifted the halt; following then begins at
the head, for whoever lifts it answers for what lies below.
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.chain.heads import Change, HeadFollower, JournalCursors
from tidegate.ledger import HaltBody, Journal, JournalReader
from tidegate.model import Divergence, RecordKind, TidegateError
from tidegate.pipeline import HaltBook

STREAM = "run"


class RunHeads:
    """Hands out the blocks of a run, and halts its chain when that can not go on.

    Parameters
    ----------
    begin
        Returns a follower that begins where the cursors say; asked again after a halt was lifted.
    halts, scope
        Where the halt stands, and the chain's scope.
    trouble
        Told why no block comes any more.
    """

    def __init__(
        self,
        begin: Callable[[], HeadFollower],
        halts: HaltBook,
        scope: str,
        trouble: Callable[[TidegateError], None],
    ) -> None:
        self._begin, self._halts, self._scope, self._trouble = begin, halts, scope, trouble
        self._follower = begin()
        self.is_lost = False
        """Whether the history can not be followed, and no person has looked yet."""

    @property
    def head(self) -> int:
        """Return the newest block that the chain spoke of."""
        return self._follower.health.head

    async def step(self) -> tuple[Change, ...]:
        """Return what is new; nothing while the history can not be followed.

        Raises
        ------
        Unavailable
            As ``HeadFollower.step``; or if the halt can not be written.
        """
        if self.is_lost:
            if self._is_halted():
                return ()
            self._follower, self.is_lost = self._begin(), False
        try:
            return await self._follower.step()
        except Divergence as error:
            self.is_lost = True
            if not self._is_halted():  # else an earlier process has halted it for the same
                self._halts.halt(self._scope, str(error))
            self._trouble(error)
            return ()

    def acknowledge(self) -> None:
        """Say that the newest batch was taken. Raises ``Unavailable`` if that can not be kept."""
        if not self.is_lost:
            self._follower.acknowledge()

    def _is_halted(self) -> bool:
        return any(body.scope == self._scope for body in self._halts.in_force())


def run_cursors(journal: Journal, chain_id: int) -> JournalCursors:
    """Return where a run stands on a chain: what was written since a person last lifted its halt."""
    return JournalCursors(journal, chain_id, STREAM, after=_lifted_at(journal, f"chain:{chain_id}"))


def _lifted_at(journal: JournalReader, scope: str) -> int:
    halts = ((record.seq, HaltBody.from_body(record.body)) for record in journal.records(RecordKind.HALT))
    return max((seq for seq, body in halts if body.scope == scope and body.lifted), default=0)
