import tidegate.chain.heads as room


def test_public_names() -> None:
    assert " ".join(room.__all__) == (
        "Added BlockSource BlockState ChainHealth Change Confirmed Cursor CursorStore Finalised GapAlert "
        "HeadFollower Header JournalCursors LogFilter LogKey Mark MemoryCursors MinedLog NodeBlocks Progress "
        "RolledBack pass_on"
    )
    assert all(hasattr(room, name) for name in room.__all__)
