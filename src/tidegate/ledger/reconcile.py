"""Our books against the chain's, at a confirmed block: at a start, and every so many blocks.

The comparison is pure (``compare``); ``Reconciler`` is the piece that a loop calls. It reads through a
protocol, writes ``reconciliation`` records, and holds the verdict that the street's accept step asks for:
nobody trades until books and chain are equal, or a person has explained why they are not.

A difference is never healed by us: a person explains it (``explain``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from tidegate.ledger.attempts import Attempt
from tidegate.ledger.journal import Journal
from tidegate.ledger.positions import Position
from tidegate.ledger.states import Counted, ReconciliationBody
from tidegate.model import (
    Address,
    Denied,
    Metric,
    NullRecorder,
    Reason,
    Recorder,
    Stage,
    Unavailable,
)

EQUAL, OPENED, DIFFERENT = "equal", "opened", "different"
_ACTOR = "reconciliation"


class Holding(msgspec.Struct, frozen=True):
    """An account and a token that a desk holds; the zero address is the chain's own coin."""

    account: Address
    token: Address
    symbol: str
    decimals: int


class ConfirmedBlock(msgspec.Struct, frozen=True):
    """A block as deep as the chain's confirmations, by number and hash (``0x`` hex)."""

    number: int
    hash: str


class BalanceReads(Protocol):
    """What is asked of a chain: everything at one block, by its hash."""

    async def confirmed_block(self) -> ConfirmedBlock:
        """Return the newest block that is as deep as the chain's confirmations."""
        ...

    async def balances(self, holdings: Sequence[Holding], block: ConfirmedBlock) -> Sequence[int]:
        """Return the balance of each holding at that block, in base units, in their order.

        Raises
        ------
        Unavailable
            If one of them cannot be read: a balance that is missing is not zero.
        """
        ...


def compare(
    holdings: Sequence[Holding], booked: Mapping[tuple[str, str], Position], found: Sequence[int]
) -> tuple[Counted, ...]:
    """Return what books and chain say of each holding.

    Parameters
    ----------
    booked
        Positions by (account, token), as the books had them at the block.
    found
        The chain's balances at that block, in the holdings' order.
    """
    counted = []
    for holding, amount in zip(holdings, found, strict=True):
        position = booked.get((holding.account, holding.token))
        counted.append(
            Counted(
                account=holding.account,
                token=holding.token,
                symbol=holding.symbol,
                decimals=holding.decimals,
                booked=0 if position is None else position.amount,
                found=amount,
            )
        )
    return tuple(counted)


class Reconciler:
    """Keeps the books of one desk on one chain equal to the chain's.

    Canary and production keep one book (``ledger.book``): whichever starts compares what both have booked.

    Parameters
    ----------
    journal
        Where the books are, and where each comparison is recorded.
    reads
        The chain's balances.
    holdings
        What is compared besides every position that the books know of this desk.
    every_blocks
        How many blocks lie between two comparisons.
    recorder
        Measures how many holdings differ (``tidegate_reconcile_difference``).
    """

    def __init__(
        self,
        journal: Journal,
        reads: BalanceReads,
        *,
        stage: Stage,
        desk: str,
        chain_id: int,
        holdings: Sequence[Holding],
        every_blocks: int,
        recorder: Recorder | None = None,
    ) -> None:
        self._journal = journal
        self._reads = reads
        self._stage, self._desk, self._chain_id = stage, desk, chain_id
        self._holdings = tuple(holdings)
        self._every_blocks = every_blocks
        self._recorder = recorder or NullRecorder()
        self._last: ReconciliationBody | None = None
        self._is_good_at = -1
        self._tried_at = -1
        self._trouble = "books and chain were not compared yet"

    @property
    def last(self) -> ReconciliationBody | None:
        """Return the newest comparison of this process."""
        return self._last

    @property
    def is_reconciled(self) -> bool:
        """Say whether the newest comparison found books and chain equal."""
        return self._is_good_at >= 0

    def refusal(self, head_number: int) -> Denied | None:
        """Return why nothing new may begin at a head, or None. The street does not ask it for exits.

        A comparison counts for three times the blocks between two of them: one that cannot be repeated
        is no reason to stop at once, and no reason to go on for ever.
        """
        if self._is_good_at >= 0 and head_number - self._is_good_at <= 3 * self._every_blocks:
            return None
        if self._is_good_at >= 0:
            found = f"equal at block {self._is_good_at}, the head is {head_number}; {self._trouble}"
        else:
            found = self._trouble
        return Denied(
            Reason.NOT_RECONCILED,
            f"the books of {self._desk} on chain {self._chain_id} are not known to equal the chain's",
            found=found,
            allowed=f"books equal to a confirmed block at most {3 * self._every_blocks} blocks old",
            fix="tidegate journal tail --kind reconciliation; then: tidegate journal explain SEQ --reason …",
        )

    async def at_start(self) -> ReconciliationBody | None:
        """Compare once what was left open is followed; None while a transaction is on its way.

        Raises
        ------
        Unavailable
            If the chain cannot be read; nothing is reconciled then.
        """
        return await self._compare(await self._reads.confirmed_block())

    async def at_block(self, head_number: int) -> ReconciliationBody | None:
        """Compare if it is time to; return the comparison, or None if there was none.

        It is time every so many blocks, and at every block while books and chain are not equal. While
        a transaction is on its way a difference may be that transaction: then the verdict from before
        stands, and the next block tries again. A chain that does not answer is one more reason to.
        """
        if self.is_reconciled and head_number < self._tried_at + self._every_blocks:
            return None
        try:
            body = await self._compare(await self._reads.confirmed_block())
        except Unavailable as silence:
            self._trouble = f"the chain does not say: {silence.message}"
            return None
        if body is not None:
            self._tried_at = head_number
        return body

    async def _compare(self, block: ConfirmedBlock) -> ReconciliationBody | None:
        holdings = self._with_positions(block)
        found = await self._reads.balances(holdings, block)
        # The books are read after the chain was: a booking that came meanwhile is taken off by its block.
        booked = self._journal.positions_at(self._stage, self._desk, self._chain_id, block.number)
        counted = compare(holdings, booked, found)
        is_first = all(position.opened_seq is None for position in booked.values())
        new = tuple(item for item in counted if is_first or (item.account, item.token) not in booked)
        known = tuple(item for item in counted if item not in new)
        different = tuple(item for item in known if item.difference)
        if (different or (new and is_first)) and self._on_their_way():
            self._trouble = "a transaction is on its way, which the books do not hold yet"
            return None
        if new:
            self._judge(self._write(block, OPENED, new), 0)
        if known or not new:
            body = self._write(block, DIFFERENT if different else EQUAL, different or known)
            self._judge(body, len(different))
        return self._last

    def _judge(self, body: ReconciliationBody, differing: int) -> None:
        self._last = body
        self._recorder.set(Metric.RECONCILE_DIFFERENCE, differing, desk=self._desk, chain=str(self._chain_id))
        if differing:
            self._is_good_at = -1
            self._trouble = "; ".join(map(_told, body.counted))[:500]
        else:
            self._is_good_at = body.block_number
            self._trouble = "no comparison since"

    def _with_positions(self, block: ConfirmedBlock) -> tuple[Holding, ...]:
        """Return what is compared: the holdings given, and whatever else the books know of."""
        wanted: dict[tuple[str, str], Holding] = {
            (holding.account, holding.token): holding for holding in self._holdings
        }
        booked = self._journal.positions_at(self._stage, self._desk, self._chain_id, block.number)
        for key, position in booked.items():
            if position.account:
                account, token = Address(position.account), Address(position.token)
                wanted.setdefault(key, Holding(account, token, position.symbol, position.decimals))
        return tuple(wanted[key] for key in sorted(wanted))

    def _on_their_way(self) -> bool:
        return any(map(self._may_have_left, self._journal.attempts(open_only=True)))

    def _may_have_left(self, attempt: Attempt) -> bool:
        is_ours = attempt.desk == self._desk and attempt.chain_id == self._chain_id
        return is_ours and bool(attempt.transaction_hash)

    def _write(self, block: ConfirmedBlock, verdict: str, counted: tuple[Counted, ...]) -> ReconciliationBody:
        """Record a comparison; a difference that was found before is not recorded again."""
        last = self._last
        if last is not None and verdict == DIFFERENT == last.verdict and last.counted == counted:
            return last
        body = ReconciliationBody(
            stage=self._stage,
            desk=self._desk,
            chain_id=self._chain_id,
            block_number=block.number,
            block_hash=block.hash,
            verdict=verdict,
            counted=counted,
        )
        self._journal.append(body.KIND, body, actor=_ACTOR)
        return body


def _told(item: Counted) -> str:
    return (
        f"{item.symbol} of {item.account}: books {item.booked}, chain {item.found} "
        f"({item.difference:+d} base units)"
    )
