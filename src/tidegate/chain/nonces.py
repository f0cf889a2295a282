"""Nonces of one key on one chain: who may reserve them, and which comes next.

A nonce has one owner at a time. The lease that says so is a record in the ledger, and a lock of the
operating system that dies with its holder, so that a second process is refused by name and a dead one's
lease is taken without a guess.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

from tidegate.ledger import Body, LeaseBody, Record
from tidegate.model import Address, Divergence, RecordKind, Unavailable

ACTOR = "sender"


class Appends(Protocol):
    """What is written to. ``ledger.Journal`` is one."""

    def append(self, kind: RecordKind, body: Body, *, actor: str, correlation_id: str = "") -> Record:
        """Append one record; kinds that something acts on are on disk when this returns."""
        ...

    async def append_and_wait(
        self, kind: RecordKind, body: Body, *, actor: str, correlation_id: str = ""
    ) -> Record:
        """Do the same, and let other tasks go on while it is brought to disk."""
        ...


class KeyLease:
    """The right to use up nonces of one key on one chain, until ``release`` or the end of the process."""

    def __init__(self, descriptor: int, journal: Appends, body: LeaseBody) -> None:
        self._descriptor = descriptor
        self._journal = journal
        self.body = body

    @classmethod
    def take(cls, folder: Path, journal: Appends, *, chain_id: int, account: Address) -> Self:
        """Take the lease and write who holds it, durably.

        Parameters
        ----------
        folder
            Where the locks of all processes lie that may come to use this key.

        Raises
        ------
        Unavailable
            ``key_leased`` if another holder lives, in this process or another, with its name; or if the
            folder can not be written.
        """
        path = folder / f"{chain_id}-{account.lower()}.lease"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(
                f"{folder} can not hold the lease of a key",
                found=str(error),
                fix="name another TIDEGATE_HOME",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 4_096, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise Unavailable(
                f"the nonces of {account} on chain {chain_id} have an owner already",
                code="key_leased",
                found=holder or "a process that has not yet written its name",
                allowed="one owner for a key on a chain",
                fix="stop that process, or give this one a key of its own",
            ) from error
        holder = f"pid {os.getpid()} on {socket.gethostname()}"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder}\n".encode(), 0)
        lease = cls(descriptor, journal, LeaseBody(chain_id=chain_id, account=account, holder=holder))
        try:
            journal.append(RecordKind.LEASE, lease.body, actor=ACTOR)
        except BaseException:
            lease._unlock()
            raise
        return lease

    def release(self) -> None:
        """Write that the key is free and let go of it. Doing so twice is harmless."""
        if self._descriptor < 0:
            return
        try:
            ended = LeaseBody(
                chain_id=self.body.chain_id,
                account=self.body.account,
                holder=self.body.holder,
                released=True,
            )
            self._journal.append(RecordKind.LEASE, ended, actor=ACTOR)
        finally:
            self._unlock()

    def _unlock(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


class NonceBook:
    """Which nonce comes next, and which below it are free again. Knows no chain: it is told.

    A freed nonce is given away again before a new one: a hole is never left while there is something
    to put in it.
    """

    def __init__(self) -> None:
        self._next: int | None = None
        self._free: set[int] = set()

    @property
    def is_open(self) -> bool:
        """Say whether ``begin`` was called."""
        return self._next is not None

    @property
    def next(self) -> int:
        """Return the lowest nonce that was never reserved."""
        assert self._next is not None
        return self._next

    def begin(
        self,
        *,
        latest: int,
        pending: int,
        held: Iterable[int],
        highest_known: int | None,
        highest_included: int | None,
        account: Address,
    ) -> None:
        """Compare the ledger with the chain, and begin.

        Parameters
        ----------
        latest, pending
            The account's transaction counts: included, and with what waits in the mempool.
        held
            Nonces of the transactions that are still followed.
        highest_known
            The highest nonce that the ledger ever saw reserved; None if it knows of none.
        highest_included
            The highest that it saw in a block.

        Raises
        ------
        Unavailable
            ``nonce_behind`` if the chain does not know of a nonce whose use was final: an endpoint lags.
        Divergence
            ``unknown_nonce`` if the chain has a transaction under a nonce that we never reserved.
        """
        ours = set(held)
        if highest_included is not None and latest <= highest_included and highest_included not in ours:
            raise Unavailable(
                f"the chain is behind the ledger about {account}",
                code="nonce_behind",
                found=f"{latest} included",
                allowed=f"at least {highest_included + 1}: so many were final",
                fix="wait until the endpoint has caught up, or ask another",
            )
        known = max((*ours, *(() if highest_known is None else (highest_known,))), default=None)
        # A key that the ledger never saw may have a past, but nothing of it may still wait.
        beyond = latest if known is None else known + 1
        if max(latest, pending) > beyond:
            raise Divergence(
                f"{account} has a transaction that we did not make",
                code="unknown_nonce",
                found=f"{latest} included, {pending} with what waits",
                allowed=f"{beyond}: what the ledger knows of",
                fix="find out who else holds this key and rotate it; if it was you, resume the key by name",
            )
        self.accept(latest=latest, pending=pending, held=ours)

    def accept(self, *, latest: int, pending: int, held: Iterable[int]) -> None:
        """Begin with what the chain says; whoever asks has found it in order, or a person has.

        What waits in the mempool has its nonce, whoever made it: none below ``pending`` is given away.
        """
        ours = set(held)
        self._next = max(latest, pending, *(nonce + 1 for nonce in ours), 0)
        self._free = {nonce for nonce in range(pending, self._next) if nonce not in ours}

    def reserve(self) -> int:
        """Take the lowest nonce that is free."""
        if self._free:
            nonce = min(self._free)
            self._free.discard(nonce)
            return nonce
        nonce = self.next
        self._next = nonce + 1
        return nonce

    def release(self, nonce: int) -> None:
        """Give back a nonce under which nothing can have been signed."""
        self._free.add(nonce)
        self._trim()

    def gaps(self) -> tuple[int, ...]:
        """Return the free nonces below one that is reserved: what stands above them waits."""
        return tuple(sorted(self._free))

    def fill(self, nonce: int) -> None:
        """Note that something else than a reservation takes a free nonce."""
        self._free.discard(nonce)

    def _trim(self) -> None:
        while self._next is not None and self._next - 1 in self._free:
            self._next -= 1
            self._free.discard(self._next)
