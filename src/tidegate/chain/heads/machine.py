"""The block machine: which blocks consumers hold, and what a new one means to them. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tidegate.chain.heads.changes import Added, BlockState, Change, Confirmed, Finalised, RolledBack
from tidegate.chain.heads.cursors import Cursor, held_before_newest, highest_of
from tidegate.chain.heads.marks import Mark, runs_of
from tidegate.chain.mined import Header, MinedLog
from tidegate.model import Divergence


class BlockMachine:
    """The newest blocks of one chain's canonical history, as consumers were told of them.

    Parameters
    ----------
    chain_id
        The chain.
    confirmations
        The depth at which a block counts as confirmed; the head has depth 1.
    reorg_max_blocks
        How far below the highest block seen a reorg may reach.

    Notes
    -----
    After a restart the newest batch is *unsettled*: the consumer may have it or not. Its blocks lie
    above the tip until the chain gives the same block again (repeated) or another (withdrawn).
    """

    def __init__(self, chain_id: int, *, confirmations: int, reorg_max_blocks: int) -> None:
        self.chain_id = chain_id
        self.next_number: int | None = None
        self.confirmed = -1
        self.finalised = -1
        self._confirmations = confirmations
        self._reorg_max = reorg_max_blocks
        self._marks: deque[Mark] = deque()  # without a hole, from the deepest that a reorg may reach
        self._unsettled: list[Mark] = []
        self._repeated_to = -1
        self._highest = -1
        self._parent_hash = b""  # of the history's first block

    @property
    def tip(self) -> Mark | None:
        """Return the newest block that consumers were given, or none before the first."""
        return self._marks[-1] if self._marks else None

    @property
    def tip_hash(self) -> bytes:
        """Return the hash that the next block's parent must have; empty where any will do."""
        return self._marks[-1].hash if self._marks else self._parent_hash

    def begin(self, first: int) -> None:
        """Start a history at block ``first``."""
        self.next_number = first

    def resume(self, cursors: Sequence[Cursor]) -> list[Change]:
        """Take up a history where its cursors end; return what the newest batch had withdrawn.

        The blocks that it had added come again, through ``add``.
        """
        if not cursors:
            return []
        newest = cursors[-1]
        self._marks.extend(held_before_newest(cursors))
        self._highest = highest_of(cursors)
        self._parent_hash = newest.parent_hash
        self.next_number = newest.first
        self._unsettled = list(newest.added)
        self._repeated_to = newest.number
        return [mark.withdrawn(self.chain_id) for mark in newest.withdrawn]

    def mark_at(self, number: int) -> Mark | None:
        """Return the block that consumers hold at ``number``, if it is still known."""
        if not self._marks:
            return None
        index = number - self._marks[0].number
        return self._marks[index] if 0 <= index < len(self._marks) else None

    def meets(self, header: Header) -> bool:
        """Say whether ``header`` stands on a block that consumers hold, or where the history began."""
        if not self._marks:
            return header.number == self.next_number and self._parent_hash in (b"", header.parent_hash)
        below = self.mark_at(header.number - 1)
        return below is not None and below.hash == header.parent_hash

    def is_bottom(self, header: Header) -> bool:
        """Say whether nothing is known below ``header`` that it could stand on."""
        lowest = self._marks[0].number if self._marks else self.next_number
        return lowest is None or header.number <= lowest

    def roll_back_to(self, header: Header) -> list[RolledBack]:
        """Withdraw, from the head down, every block that ``header`` replaces or leaves aside.

        Raises
        ------
        Divergence
            ``reorg_too_deep`` or ``final_block_replaced``. Nothing is withdrawn then.
        """
        ancestor = header.number - 1
        withdrawn: list[RolledBack] = []
        if self._marks and self._marks[-1].number > ancestor:
            self._refuse_depth(ancestor)
            withdrawn += self._withdraw_unsettled()
            while self._marks and self._marks[-1].number > ancestor:
                withdrawn.append(self._marks.pop().withdrawn(self.chain_id))
            self.next_number = header.number
            self.confirmed = min(self.confirmed, ancestor)
            self._repeated_to = min(self._repeated_to, ancestor)
        if not self._marks:
            self._parent_hash = header.parent_hash
        return withdrawn

    def add(self, header: Header, logs: Sequence[MinedLog]) -> list[Change]:
        """Take a complete block that stands on the tip; return what consumers are told.

        Raises
        ------
        Divergence
            If what it replaces lies too deep.
        """
        if header.number != self.next_number or not self.meets(header):
            raise ValueError(f"block {header.number} does not stand on the tip, {self.tip}")
        changes: list[Change] = []
        if self._unsettled and self._unsettled[0].number == header.number:
            if self._unsettled[0].hash == header.hash:
                self._unsettled.pop(0)
            else:
                self._refuse_depth(header.number - 1)
                changes += self._withdraw_unsettled()
                self._repeated_to = header.number - 1
        if not self._marks:
            self._parent_hash = header.parent_hash
        self._marks.append(Mark.of(header, logs))
        self.next_number = header.number + 1
        self._highest = max(self._highest, header.number)
        while len(self._marks) > 1 and self._marks[0].number < self._highest - self._reorg_max:
            self._marks.popleft()
        changes.append(Added(header, tuple(logs), header.number <= self._repeated_to))
        return changes

    def confirm(self) -> Confirmed | None:
        """Return up to where blocks are confirmed, if that moved."""
        if not self._marks:
            return None
        number = self._marks[-1].number - self._confirmations + 1
        if number <= self.confirmed or self.mark_at(number) is None:
            return None
        self.confirmed = number
        return Confirmed(number)

    def finalise(self, final: Header | None) -> Finalised | None:
        """Return up to where blocks are final, if that moved.

        ``final`` is the chain's newest final block; none where it does not say. Then the depth counts
        that no reorg may reach.
        """
        if not self._marks:
            return None
        number = self._marks[-1].number - self._reorg_max if final is None else final.number
        mark = self.mark_at(number)
        if number <= self.finalised or number > self._marks[-1].number:
            return None
        if mark is None and self._marks[0].number > self._highest - self._reorg_max:
            return None  # older than the history
        if final is not None and mark is not None and mark.hash != final.hash:
            return None  # a reorg that is not seen yet
        self.finalised = number
        return Finalised(number)

    def state_of(self, number: int, *, head: int, fetched: int) -> BlockState | None:
        """Return how far the block at ``number`` has come; none if nobody spoke of it."""
        if self._marks and number <= self._marks[-1].number:
            if number <= self.finalised:
                return BlockState.FINALISED
            return BlockState.CONFIRMED if number <= self.confirmed else BlockState.COMPLETE
        if number <= fetched:
            return BlockState.FETCHED
        return BlockState.ANNOUNCED if number <= head else None

    def cursor(self, batch: Sequence[Change]) -> Cursor | None:
        """Return what must be durable before ``batch`` is handed out, or none if it moves no block."""
        withdrawn = [change for change in batch if isinstance(change, RolledBack)]
        parents = {
            change.block.number: change.block.parent_hash for change in batch if isinstance(change, Added)
        }
        numbers = [*parents, *(change.number for change in withdrawn)]
        if not numbers:
            return None
        # What is unsettled may never have been seen: a batch that only takes back does not pass over it.
        first = min([*numbers, *(mark.number for mark in self._unsettled)])
        below = self.mark_at(first - 1)
        parent_hash = parents.get(first, self._parent_hash if below is None else below.hash)
        # What a consumer may hold beyond the tip since the restart is part of the batch until it is settled.
        held = (*(mark for mark in self._marks if mark.number >= first), *self._unsettled)
        return Cursor(
            first=first,
            number=held[-1].number if held else first - 1,
            hash=held[-1].hash if held else parent_hash,
            parent_hash=parent_hash,
            withdrawn=tuple(
                Mark(change.number, change.hash, runs_of(key.log_index for key in change.keys))
                for change in withdrawn
            ),
            added=held,
        )

    def acknowledged(self) -> Cursor | None:
        """Return the cursor that says that all was taken, or none while a batch is unsettled."""
        tip = self.tip
        if tip is None or self._unsettled:
            return None
        return Cursor(first=tip.number + 1, number=tip.number, hash=tip.hash, parent_hash=tip.hash)

    def _withdraw_unsettled(self) -> list[RolledBack]:
        withdrawn = [mark.withdrawn(self.chain_id) for mark in reversed(self._unsettled)]
        self._unsettled.clear()
        return withdrawn

    def _refuse_depth(self, ancestor: int) -> None:
        if self._highest - ancestor > self._reorg_max:
            raise Divergence(
                f"chain {self.chain_id}: a reorg replaces more blocks than may be followed",
                code="reorg_too_deep",
                found=f"{self._highest - ancestor} or more, down to block {ancestor + 1}",
                allowed=f"at most {self._reorg_max}",
                fix="compare the block hashes with a node of another operator; the chain's desks stay halted",
            )
        if ancestor < self.finalised:
            raise Divergence(
                f"chain {self.chain_id}: a reorg replaces a block that was final",
                code="final_block_replaced",
                found=f"block {ancestor + 1}",
                allowed=f"blocks above {self.finalised}",
                fix="compare the block hashes with a node of another operator; the chain's desks stay halted",
            )
