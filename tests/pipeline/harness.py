"""A street over the fakes, and what its journal says."""

from collections.abc import Sequence

from tests.pipeline.fakes import FakeChain, FakeDesk

from tidegate.chain import Network, Sender, devnet_network
from tidegate.custody import ThrowAwayKey
from tidegate.ledger import Journal
from tidegate.model import Recorder, RecordKind, Stage, TransactionSigner
from tidegate.pipeline import BreakersPort, StopsPort, Street, StreetSettings
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


def street_of(
    journal: Journal,
    chain: FakeChain,
    desk: FakeDesk,
    *,
    signer: TransactionSigner | None = None,
    network: Network | None = None,
    recorder: Recorder | None = None,
    stops: Sequence[StopsPort] = (),
    breakers: Sequence[BreakersPort] = (),
    settings: StreetSettings | None = None,
    **limits: int,
) -> Street:
    sender = Sender(
        signer=signer or key_of_tests(),
        chain=chain,
        journal=journal,
        network=network or devnet_network(31337),
        recorder=recorder,
    )
    return Street(
        stage=Stage.PAPER,
        desk=desk,
        chain=chain,
        sender=sender,
        journal=journal,
        limits={"strategy": RunLimits(**limits)},
        stops=stops,
        breakers=breakers,
        settings=settings,
        recorder=recorder,
    )


def kinds(journal: Journal, name: str = "one") -> list[RecordKind]:
    return [record.kind for record in journal.records(correlation_id=name)]


def key_of_tests() -> ThrowAwayKey:
    return ThrowAwayKey("street test", stage=Stage.PAPER, chain_ids=frozenset({31337}))
