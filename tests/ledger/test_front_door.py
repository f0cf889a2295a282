from __future__ import annotations

import tidegate.ledger as room


def test_exported_names() -> None:
    assert room.__all__ == [
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


def test_every_name_is_there_and_described() -> None:
    for name in room.__all__:
        value = getattr(room, name)
        assert value.__doc__, name


def test_every_body_names_another_kind() -> None:
    bodies = [
        value for value in vars(room).values() if isinstance(value, type) and issubclass(value, room.Body)
    ]
    kinds = [body.KIND for body in bodies if body not in (room.Body, room.StandingBody)]
    assert len(kinds) == len(set(kinds)) >= 14
