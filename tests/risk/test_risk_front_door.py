"""The public names of the room."""

from __future__ import annotations

import tidegate.risk as room


def test_the_front_door() -> None:
    assert " ".join(room.__all__) == (
        "Breaker BreakerBook FirstOf InputBoard Inputs Level LimitBook LimitInputs LimitTable Masked Place "
        "Reading ResumeNote RunLimits Scope SteadyClock Stop StopBook StopFolder StopOrder chain_breakers "
        "desk_breakers drawdown_breaker drop_note drop_stop oracle_breaker read_stops release_failures "
        "restore_limits"
    )
    assert all(hasattr(room, name) for name in room.__all__)
    assert room.__doc__
