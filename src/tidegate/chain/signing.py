"""Everything that signs or sends the bytes of one transaction, each step a record before the next.

Signed bytes are durable before they leave. A signer that denies has signed nothing; one that does not
answer may have, so its nonce is used up by a cancel and never given to other content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from tidegate.chain.fees import CANCEL_GAS, FeeMarket, FeeQuote, Fees, fitted, price_cap_wei, replacement
from tidegate.chain.networks import DataFee, Network
from tidegate.chain.nonces import ACTOR, Appends
from tidegate.chain.reads import FeeHistory
from tidegate.chain.states import Event, State, transition
from tidegate.chain.transactions import Tracked, Version
from tidegate.chain.ways import Handover, Parcel, Ways
from tidegate.chain.wire import BlockReference
from tidegate.ledger import AmbiguousBody, Body, ReplacementBody, SentBody, SignatureBody
from tidegate.model import (
    SIGNER_UNREACHED,
    Address,
    Ambiguous,
    Block,
    Denied,
    Divergence,
    Metric,
    Operation,
    Reason,
    Receipt,
    Recorder,
    RecordKind,
    Rejected,
    Route,
    Sending,
    SignedTransaction,
    TransactionSigner,
    Unavailable,
    UnsignedTransaction,
)

_ROLLUP_CANCEL_GAS = 2_000_000
"""Where the parent chain's fee is paid as gas. Gas that is not used is not paid."""
_ASK_AGAIN = frozenset({"nonce_too_low", "replacement_underpriced", "already_known"})
"""Refusals that say nothing against the bytes: the nonce is used or taken, by ours or by others."""

_MAY_PASS = frozenset({"fee_below_base", "underpriced", "insufficient_funds"})
"""Refusals of the moment: another price or balance, and the same bytes are taken."""


class SendingChain(Protocol):
    """What a sender asks of a chain. Every call has a deadline and raises as ``chain`` does."""

    async def block(self, reference: BlockReference = "latest") -> Block:
        """Return a block's environment."""
        ...

    async def nonce(self, account: Address, block: BlockReference = "latest") -> int:
        """Return an account's transaction count."""
        ...

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt if a block holds the transaction."""
        ...

    async def knows(self, transaction_hash: bytes) -> bool:
        """Say whether a node holds the transaction, waiting or included."""
        ...

    async def fee_history(self, blocks: int = 20, percentiles: Sequence[float] = (60,)) -> FeeHistory:
        """Return base fees, and priority fees by percentile, of the newest ``blocks``."""
        ...

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand signed bytes over. Raises ``Rejected``, ``Ambiguous`` or ``Unavailable``."""
        ...


class Hand:
    """Signs and sends versions of transactions of one key on one chain.

    Parameters
    ----------
    sign_timeout_s, send_timeout_s
        How long the signer and the endpoints may take before nothing is known.
    """

    def __init__(
        self,
        *,
        signer: TransactionSigner,
        chain: SendingChain,
        journal: Appends,
        network: Network,
        recorder: Recorder,
        ways: Ways,
        replacements_max: int,
        sign_timeout_s: float,
        send_timeout_s: float,
    ) -> None:
        self.account = signer.address
        self.network = network
        self.replacements_max = replacements_max
        self._signer = signer
        self._chain = chain
        self._ways = ways
        self._journal = journal
        self._recorder = recorder
        self._market = FeeMarket(chain, network)
        self._sign_timeout_s = sign_timeout_s
        self._send_timeout_s = send_timeout_s

    def move(self, tracked: Tracked, event: Event, body: Body) -> None:
        """Write the record of a transition that the table holds, then make it.

        Raises
        ------
        Divergence
            If the table does not hold it; nothing is written.
        Unavailable
            If the record can not be written; nothing has moved.
        """
        kind = _kind_of(tracked, event, body)
        self._journal.append(kind, body, actor=ACTOR, correlation_id=tracked.work.intent_id)
        tracked.take(kind, body)

    async def move_and_wait(self, tracked: Tracked, event: Event, body: Body) -> None:
        """Do as ``move`` does, for a transaction that nobody else moves; others go on meanwhile."""
        kind = _kind_of(tracked, event, body)
        await self._journal.append_and_wait(kind, body, actor=ACTOR, correlation_id=tracked.work.intent_id)
        tracked.take(kind, body)

    async def sign(self, tracked: Tracked) -> SignatureBody:
        """Have the planned content signed under the reserved nonce; the bytes are not kept yet."""
        work = tracked.work
        fees = self._first_fees(tracked)
        unsigned = work.unsigned(_nonce(tracked), fees, is_legacy=self.network.is_legacy)
        signed = await self._signature(tracked, unsigned, work.plan_digest, work.operation)
        return SignatureBody(
            nonce=_nonce(tracked),
            hash="0x" + signed.hash.hex(),
            raw="0x" + signed.raw.hex(),
            sender=signed.sender,
            max_fee_wei=fees.max_fee_wei,
            max_priority_fee_wei=fees.max_priority_fee_wei,
        )

    async def raise_fees(self, tracked: Tracked, head: Block, why: str) -> bool:
        """Sign and send the newest content again with higher fees, if the caps and stops allow it.

        Returns
        -------
        bool
            Whether a new version was made. What it costs at most stays inside the plan's gas budget.
        """
        newest = tracked.newest
        operation = Operation.CANCEL if newest.is_cancel else tracked.work.operation
        if tracked.replacements >= self.replacements_max or tracked.refusal(operation) is not None:
            return False
        if newest.is_cancel:
            return await self.cancel(tracked, head, why)
        cap = price_cap_wei(
            self.network, gas_limit=tracked.work.gas_limit, gas_budget_wei=tracked.work.gas_budget_wei
        )
        fees = replacement(newest.fees, await self._quote(head), cap)
        if fees is None:
            return False
        unsigned = tracked.work.unsigned(_nonce(tracked), fees, is_legacy=self.network.is_legacy)
        signed = await self._signature(tracked, unsigned, tracked.work.plan_digest, operation)
        self._replace(tracked, Event.RAISE, Version(signed, fees, is_cancel=False), why)
        await self.send(tracked, head)
        return True

    async def cancel(self, tracked: Tracked, head: Block, why: str) -> bool:
        """Sign and send what uses up the nonce and nothing else; the cost stays inside the plan's budget.

        Where a cap leaves no room above the version before, the cancel offers all that the cap allows: a
        node that still holds that version refuses it, one that has lost it takes it.
        """
        cap = price_cap_wei(self.network, gas_limit=CANCEL_GAS, gas_budget_wei=tracked.work.gas_budget_wei)
        quote = await self._quote(head)
        before = tracked.newest.fees if tracked.versions else tracked.work.fees
        fees = replacement(before, quote, cap) or Fees(cap, min(cap, before.max_priority_fee_wei))
        gas = _ROLLUP_CANCEL_GAS if self.network.data_fee is DataFee.ARBITRUM else CANCEL_GAS
        unsigned = tracked.work.cancel(
            self.account, _nonce(tracked), fees, is_legacy=self.network.is_legacy, gas_limit=gas
        )
        signed = await self._signature(tracked, unsigned, unsigned.content_digest, Operation.CANCEL)
        self._replace(tracked, Event.CANCEL, Version(signed, fees, is_cancel=True), why)
        await self.send(tracked, head)
        return True

    async def withdraw(self, tracked: Tracked, head: Block) -> None:
        """Take back what relays hold of the content; who builds a block may include it all the same."""
        content = next((one for one in reversed(tracked.versions) if not one.is_cancel), None)
        if content is not None:
            with suppress(TimeoutError):  # asked again at the next block
                async with asyncio.timeout(self._send_timeout_s):
                    await self._ways.withdraw(self._parcel(tracked, content, head.number))

    def demand_way(self, sending: Sending | None) -> None:
        """Raise ``Denied`` if nobody could take the bytes by a route that their plan allows."""
        if sending is not None:
            self._ways.demand(sending)

    async def send(self, tracked: Tracked, head: Block | None = None, *, is_first: bool = False) -> None:
        """Hand the newest bytes over. Only an answer of the chain changes what is known.

        Parameters
        ----------
        head
            The newest block, from which the blocks of a bundle are counted; asked for if None.
        is_first
            That these bytes were signed just now and never sent: then a refusal is the end of them. If
            they may have been sent before, some node may hold them whatever this one says.

        Raises
        ------
        Rejected
            If every endpoint refuses the first send for good.
        Divergence
            If an endpoint names another transaction.
        """
        version = tracked.newest
        try:
            async with asyncio.timeout(self._send_timeout_s):
                handover = await self._ways.send(
                    self._parcel(tracked, version, await self._number(head, tracked))
                )
        except Rejected as refusal:
            is_about_bytes = refusal.code not in _ASK_AGAIN
            if is_first and is_about_bytes:
                raise
            # Signed by a process that was killed before it wrote what became of the first send.
            is_for_good = is_about_bytes and refusal.code not in _MAY_PASS
            is_refused = is_for_good and tracked.state is State.SIGNED and len(tracked.versions) == 1
            self._doubt(tracked, str(refusal), is_refused=is_refused)
        except (Ambiguous, Unavailable, TimeoutError) as silence:
            self._doubt(tracked, str(silence) or "no answer in time")
        except Divergence as nonsense:
            self._doubt(tracked, str(nonsense))
            raise
        else:
            self.accepted(tracked, version, handover)

    def accepted(self, tracked: Tracked, version: Version, handover: Handover = Handover()) -> None:  # noqa: B008
        """Note that somebody holds a version; again only if that was in doubt."""
        if tracked.state is State.SENT or (
            tracked.state is State.EXPIRING and version.hash in tracked.accepted
        ):
            return
        self.move(
            tracked,
            Event.ACCEPT,
            SentBody(
                hash="0x" + version.hash.hex(),
                route=handover.route,
                by=handover.by,
                until_block=handover.until_block,
            ),
        )

    async def _number(self, head: Block | None, tracked: Tracked) -> int:
        """Return the head from which a bundle's blocks are counted; other ways do not ask for it."""
        sending = tracked.work.sending
        if sending is None or Route.BUNDLE not in sending.order:
            return 0
        return (head or await self._chain.block()).number

    def _parcel(self, tracked: Tracked, version: Version, head: int) -> Parcel:
        """Return a version on its way out. A cancel may take every route anew, for as long as it needs."""
        work, is_cancel = tracked.work, version.is_cancel
        purpose = "cancel" if is_cancel else "content"
        return Parcel(
            name=f"{work.chain_id}:{self.account}:{_nonce(tracked)}:{work.intent_id}:{purpose}",
            raw=version.signed.raw,
            hash=version.hash,
            head=head,
            sending=work.sending,
            settled=None if is_cancel else tracked.route,
            until_block=None if is_cancel else tracked.until_block,
            deadline_s=None if is_cancel else work.deadline_s,
        )

    def _doubt(self, tracked: Tracked, detail: str, *, is_refused: bool = False) -> None:
        if tracked.state in (State.SIGNED, State.SENT):
            hash_ = "0x" + tracked.newest.hash.hex()
            body = AmbiguousBody(hash=hash_, detail=detail, is_refused=is_refused)
            self.move(tracked, Event.NO_ANSWER, body)

    def _replace(self, tracked: Tracked, event: Event, version: Version, why: str) -> None:
        self.move(
            tracked,
            event,
            ReplacementBody(
                nonce=_nonce(tracked),
                hash="0x" + version.hash.hex(),
                raw="0x" + version.signed.raw.hex(),
                sender=version.signed.sender,
                is_cancel=version.is_cancel,
                max_fee_wei=version.fees.max_fee_wei,
                max_priority_fee_wei=version.fees.max_priority_fee_wei,
                why=why,
            ),
        )
        self._recorder.count(Metric.REPLACEMENTS, chain=str(self.network.chain_id))

    def _first_fees(self, tracked: Tracked) -> Fees:
        work = tracked.work
        cap = price_cap_wei(self.network, gas_limit=work.gas_limit, gas_budget_wei=work.gas_budget_wei)
        fees = fitted(work.fees, base_fee_next_wei=0, cap_wei=cap)
        if self.network.is_legacy:
            return Fees(fees.max_fee_wei, fees.max_fee_wei)
        return fees

    async def _quote(self, head: Block) -> FeeQuote:
        """Return what the chain asks for; if it does not say, the head's own base fee and the floor."""
        try:
            return await self._market.quote()
        except (Unavailable, Rejected):
            return FeeQuote(head.base_fee_wei, self.network.priority_floor_wei)

    async def _signature(
        self, tracked: Tracked, unsigned: UnsignedTransaction, plan_digest: str, operation: Operation
    ) -> SignedTransaction:
        """Return the signature, with one last look at stops and breakers right before it."""
        refusal = tracked.refusal(operation)
        if refusal is not None:
            raise refusal
        was_asked, tracked.may_be_signed = tracked.may_be_signed, True
        try:
            async with asyncio.timeout(self._sign_timeout_s):
                return await self._signer.sign_transaction(
                    unsigned, intent_id=tracked.work.intent_id, plan_digest=plan_digest
                )
        except Denied as denial:
            tracked.may_be_signed = denial.reason is Reason.NONCE_REUSED
            tracked.denied(denial)
            raise
        except Unavailable as silence:
            if silence.code == SIGNER_UNREACHED:  # this request never left; an earlier one may have
                tracked.may_be_signed = was_asked
            raise
        except TimeoutError as error:
            raise Unavailable(
                "the signer does not answer",
                code="signer_silent",
                found=f"nothing within {self._sign_timeout_s} s",
                fix="tidegate signer status",
            ) from error


def _kind_of(tracked: Tracked, event: Event, body: Body) -> RecordKind:
    """Return how the transition is written, if the table holds it."""
    row = transition(tracked.state, event)
    if body.KIND is not row.record:
        raise TypeError(f"{row.event} is written as {row.record}, was {body.KIND}")
    return row.record


def _nonce(tracked: Tracked) -> int:
    if tracked.nonce is None:
        raise TypeError(f"{tracked.work.intent_id} has no nonce to sign with")
    return tracked.nonce
