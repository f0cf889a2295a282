import tidegate.pipeline


def test_public_names() -> None:
    assert tidegate.pipeline.__all__ == [
        "STAGES",
        "THROW_AWAY",
        "BreakersPort",
        "ChainPort",
        "Desk",
        "Fate",
        "Judge",
        "NoBreakers",
        "NoStops",
        "NodeChain",
        "PlanReader",
        "Rehearsal",
        "Run",
        "StageRules",
        "StopsPort",
        "Street",
        "book",
        "drop_orphans",
        "read_run",
        "recover",
        "rules_of",
        "value_usd_e6",
    ]
