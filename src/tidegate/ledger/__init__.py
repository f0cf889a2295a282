"""The append-only, hash-chained journal and what is read out of it.

Invariants: a record, once appended, is never changed or removed; each carries the hash of the
one before it; one process writes, any number read; a record that something irreversible follows
is on disk first. Projections (attempts, PnL) are folds of the journal and hold nothing more.

Who may call: the pipeline and the composition root write; every room above may read. What
the street's records carry is defined once, in the bodies below.
"""

from tidegate.ledger.attempts import Attempt
from tidegate.ledger.backup import LEDGER, FileDigest, Manifest, back_up, read_backup
from tidegate.ledger.bodies import (
    AuthorisationBody,
    BookingBody,
    BoundsBody,
    DecisionBody,
    Delta,
    GuardsBody,
    IntentBody,
    Margin,
    MarketBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    RecoveryBody,
    SentBody,
    SignatureBody,
    SimulationBody,
)
from tidegate.ledger.body import Body, StandingBody
from tidegate.ledger.entry import Entry
from tidegate.ledger.executors import (
    AddressesCheckedBody,
    AdministrationBody,
    CheckedAddress,
    ExecutorStateBody,
    ScheduledChange,
)
from tidegate.ledger.explaining import explain
from tidegate.ledger.journal import Journal
from tidegate.ledger.judgements import JudgementBody
from tidegate.ledger.migrate import Migration, migrate
from tidegate.ledger.outputs import whole_or_nothing
from tidegate.ledger.place import Place, place_of
from tidegate.ledger.positions import Position
from tidegate.ledger.profit import ProfitLine
from tidegate.ledger.reader import JournalReader
from tidegate.ledger.rebuild import RebuildReport, rebuild
from tidegate.ledger.reconcile import (
    BalanceReads,
    ConfirmedBlock,
    Holding,
    Reconciler,
    compare,
)
from tidegate.ledger.records import GENESIS_HASH, Record, chain_hash
from tidegate.ledger.restore import Restored, restore
from tidegate.ledger.safety import (
    BreakerBody,
    DrillBody,
    Held,
    LimitsBody,
    MarkBody,
    ResumeBody,
    StopBody,
    Used,
)
from tidegate.ledger.schema import SCHEMA_VERSION
from tidegate.ledger.sending import (
    AmbiguousBody,
    ConfirmedBody,
    ExpiringBody,
    FinalisedBody,
    ReplacedBody,
    ReplacementBody,
    WithdrawnBody,
)
from tidegate.ledger.signals import SignalBody
from tidegate.ledger.states import (
    BlockMark,
    Counted,
    CursorBody,
    EndpointBody,
    HaltBody,
    LeaseBody,
    ReconciliationBody,
    Standing,
)
from tidegate.ledger.verify import VerifyReport

__all__ = [
    "GENESIS_HASH",
    "LEDGER",
    "SCHEMA_VERSION",
    "AddressesCheckedBody",
    "AdministrationBody",
    "AmbiguousBody",
    "Attempt",
    "AuthorisationBody",
    "BalanceReads",
    "BlockMark",
    "Body",
    "BookingBody",
    "BoundsBody",
    "BreakerBody",
    "CheckedAddress",
    "ConfirmedBlock",
    "ConfirmedBody",
    "Counted",
    "CursorBody",
    "DecisionBody",
    "Delta",
    "DrillBody",
    "EndpointBody",
    "Entry",
    "ExecutorStateBody",
    "ExpiringBody",
    "FileDigest",
    "FinalisedBody",
    "GuardsBody",
    "HaltBody",
    "Held",
    "Holding",
    "IntentBody",
    "Journal",
    "JournalReader",
    "JudgementBody",
    "LeaseBody",
    "LimitsBody",
    "Manifest",
    "Margin",
    "MarkBody",
    "MarketBody",
    "Migration",
    "NonceBody",
    "OutcomeBody",
    "Place",
    "PlanBody",
    "Position",
    "ProfitLine",
    "RebuildReport",
    "ReceiptBody",
    "Reconciler",
    "ReconciliationBody",
    "Record",
    "RecoveryBody",
    "ReplacedBody",
    "ReplacementBody",
    "Restored",
    "ResumeBody",
    "ScheduledChange",
    "SentBody",
    "SignalBody",
    "SignatureBody",
    "SimulationBody",
    "Standing",
    "StandingBody",
    "StopBody",
    "Used",
    "VerifyReport",
    "WithdrawnBody",
    "back_up",
    "chain_hash",
    "compare",
    "explain",
    "migrate",
    "place_of",
    "read_backup",
    "rebuild",
    "restore",
    "whole_or_nothing",
]
