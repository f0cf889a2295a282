"""Events of an Aave v3 pool (``IPool``). Amounts in base units, rates and indices in ray (1e27)."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class Supply(NamedTuple):
    """``user`` supplied; ``on_behalf_of`` got the aTokens."""

    reserve: Address
    user: Address
    on_behalf_of: Address
    amount: int
    referral_code: int


class Borrow(NamedTuple):
    """``user`` got the amount, ``on_behalf_of`` the debt. Rate mode 1 is stable, 2 variable."""

    reserve: Address
    user: Address
    on_behalf_of: Address
    amount: int
    interest_rate_mode: int
    borrow_rate: int
    referral_code: int


class Repay(NamedTuple):
    """``repayer`` paid debt of ``user``, with aTokens or the token itself."""

    reserve: Address
    user: Address
    repayer: Address
    amount: int
    use_atokens: bool


class Withdraw(NamedTuple):
    """``user`` gave aTokens back; ``recipient`` got the amount."""

    reserve: Address
    user: Address
    recipient: Address
    amount: int


class LiquidationCall(NamedTuple):
    """``liquidator`` paid ``debt_to_cover`` of ``user`` and got the collateral."""

    collateral_asset: Address
    debt_asset: Address
    user: Address
    debt_to_cover: int
    liquidated_collateral_amount: int
    liquidator: Address
    receive_atoken: bool


class ReserveDataUpdated(NamedTuple):
    """A reserve's rates and indices after a change."""

    reserve: Address
    liquidity_rate: int
    stable_borrow_rate: int
    variable_borrow_rate: int
    liquidity_index: int
    variable_borrow_index: int


SUPPLY = EventDecoder(
    Supply,
    "Supply(address indexed reserve, address user, address indexed on_behalf_of, uint256 amount, "
    "uint16 indexed referral_code)",
)
BORROW = EventDecoder(
    Borrow,
    "Borrow(address indexed reserve, address user, address indexed on_behalf_of, uint256 amount, "
    "uint8 interest_rate_mode, uint256 borrow_rate, uint16 indexed referral_code)",
)
REPAY = EventDecoder(
    Repay,
    "Repay(address indexed reserve, address indexed user, address indexed repayer, uint256 amount, "
    "bool use_atokens)",
)
WITHDRAW = EventDecoder(
    Withdraw,
    "Withdraw(address indexed reserve, address indexed user, address indexed recipient, uint256 amount)",
)
LIQUIDATION_CALL = EventDecoder(
    LiquidationCall,
    "LiquidationCall(address indexed collateral_asset, address indexed debt_asset, address indexed user, "
    "uint256 debt_to_cover, uint256 liquidated_collateral_amount, address liquidator, bool receive_atoken)",
)
RESERVE_DATA_UPDATED = EventDecoder(
    ReserveDataUpdated,
    "ReserveDataUpdated(address indexed reserve, uint256 liquidity_rate, uint256 stable_borrow_rate, "
    "uint256 variable_borrow_rate, uint256 liquidity_index, uint256 variable_borrow_index)",
)
EVENTS = EventTable((SUPPLY, BORROW, REPAY, WITHDRAW, LIQUIDATION_CALL, RESERVE_DATA_UPDATED))
