"""The sender of one key on one chain: writes that happen once.

It owns the key's nonces and the table of ``chain/states.py``. Whoever wants something included hands it
work; from then on the sender reserves, has it signed, sends, follows, replaces and cancels, each step a
record before the next. What a run earned and how it ended is for others to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from tidegate.chain.following import Follower, View, foreign_nonce
from tidegate.chain.key_halt import HaltJournal, KeyHalt
from tidegate.chain.networks import Network
from tidegate.chain.nonces import NonceBook
from tidegate.chain.signing import Hand, SendingChain
from tidegate.chain.states import Event, State
from tidegate.chain.transactions import Tracked
from tidegate.chain.ways import OneWay, Ways
from tidegate.ledger import HaltBody, NonceBody
from tidegate.model import (
    Address,
    Denied,
    Divergence,
    Metric,
    NullRecorder,
    Reason,
    Receipt,
    Recorder,
    TransactionSigner,
    Unavailable,
)


class GapPolicy(StrEnum):
    """What is done about a nonce that nothing uses, below one that waits for it."""

    CANCEL = "cancel"
    ASK = "ask"


class SenderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may change of a sender. Times in seconds.

    ``gap_policy``: ``cancel`` uses an empty nonce up by a transfer of nothing, ``ask`` halts the key
    until a person looks; who lifts that halt has it cancelled.
    """

    open_max: int = 16
    replacements_max: int = 5
    stuck_after_blocks: int = 3
    sign_timeout_s: float = 2.0
    send_timeout_s: float = 6.0
    gap_policy: GapPolicy = GapPolicy.CANCEL


class SendingJournal(HaltJournal, Protocol):
    """The ledger, as far as a sender reads it."""

    def highest_nonces(self, chain_id: int, account: str) -> tuple[int | None, int | None]:
        """Return the highest nonce that was reserved, and that a block held."""
        ...


class Sender:
    """Gets work included, once, with one key on one chain.

    Parameters
    ----------
    signer
        Who signs; its address is the account whose nonces this sender owns.
    chain, journal, network
        Where it sends and asks, where it writes first, and what is particular about the chain.
    settings, recorder
        What an operator may change, and where figures go.
    ways
        How bytes leave; None is to the chain itself, as to a node of ours.

    Notes
    -----
    Safe to use from many tasks. ``start`` compares ledger and chain; the first reservation does so itself
    if nobody did.
    """

    def __init__(
        self,
        *,
        signer: TransactionSigner,
        chain: SendingChain,
        journal: SendingJournal,
        network: Network,
        settings: SenderSettings | None = None,
        recorder: Recorder | None = None,
        ways: Ways | None = None,
    ) -> None:
        self.settings = settings or SenderSettings()
        self.network = network
        self.account: Address = signer.address
        self._signer = signer
        self._chain = chain
        self._journal = journal
        self._recorder = recorder or NullRecorder()
        self._key = KeyHalt(journal, f"key:{network.chain_id}:{self.account}")
        self._hand = Hand(
            signer=signer,
            chain=chain,
            journal=journal,
            network=network,
            recorder=self._recorder,
            ways=ways or OneWay(chain.send_raw),
            replacements_max=self.settings.replacements_max,
            sign_timeout_s=self.settings.sign_timeout_s,
            send_timeout_s=self.settings.send_timeout_s,
        )
        self._follower = Follower(
            self._hand,
            chain,
            network,
            stuck_after_blocks=self.settings.stuck_after_blocks,
            on_foreign=lambda _, halt: self._key.note(halt),
        )
        self._nonces = NonceBook()
        self._open: dict[int, Tracked] = {}
        self._gaps: dict[int, Tracked] = {}
        self._is_new_world = False
        self._reserving = asyncio.Lock()
        self._following = asyncio.Lock()

    @property
    def capability_id(self) -> str:
        """Return the id of the capability that is signed under now: a renewal changes it."""
        return self._signer.capability_id

    @property
    def scope(self) -> str:
        """Return the scope of a halt of this key: ``key:CHAIN:ACCOUNT``."""
        return self._key.scope

    @property
    def halt(self) -> HaltBody | None:
        """Return the halt in force, if there is one."""
        return self._key.body

    @property
    def open_count(self) -> int:
        """Return how many nonces are reserved and not used."""
        return len(self._open) + len(self._gaps)

    def expect_new_world(self) -> None:
        """Say that the chain began anew: a paper node that ended with its process.

        What the ledger knows of this key's nonces means nothing on it.
        """
        self._is_new_world = True

    async def start(self, found: Iterable[Tracked] = ()) -> None:
        """Compare the ledger with the chain's counts, and take up what an earlier process left.

        Parameters
        ----------
        found
            Every transaction of this key whose nonce is not used for good, as the ledger has it.

        Raises
        ------
        Divergence
            ``unknown_nonce`` if the chain has a transaction of this key that the ledger does not know, and
            that no person has explained. The key is halted by a record first; what is open is followed, and
            exits go on.
        Unavailable
            If the chain does not answer.
        """
        async with self._reserving:
            await self._start(list(found))

    async def sign(self, tracked: Tracked) -> None:
        """Reserve a nonce, if it has none, and have the content signed under it; both durable.

        Raises
        ------
        Denied
            If a stop, breaker, halt or the signer refuses, ``overloaded`` if as many are open as may be, or
            ``public_relay_forbidden`` if nobody could take the bytes by a route that their plan allows.
        Unavailable
            If the signer does not answer: it may have signed, so the nonce is used up by a cancel.
        """
        self._demand(tracked)
        async with self._reserving:
            if not self._nonces.is_open:
                await self._start([])
            self._demand(tracked)
            if tracked.nonce is None:
                await self._reserve(tracked)
            assert tracked.nonce is not None
            self._open[tracked.nonce] = tracked
            signature = await self._hand.sign(tracked)
        await self._hand.move_and_wait(tracked, Event.SIGN, signature)

    def ended(self, tracked: Tracked) -> bool:
        """Take note that its intent has ended; say whether there is anything left to follow.

        If no block held it, its nonce is given back, or used up by a cancel: given back only if nothing can
        have been signed under it and nothing stands above it.
        """
        if tracked.nonce is None or not tracked.leaves_a_gap:
            return tracked.included is not None
        self._open.pop(tracked.nonce, None)
        is_highest = self._nonces.is_open and tracked.nonce == self._nonces.next - 1
        if is_highest and not tracked.versions and not tracked.may_be_signed:
            self._nonces.release(tracked.nonce)
            return False
        self._gaps[tracked.nonce] = tracked
        return True

    async def send(self, tracked: Tracked) -> None:
        """Send what was signed just now.

        Raises
        ------
        Rejected
            If every endpoint refuses it for good. Its nonce is then used up by a cancel (``ended``).
        """
        await self._hand.send(tracked, is_first=True)

    async def follow(self, wanted: Sequence[Tracked]) -> list[Exception]:
        """Ask the chain once about each of ``wanted`` and about the gaps; act on what it says.

        Returns
        -------
        list of Exception
            What kept some from being asked about, as a divergence. Silence is none: it is asked again.
        """
        async with self._following:
            view = await self._follower.look()
            trouble = await self._follower.round(list(wanted), view)
            for one in wanted:
                if one.state is not State.DIVERGENT:
                    continue
                if self.halt is None:
                    await self._follower.find(one)
                else:
                    trouble.append(foreign_nonce(one, self.account))
            trouble += await self._fill_gaps(view)
            for one in wanted:
                if one.is_open and one.nonce is not None:
                    self._open[one.nonce] = one
                elif one.nonce is not None:
                    self._open.pop(one.nonce, None)
            self._measure()
            return trouble

    async def take_back(self, wanted: Sequence[Tracked]) -> None:
        """Cancel at the relays, at once, what a stop, breaker or guard forbids by now.

        Nothing is recorded: ``follow`` ends it at the next block, and asks the relays again.

        Raises
        ------
        Unavailable
            If the chain does not say what its head is.
        """
        refused = [one for one in wanted if one.why_taken_back(0)]
        if refused:
            head = await self._chain.block()
            await asyncio.gather(*(self._hand.withdraw(one, head) for one in refused))

    async def receipt_of(self, tracked: Tracked) -> Receipt:
        """Return the receipt of the version that a block holds, with its logs.

        Raises
        ------
        Unavailable
            If the chain does not give it just now, as after a reorg that was not yet seen.
        """
        if tracked.receipt is None and tracked.included is not None:
            tracked.receipt = await self._chain.receipt(bytes.fromhex(tracked.included.hash[2:]))
        if tracked.receipt is None:
            raise Unavailable("the receipt is not there just now", code="receipt_missing")
        return tracked.receipt

    def gave_up(self, tracked: Tracked) -> bool:
        """Say whether its nonce went to bytes of others and a person has lifted the halt since."""
        return tracked.state is State.DIVERGENT and self.halt is None

    async def lift(self, *, who: str, why: str) -> None:
        """Lift the halt of this key, for a person; what the chain says of its nonces is then taken as true.

        The record says below which nonce that is, so that no later start halts the key for the same.

        Raises
        ------
        Unavailable
            If the chain does not answer, or was not compared with the ledger yet; the halt stays in force.
        """
        async with self._reserving:
            if not self._nonces.is_open:
                raise Unavailable("ledger and chain were not compared yet", code="not_started")
            if self.halt is None:
                return
            latest, pending = await self._counts()
            nonces = NonceBook()
            nonces.accept(latest=latest, pending=pending, held=(*self._open, *self._gaps))
            self._key.lift(who=who, why=why, explained_below=nonces.next)
            self._nonces = nonces

    async def _reserve(self, tracked: Tracked) -> None:
        most = self.settings.open_max
        if self.open_count >= most and not tracked.work.operation.is_exit:
            raise Denied(
                Reason.OVERLOADED,
                f"as many transactions of {self.account} are open as may be",
                found=str(self.open_count),
                allowed=f"fewer than {most}, or an exit",
                fix="wait until the chain has included some, or raise open_max",
            )
        nonce = self._nonces.reserve()
        tracked.may_be_signed = False
        try:
            body = NonceBody(nonce=nonce, account=self.account)
            await self._hand.move_and_wait(tracked, Event.RESERVE, body)
        except BaseException:
            self._nonces.release(nonce)
            raise

    def _demand(self, tracked: Tracked) -> None:
        """Refuse what a stop, breaker or halt forbids. A halt never blocks an exit."""
        refusal = tracked.refusal(tracked.work.operation)
        if refusal is not None:
            raise refusal
        halted = self._key.as_denied()
        if halted is not None and not tracked.work.operation.is_exit:
            raise halted
        self._hand.demand_way(tracked.work.sending)

    async def _start(self, found: list[Tracked]) -> None:
        self._key.recall()
        held = {one.nonce: one for one in found if one.nonce is not None and one.versions}
        waiting = {one.nonce: one for one in found if one.state is State.RESERVED and one.nonce is not None}
        gaps = {one.nonce: one for one in found if one.leaves_a_gap and one.nonce is not None}
        latest, pending = await self._counts()
        known = included = None
        if not self._is_new_world:
            known, included = self._journal.highest_nonces(self.network.chain_id, self.account)
            if self._key.explained_below:
                known = max(self._key.explained_below - 1, -1 if known is None else known)
        trouble: Divergence | None = None
        try:
            self._nonces.begin(
                latest=latest,
                pending=pending,
                held=(*held, *waiting),
                highest_known=known,
                highest_included=included,
                account=self.account,
            )
        except Divergence as error:
            if self.halt is None:
                self._key.halt(str(error))
                trouble = error
            self._nonces.accept(latest=latest, pending=pending, held=(*held, *waiting))
        self._open = {**waiting, **{nonce: one for nonce, one in held.items() if one.is_open}}
        self._gaps = {
            nonce: one
            for nonce, one in gaps.items()
            if nonce >= latest and nonce not in self._open and (one.versions or nonce < self._nonces.next)
        }
        for nonce in self._gaps:
            self._nonces.fill(nonce)
        if trouble is not None:
            raise trouble

    async def _fill_gaps(self, view: View) -> list[Exception]:
        """Use up, lowest first, the nonces that nothing uses and that something may wait for."""
        trouble: list[Exception] = []
        for nonce, tracked in sorted(self._gaps.items()):
            if not tracked.leaves_a_gap:  # its cancel was signed: it is followed like any other
                self._gaps.pop(nonce)
                continue
            if view.used > nonce:
                self._gaps.pop(nonce)
                self._key.halt(f"nonce {nonce} is used, and its bytes were never sent")
                trouble.append(foreign_nonce(tracked, self.account))
                continue
            try:
                await self._fill(tracked, view)
            except (Denied, Unavailable):
                continue
        return trouble

    async def _fill(self, tracked: Tracked, view: View) -> None:
        assert tracked.nonce is not None
        is_answered = tracked.nonce < self._key.explained_below
        if self.settings.gap_policy is GapPolicy.ASK and not is_answered:
            self._key.halt(f"nothing uses nonce {tracked.nonce}, and gap_policy is ask")
            return
        await self._hand.cancel(tracked, view.head, "nothing uses this nonce")

    async def _counts(self) -> tuple[int, int]:
        latest, pending = await asyncio.gather(
            self._chain.nonce(self.account), self._chain.nonce(self.account, "pending")
        )
        return latest, max(latest, pending)

    def _measure(self) -> None:
        self._recorder.set(
            Metric.NONCE_GAP,
            len(self._gaps) + len(self._nonces.gaps()),
            chain=str(self.network.chain_id),
            key=self.account,
        )
