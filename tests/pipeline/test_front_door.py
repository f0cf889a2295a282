import tidegate.pipeline


def test_public_names() -> None:
    assert tidegate.pipeline.__all__ == [
        "STAGES",
        "THROW_AWAY",
        "BreakersPort",
        "ChainPort",
        "Desk",
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
        "read_run",
        "recover",
        "rules_of",
        "value_usd_e6",
    ]
