"""A street over the fakes, and what its journal says."""

from tests.pipeline.fakes import FakeChain, FakeDesk

from tidegate.chain import Sender, devnet_network
from tidegate.custody import ThrowAwayKey
from tidegate.ledger import Journal
from tidegate.model import (
    RecordKind,
    Stage,
)
from tidegate.pipeline import Street
from tidegate.risk import RunLimits

WHOLE_STREET = [
    RecordKind.INTENT,
    RecordKind.LIMITS,
    RecordKind.PLAN,
    RecordKind.GUARDS,
    RecordKind.SIMULATION,
    RecordKind.BOUNDS,
    RecordKind.AUTHORISATION,
    RecordKind.NONCE,
    RecordKind.SIGNATURE,
    RecordKind.SENT,
    RecordKind.RECEIPT,
    RecordKind.GUARDS,
    RecordKind.BOOKING,
    RecordKind.OUTCOME,
]


def street_of(journal: Journal, chain: FakeChain, desk: FakeDesk, **limits: int) -> Street:
    key = key_of_tests()
    sender = Sender(signer=key, chain=chain, journal=journal, network=devnet_network(31337))
    return Street(
        stage=Stage.PAPER,
        desk=desk,
        chain=chain,
        sender=sender,
        journal=journal,
        limits={"strategy": RunLimits(**limits)},
    )


def kinds(journal: Journal, name: str = "one") -> list[RecordKind]:
    return [record.kind for record in journal.records(correlation_id=name)]


def key_of_tests() -> ThrowAwayKey:
    return ThrowAwayKey("street test", stage=Stage.PAPER, chain_ids=frozenset({31337}))
