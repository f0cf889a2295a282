"""What is open at a demo's end, at the prices of its last block."""

from __future__ import annotations

from typing import Any

from tidegate.app.runtime import Ground
from tidegate.model import mul_div_down, mul_div_up
from tidegate.venues.aave_v3 import account_data

_E8_IN_E6 = 100


def open_positions(ground: Ground) -> list[dict[str, Any]]:
    """Return the executor's position at Aave, if there is one, in millionths of a dollar.

    What it holds is rounded down, what it owes up: a position is never shown as worth more than it is.
    """
    found = account_data(ground.world, ground.devnet.aave_v3, ground.devnet.executor)
    if not (found.collateral_usd_e8 or found.debt_usd_e8):
        return []
    collateral_usd_e6 = mul_div_down(found.collateral_usd_e8, 1, _E8_IN_E6)
    debt_usd_e6 = mul_div_up(found.debt_usd_e8, 1, _E8_IN_E6)
    return [
        {
            "venue": "aave_v3",
            "collateral_usd_e6": collateral_usd_e6,
            "debt_usd_e6": debt_usd_e6,
            "value_usd_e6": collateral_usd_e6 - debt_usd_e6,
        }
    ]
