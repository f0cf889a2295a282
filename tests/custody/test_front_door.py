import tidegate.custody


def test_public_names() -> None:
    assert tidegate.custody.__all__ == [
        "Capability",
        "Confinement",
        "Door",
        "Issuer",
        "IssuerKind",
        "Order",
        "OrderKind",
        "Purpose",
        "SignerClient",
        "SignerConnection",
        "SignerCore",
        "SignerRules",
        "SignerServer",
        "ThrowAwayKey",
        "WitnessService",
        "WitnessView",
        "WitnessedChain",
        "check_rate",
        "confine",
        "denied",
        "devnet_capability",
        "executor_terms",
        "inherited",
        "listen",
        "sign_capability",
        "sign_order",
    ]
