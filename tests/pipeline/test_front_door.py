import tidegate.pipeline


def test_public_names() -> None:
    assert tidegate.pipeline.__all__ == [
        "MAY_DIFFER",
        "STAGES",
        "THROW_AWAY",
        "BreakersPort",
        "ChainPort",
        "Desk",
        "Difference",
        "Fate",
        "HaltBook",
        "Judge",
        "NodeChain",
        "Permission",
        "PlanReader",
        "Refusing",
        "Rehearsal",
        "Run",
        "StageRules",
        "StopsPort",
        "Street",
        "StreetSettings",
        "book",
        "drop_orphans",
        "journal_differences",
        "read_run",
        "recover",
        "rules_of",
        "value_usd_e6",
    ]
