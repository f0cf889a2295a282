"""What is written down about executors and addresses: their state, changes of it, and what was looked at."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tidegate.ledger.body import Body, StandingBody
from tidegate.model import Address, RecordKind


class ScheduledChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits on chain: its id, what it says, and until when it can be cancelled."""

    id: str
    text: str
    eta_s: int
    lapses_at_s: int
    announced: bool


class ExecutorStateBody(StandingBody, frozen=True, kw_only=True):
    """An executor as it was read at a block; the newest of each stands.

    Attributes
    ----------
    entries
        Everything in force as (kind, key, word), key and word in hex: enough to restore it elsewhere.
    differences
        Where its events and its own views differ. Empty when all is well.
    events, events_digest
        How many events of administration there were, and their digest: what follows is new.
    """

    KIND: ClassVar[RecordKind] = RecordKind.EXECUTOR_STATE
    TOPIC: ClassVar[str] = "executor"

    chain_id: int
    executor: Address
    name: str
    owner: Address
    pending_owner: Address
    treasury: Address
    delay_s: int
    is_paused: bool
    code_hash: str
    entries: tuple[tuple[int, str, str], ...]
    scheduled: tuple[ScheduledChange, ...]
    differences: tuple[str, ...]
    at_block: int
    events: int
    events_digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return chain and executor: each has one newest state."""
        return (f"{self.chain_id}:{self.executor}",)


class AdministrationBody(Body, frozen=True, kw_only=True):
    """One event by which an executor's administration changed. Not ``announced`` is an alert."""

    KIND: ClassVar[RecordKind] = RecordKind.ADMINISTRATION

    chain_id: int
    executor: Address
    name: str
    what: str
    detail: str
    announced: bool
    at_block: int


class CheckedAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a book and what came of looking at it."""

    name: str
    address: Address
    verdict: str
    code_hash: str


class AddressesCheckedBody(StandingBody, frozen=True, kw_only=True):
    """A look at every address of a chain's book; the newest of each chain stands."""

    KIND: ClassVar[RecordKind] = RecordKind.ADDRESSES_CHECKED
    TOPIC: ClassVar[str] = "addresses"

    chain_id: int
    chain: str
    at_block: int
    addresses: tuple[CheckedAddress, ...]
    confirmed: tuple[str, ...] = ()
    by: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the chain: each has one newest look."""
        return (str(self.chain_id),)
