"""What stands: cursors, leases, halts, reconciliations; and what is read back of anything that stands.

Examples
--------
>>> body = HaltBody(scope="chain:10", who="heads", detail="a reorg of 70 blocks")
>>> body.TOPIC, body.names, body.stands
('halt', ('chain:10',), True)
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from tidegate.ledger.body import StandingBody
from tidegate.ledger.book import book_of
from tidegate.ledger.executors import AddressesCheckedBody, ExecutorStateBody
from tidegate.ledger.safety import BreakerBody, MarkBody, ResumeBody, StopBody
from tidegate.ledger.signals import SignalBody
from tidegate.model import Address, RecordKind, Stage


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under a name, and the record that says so. ``body`` as it was journaled."""

    topic: str
    name: str
    seq: int
    at_ms: int
    kind: RecordKind
    body: dict[str, Any]


class BlockMark(msgspec.Struct, frozen=True, array_like=True):
    """A block that was handed out: number, hash, and the indices of its logs as runs (first, last)."""

    number: int
    hash: str
    log_runs: tuple[tuple[int, int], ...] = ()


class CursorBody(StandingBody, frozen=True, kw_only=True):
    """A ``cursor``: where one follower (``stream``) of a chain stands, written before it hands out.

    The batch takes back the blocks ``withdrawn`` and then adds blocks ``first`` to ``number``, of which
    ``added`` holds the newest: those that a reorg may still reach. ``hash`` is that of block
    ``number``, ``parent_hash`` that of block ``first - 1``. Hashes here are bare hex.
    """

    KIND: ClassVar[RecordKind] = RecordKind.CURSOR
    TOPIC: ClassVar[str] = "cursor"

    chain_id: int
    stream: str
    first: int
    number: int
    hash: str
    parent_hash: str
    withdrawn: tuple[BlockMark, ...] = ()
    added: tuple[BlockMark, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return ``chain:stream``: a follower stands at one place."""
        return (f"{self.chain_id}:{self.stream}",)


class LeaseBody(StandingBody, frozen=True, kw_only=True):
    """Who owns a key on a chain (``lease``), until ``released``."""

    KIND: ClassVar[RecordKind] = RecordKind.LEASE
    TOPIC: ClassVar[str] = "lease"

    chain_id: int
    account: Address
    holder: str
    released: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return ``chain:account``."""
        return (f"{self.chain_id}:{self.account}",)

    @property
    def stands(self) -> bool:
        """Say whether the key is still owned."""
        return not self.released


class HaltBody(StandingBody, frozen=True, kw_only=True):
    """A divergence halted a key, a chain or a desk (``halt``); a person lifts it.

    ``scope`` is ``key:CHAIN:ACCOUNT``, ``chain:ID`` or ``desk:NAME``; ``who`` and ``detail`` say by whom
    and why, for the halt as for its lifting. Whoever lifts the halt of a key has explained what the chain
    says of every nonce below ``explained_below``, whoever used it.
    """

    KIND: ClassVar[RecordKind] = RecordKind.HALT
    TOPIC: ClassVar[str] = "halt"

    scope: str
    who: str
    detail: str
    lifted: bool = False
    explained_below: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return the scope: it is halted or it is not."""
        return (self.scope,)

    @property
    def stands(self) -> bool:
        """Say whether the halt is in force."""
        return not self.lifted


class EndpointBody(StandingBody, frozen=True, kw_only=True):
    """An endpoint of a chain at which a person must look (``endpoint``), or that a person let go.

    ``chain`` is the chain's name in the configuration, ``state`` where the endpoint stands now, ``cause``
    what led there; ``who`` is the person who let it go, and ``detail`` then says why. Never a URL.
    """

    KIND: ClassVar[RecordKind] = RecordKind.ENDPOINT
    TOPIC: ClassVar[str] = "endpoint"
    QUARANTINED: ClassVar[str] = "quarantined"

    chain: str
    chain_id: int
    endpoint: str
    state: str
    cause: str
    detail: str
    who: str = ""

    @property
    def name(self) -> str:
        """Return ``chain.endpoint``, as an operator names it."""
        return f"{self.chain}.{self.endpoint}"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the one name: an endpoint stands in quarantine or it does not."""
        return (self.name,)

    @property
    def stands(self) -> bool:
        """Say whether it is in quarantine: other states end by themselves."""
        return self.state == self.QUARANTINED


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """What an account holds of a token: in the books and on the chain, base units at one block."""

    account: Address
    token: Address
    symbol: str
    decimals: int
    booked: int
    found: int

    @property
    def difference(self) -> int:
        """Return how much more the chain has than the books."""
        return self.found - self.booked


class ReconciliationBody(StandingBody, frozen=True, kw_only=True):
    """Our books against the chain's at a confirmed block (``reconciliation``).

    ========== ========================================================================================
    verdict    what it does to the books
    ========== ========================================================================================
    opened     the accounts are counted for the first time: what the chain has is where the books begin
    equal      nothing
    different  nothing; nobody trades until it is explained
    explained  the differences of the record at ``explains`` are taken into the books, by a person
    ========== ========================================================================================
    """

    KIND: ClassVar[RecordKind] = RecordKind.RECONCILIATION
    TOPIC: ClassVar[str] = "reconciliation"

    stage: Stage
    desk: str
    chain_id: int
    block_number: int
    block_hash: str
    verdict: str
    counted: tuple[Counted, ...]
    explains: int = 0
    explanation: str = ""
    person: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return ``book:desk:chain``: books are reconciled for one desk on one chain."""
        return (f"{book_of(self.stage)}:{self.desk}:{self.chain_id}",)

    @property
    def changes_books(self) -> bool:
        """Say whether the differences are taken into the books."""
        return self.verdict in {"opened", "explained"}

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with each amount as decimal text."""
        body = super().to_body()
        body["counted"] = [
            [item.account, item.token, item.symbol, item.decimals, str(item.booked), str(item.found)]
            for item in self.counted
        ]
        return body


STANDING_BODIES: tuple[type[StandingBody], ...] = (
    AddressesCheckedBody,
    BreakerBody,
    CursorBody,
    EndpointBody,
    ExecutorStateBody,
    HaltBody,
    LeaseBody,
    MarkBody,
    ReconciliationBody,
    ResumeBody,
    SignalBody,
    StopBody,
)
"""Every body that is kept in ``standing``: the tables must be the same for all who open a ledger."""
