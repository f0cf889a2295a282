import tidegate.custody


def test_public_names() -> None:
    assert tidegate.custody.__all__ == [
        "Confinement",
        "Door",
        "Issuer",
        "IssuerKind",
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
        "inherited",
        "listen",
    ]
