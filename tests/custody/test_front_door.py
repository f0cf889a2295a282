import subprocess
import sys

import pytest

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
        "RelayKey",
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


def test_every_public_name_is_there_when_it_is_asked_for() -> None:
    assert all(getattr(tidegate.custody, name) is not None for name in tidegate.custody.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Freezer'"):
        _ = tidegate.custody.Freezer


def test_a_freeze_loads_neither_keys_nor_chains_nor_their_libraries() -> None:
    """From the command to the freeze less than a second: what it does not need, it does not load."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, tidegate.custody.channel; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert not {"eth_account", "eth_abi", "aiohttp", "tidegate.chain", "tidegate.custody.core"} & loaded
