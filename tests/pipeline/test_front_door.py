import tidegate.pipeline


def test_public_names() -> None:
    assert tidegate.pipeline.__all__ == [
        "STAGES",
        "THROW_AWAY",
        "ChainPort",
        "Desk",
        "Fate",
        "NodeChain",
        "PlanReader",
        "Rehearsal",
        "Run",
        "StageRules",
        "Street",
        "drop_orphans",
        "read_run",
        "recover",
        "rules_of",
        "value_usd_e6",
    ]
