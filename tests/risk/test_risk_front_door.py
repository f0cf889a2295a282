"""The public names of the room."""

from __future__ import annotations

import tidegate.risk as room


def test_the_front_door() -> None:
    assert sorted(room.__all__) == ["LimitBook", "RunLimits"]
    assert all(hasattr(room, name) for name in room.__all__)
    assert room.__doc__
