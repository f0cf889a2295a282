"""What became of transactions: the chain is asked, nothing is guessed.

One round looks at the head and the account's count once, then at what they can have changed. A receipt
decides; a nonce that was used without a receipt of ours is a divergence once it is as deep as the
network's confirmations; a block that is not the chain's any more takes its receipts along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from tidegate.chain.networks import Network
from tidegate.chain.signing import Hand, SendingChain
from tidegate.chain.states import Event, State
from tidegate.chain.transactions import Tracked, Version
from tidegate.ledger import (
    ConfirmedBody,
    ExpiringBody,
    FinalisedBody,
    HaltBody,
    ReceiptBody,
    ReplacedBody,
    WithdrawnBody,
)
from tidegate.model import Block, Denied, Divergence, Receipt, Unavailable

ForeignNonce = Callable[[Tracked, HaltBody], None]
"""Told of a nonce that a foreign hash has used, once the record of the halt is written."""


@dataclass(frozen=True, slots=True)
class View:
    """The head and how many transactions of the account it has included."""

    head: Block
    used: int


_LATE_RECEIPT_LOOKS = 10
_LATE_RECEIPT_S = 0.1


class Follower:
    """Asks one chain about the transactions of one key.

    Parameters
    ----------
    stuck_after_blocks
        After how many blocks in the mempool the lowest nonce is stuck.
    on_foreign
        Told once a foreign hash under our nonce is certain.
    """

    def __init__(
        self,
        hand: Hand,
        chain: SendingChain,
        network: Network,
        *,
        stuck_after_blocks: int,
        on_foreign: ForeignNonce,
    ) -> None:
        self._hand = hand
        self._chain = chain
        self._network = network
        self._stuck_after_blocks = stuck_after_blocks
        self._on_foreign = on_foreign
        self._last_head = b"none"

    async def look(self) -> View:
        """Return the head and the account's count, asked for together."""
        head, used = await asyncio.gather(self._chain.block(), self._chain.nonce(self._hand.account))
        return View(head, used)

    async def round(self, wanted: Sequence[Tracked], view: View) -> list[Exception]:
        """Ask about each once; return what kept some from being asked about, silence left out."""
        trouble: list[Exception] = []
        if view.head.hash != self._last_head:
            trouble += await self._watch_blocks(wanted, view)
            self._last_head = view.head.hash
        trouble += await self._each((one for one in wanted if one.is_open), view, self._ask)
        lowest = min((one for one in wanted if one.is_open), key=_nonce_of, default=None)
        if lowest is not None and lowest.nonce == view.used:
            trouble += await self._each((lowest,), view, self._unstick)
        return trouble

    async def _each(
        self, wanted: Iterable[Tracked], view: View, do: Callable[[Tracked, View], Awaitable[None]]
    ) -> list[Exception]:
        results = await asyncio.gather(*(do(one, view) for one in wanted), return_exceptions=True)
        trouble = []
        for result in results:
            if isinstance(result, Exception):
                if not isinstance(result, (Unavailable, Denied)):
                    trouble.append(result)
            elif isinstance(result, BaseException):
                raise result
        return trouble

    async def _ask(self, tracked: Tracked, view: View) -> None:
        if view.used > _nonce_of(tracked):
            await self._settle(tracked, view)
            return
        self._expire_if_over(tracked, view.head)
        if tracked.state is State.EXPIRING and tracked.is_offered:
            await self._hand.withdraw(tracked, view.head)
        if tracked.state is State.EXPIRING and tracked.cancel is None:
            await self._hand.cancel(tracked, view.head, "it is over, and its nonce unused")
            return
        if tracked.waits_since is None:
            tracked.waits_since = view.head.number
        newest = tracked.newest
        if await self._chain.knows(newest.hash):
            self._hand.accepted(tracked, newest)
            return
        await self._hand.send(tracked, view.head)

    def _expire_if_over(self, tracked: Tracked, head: Block) -> None:
        if tracked.state is State.EXPIRING:
            return
        why = "" if tracked.is_due_to_cancel(head.timestamp) else tracked.why_taken_back(head.number)
        if why or tracked.is_due_to_cancel(head.timestamp):
            self._hand.move(
                tracked,
                Event.EXPIRE,
                ExpiringBody(
                    nonce=_nonce_of(tracked),
                    block_number=head.number,
                    chain_time_s=head.timestamp,
                    deadline_s=tracked.work.deadline_s,
                    why=why,
                ),
            )

    async def find(self, tracked: Tracked) -> bool:
        """Look for a block that holds a version, and say whether there is one."""
        receipts = await asyncio.gather(*(self._chain.receipt(one.hash) for one in tracked.versions))
        for version, receipt in zip(tracked.versions, receipts, strict=True):
            if receipt is not None:
                self._include(tracked, version, receipt)
                return True
        return False

    async def _settle(self, tracked: Tracked, view: View) -> None:
        if not await self.find(tracked) and await self._is_foreign_for_good(tracked, view):
            body = HaltBody(
                scope=f"key:{self._network.chain_id}:{self._hand.account}",
                who="sender",
                detail=f"nonce {tracked.nonce} was used by bytes that are not ours, seen at block "
                f"{view.head.number}",
            )
            self._hand.move(tracked, Event.FOREIGN, body)
            self._on_foreign(tracked, body)
            raise foreign_nonce(tracked, self._hand.account)

    async def _is_foreign_for_good(self, tracked: Tracked, view: View) -> bool:
        """Say whether the nonce is used as deep as confirmations count, and by none of our versions."""
        # Pinned to a block that was the head before the receipts were asked for, and asked again for a while:
        # a node counts a transaction a moment before it gives its receipt, and a false halt costs a person.
        settled = max(view.head.number - self._network.confirmations + 1, 0)
        if await self._chain.nonce(self._hand.account, settled) <= _nonce_of(tracked):
            return False
        for _ in range(_LATE_RECEIPT_LOOKS):
            again = await asyncio.gather(*(self._chain.receipt(one.hash) for one in tracked.versions))
            if any(receipt is not None for receipt in again):
                return False
            await asyncio.sleep(_LATE_RECEIPT_S)
        return True

    def _include(self, tracked: Tracked, version: Version, receipt: Receipt) -> None:
        if version is not tracked.newest:
            body = ReplacedBody(hash=_hex(tracked.newest.hash), by=_hex(version.hash))
            self._hand.move(tracked, Event.FOLLOW_OTHER, body)
        if version.is_cancel:
            event = Event.CANCEL_LANDS
        else:
            event = Event.LAND if receipt.status == 1 else Event.REVERT
        self._hand.move(
            tracked,
            event,
            ReceiptBody(
                hash=_hex(receipt.transaction_hash),
                status=receipt.status,
                block_number=receipt.block_number,
                gas_used=receipt.gas_used,
                effective_gas_price_wei=receipt.effective_gas_price_wei,
                block_hash=_hex(receipt.block_hash),
                data_fee_wei=receipt.data_fee_wei,
                is_cancel=version.is_cancel,
            ),
        )
        tracked.receipt = receipt

    async def _watch_blocks(self, wanted: Sequence[Tracked], view: View) -> list[Exception]:
        """See whether receipts still stand on the chain.

        A block whose hash is the chain's vouches for all below it, so one is asked about; each receipt by
        itself when it becomes confirmed or final, and all when that one is not the chain's any more.
        """
        standing = [one for one in wanted if one.included is not None and one.state is not State.FINALISED]
        if not standing:
            return []
        newest = max(standing, key=_height)
        before = newest.state
        trouble = await self._each((newest,), view, self._watch)
        is_withdrawn = newest.state is State.SENT and before is not State.SENT
        rest = [one for one in standing if one is not newest and (is_withdrawn or self._is_due(one, view))]
        return trouble + await self._each(rest, view, self._watch)

    def _is_due(self, tracked: Tracked, view: View) -> bool:
        depth = view.head.number - _height(tracked) + 1
        if tracked.state is State.CONFIRMED:
            return depth > self._network.reorg_max_blocks
        return depth >= self._network.confirmations

    async def _watch(self, tracked: Tracked, view: View) -> None:
        """See whether the block of a receipt is still the chain's, and how deep it lies."""
        included = tracked.included
        assert included is not None
        if tracked.state is State.FINALISED:
            return
        if not await self._is_canonical(included, view.head):
            self._hand.move(
                tracked,
                Event.WITHDRAW,
                WithdrawnBody(
                    hash=included.hash, block_number=included.block_number, block_hash=included.block_hash
                ),
            )
            return
        depth = view.head.number - included.block_number + 1
        at = {"hash": included.hash, "block_number": included.block_number, "head_number": view.head.number}
        if tracked.state is not State.CONFIRMED and depth >= self._network.confirmations:
            self._hand.move(tracked, Event.CONFIRM, ConfirmedBody(**at))  # type: ignore[arg-type]
        if tracked.state is State.CONFIRMED and depth > self._network.reorg_max_blocks:
            self._hand.move(tracked, Event.FINALISE, FinalisedBody(**at))  # type: ignore[arg-type]

    async def _is_canonical(self, included: ReceiptBody, head: Block) -> bool:
        """Say whether the chain still has the receipt's block; two answers must say that it has not."""
        if included.block_number == head.number and head.hash == _octets(included.block_hash):
            return True
        if included.block_number <= head.number:
            found = await self._chain.block(included.block_number)
            if found.hash == _octets(included.block_hash):
                return True
        receipt = await self._chain.receipt(_octets(included.hash))
        return receipt is not None and receipt.block_hash == _octets(included.block_hash)

    async def _unstick(self, tracked: Tracked, view: View) -> None:
        """Replace the lowest nonce if it has waited too long, or can not be included as it is."""
        if not tracked.is_open or tracked.waits_since is None:
            return
        last = tracked.until_block if tracked.cancel is None else None
        if last is not None and view.head.number >= last:
            return  # a bundle has no block left that higher fees could win
        waited = view.head.number - tracked.waits_since
        is_priced_out = view.head.base_fee_wei > tracked.newest.fees.max_fee_wei and waited > 0
        if waited >= self._stuck_after_blocks or is_priced_out:
            await self._hand.raise_fees(tracked, view.head, f"stuck for {waited} blocks")


def foreign_nonce(tracked: Tracked, account: str) -> Divergence:
    """Return the error of a nonce that bytes of others have used."""
    return Divergence(
        f"nonce {tracked.nonce} of {account} was used by bytes that are not ours",
        code="foreign_nonce",
        found=f"none of our {len(tracked.versions)} versions is in a block",
        allowed=" or ".join(_hex(one.hash) for one in tracked.versions),
        fix="find out who else holds this key and rotate it; tidegate stop --list names its halt, then: "
        "tidegate resume --scope key:CHAIN:ACCOUNT",
    )


def _height(tracked: Tracked) -> int:
    assert tracked.included is not None
    return tracked.included.block_number


def _nonce_of(tracked: Tracked) -> int:
    assert tracked.nonce is not None
    return tracked.nonce


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _octets(text: str) -> bytes:
    return bytes.fromhex(text[2:])
