import tidegate.custody


def test_public_names() -> None:
    assert tidegate.custody.__all__ == ["ThrowAwayKey"]
