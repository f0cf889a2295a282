import tidegate.sim


def test_public_names() -> None:
    assert " ".join(tidegate.sim.__all__) == (
        "CONTRACTS NOT_ON_TAPE AccountState Artifact Artifacts AttachedWorld Build ExactWorld FastWorld "
        "Fault FaultProxy Manner Measured PinnedWorld PinnedWorlds RelayDouble Tape TapeBlock TapeRecorder "
        "TapeWorld TapeWorlds World WorldReverted WorldState anvil_binary build_block cache_dir "
        "checkout_root compile_contract state_digest"
    )
    assert all(hasattr(tidegate.sim, name) for name in tidegate.sim.__all__)
