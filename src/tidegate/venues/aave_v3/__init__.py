"""Aave v3 (3.0.x): a lending market. Pure adapter: states come in, calls go out."""

from tidegate.venues.aave_v3 import events
from tidegate.venues.aave_v3.deploy import AaveV3, ReserveTokens, deploy_aave_v3
from tidegate.venues.aave_v3.errors import ERROR_MEANINGS
from tidegate.venues.aave_v3.lend import AccountData, account_data, borrow, liquidate, supply
from tidegate.venues.aave_v3.reserves import (
    RateCurve,
    ReserveSettings,
    add_efficiency_category,
    set_flash_loans,
)

__all__ = [
    "ERROR_MEANINGS",
    "AaveV3",
    "AccountData",
    "RateCurve",
    "ReserveSettings",
    "ReserveTokens",
    "account_data",
    "add_efficiency_category",
    "borrow",
    "deploy_aave_v3",
    "events",
    "liquidate",
    "set_flash_loans",
    "supply",
]
