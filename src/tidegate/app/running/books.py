"""The desk's holdings on its chain, for reconciliation, and the stop that holds until books are equal."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.chain import BlockReference, ChainReads, Network, decode_output, encode_call, hex_data
from tidegate.desks.atomic import Assignment
from tidegate.ledger import (
    BalanceReads,
    ConfirmedBlock,
    Holding,
    Journal,
    Reconciler,
    ReconciliationBody,
    compare,
)
from tidegate.ledger.reconcile import OPENED
from tidegate.model import ZERO_ADDRESS, Address, Denied, Operation, Stage
from tidegate.risk import Place
from tidegate.venues import NATIVE, AddressBook

_COIN_DECIMALS = 18


class ChainBalances:
    """``ledger.BalanceReads`` over a chain's reads: everything at one confirmed block, by its hash."""

    def __init__(self, reads: ChainReads, network: Network) -> None:
        self._reads = reads
        self._depth = max(0, network.confirmations - 1)

    async def confirmed_block(self) -> ConfirmedBlock:
        """Return the newest block that is as deep as the chain's confirmations. Depth 1 is the head."""
        head = await self._reads.block()
        found = await self._reads.block(max(0, head.number - self._depth)) if self._depth else head
        return ConfirmedBlock(found.number, hex_data(found.hash))

    async def balances(self, holdings: Sequence[Holding], block: ConfirmedBlock) -> Sequence[int]:
        """Return the balance of each holding at the block, in base units.

        Raises
        ------
        Unavailable
            If one of them can not be read: a balance that is missing is not zero.
        """
        at = bytes.fromhex(block.hash[2:])
        return [await self._balance(holding, at) for holding in holdings]

    async def _balance(self, holding: Holding, at: BlockReference) -> int:
        if int(holding.token, 16) == 0:
            return await self._reads.balance(holding.account, at)
        payload = encode_call("balanceOf(address)", holding.account)
        return int(decode_output(("uint256",), await self._reads.call(holding.token, payload, block=at))[0])


def holdings_of(assignments: Sequence[Assignment], payer: Address | None = None) -> tuple[Holding, ...]:
    """Return every account and token that a booking may name: what books must begin with.

    Executors hold the tokens that the strategies move. Where something is sent, gains go to the treasury,
    and ``payer`` pays for gas; None in a stage that sends nothing. All are counted before the first booking:
    books that began with a gain or a fee would never equal the chain's.
    """
    found = {}
    if payer is not None:
        found[(payer, ZERO_ADDRESS)] = Holding(payer, ZERO_ADDRESS, NATIVE, _COIN_DECIMALS)
    for one in assignments:
        receivers = () if payer is None else (one.book.entry("treasury").address,)
        for symbol in {*one.strategy.tokens, *(bound.token for bound in one.strategy.bounds)}:
            token, decimals = _token(one.book, symbol)
            for account in (one.executor, *receivers):
                found[(account, token)] = Holding(account, token, symbol, decimals)
    return tuple(found[key] for key in sorted(found))


def _token(book: AddressBook, symbol: str) -> tuple[Address, int]:
    if symbol == NATIVE:
        return ZERO_ADDRESS, _COIN_DECIMALS
    token = book.token(symbol)
    return token.address, token.decimals


class NotReconciled:
    """What says that nothing new may begin while books and chain are not known to be equal."""

    def __init__(self, refusal: Denied) -> None:
        self._refusal = refusal

    def as_denied(self) -> Denied:
        """Return the refusal."""
        return self._refusal


class Books:
    """Keeps ``pipeline.StopsPort``: opens nothing while books and chain are not known to be equal."""

    def __init__(
        self,
        reconciler: Reconciler,
        balances: BalanceReads,
        holdings: Sequence[Holding],
        *,
        chain_id: int,
    ) -> None:
        self.reconciler, self.chain_id = reconciler, chain_id
        self._balances, self._holdings = balances, tuple(holdings)
        self.head = 0
        """The newest block that was looked at."""

    def blocking(self, place: Place, operation: Operation) -> NotReconciled | None:
        """Return why the operation may not be done there, None for an exit or another chain."""
        is_ours = place.chain_id == self.chain_id
        refusal = self.reconciler.refusal(self.head) if is_ours and not operation.is_exit else None
        return None if refusal is None else NotReconciled(refusal)

    async def begin_anew(self, journal: Journal, *, stage: Stage, desk: str) -> None:
        """Let the books begin with what a new world holds: nothing of an earlier one is in it.

        Raises
        ------
        Unavailable
            If the world does not answer.
        """
        block = await self._balances.confirmed_block()
        known = journal.positions_at(stage, desk, self.chain_id, block.number)
        wanted: dict[tuple[str, str], Holding] = {(one.account, one.token): one for one in self._holdings}
        for key, held in known.items():
            if held.account:
                account, token = Address(held.account), Address(held.token)
                wanted.setdefault(key, Holding(account, token, held.symbol, held.decimals))
        holdings = [wanted[key] for key in sorted(wanted)]
        found = await self._balances.balances(holdings, block)
        body = ReconciliationBody(
            stage=stage,
            desk=desk,
            chain_id=self.chain_id,
            block_number=block.number,
            block_hash=block.hash,
            verdict=OPENED,
            counted=compare(holdings, known, found),
            explanation="a new world",
        )
        journal.append(body.KIND, body, actor="reconciliation")

    async def saw(self, head: int) -> None:
        """Take note of a block, and compare if it is time to."""
        self.head = head
        await self.reconciler.at_block(head)
