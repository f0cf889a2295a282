"""Events of the Balancer v2 vault (``IVault``). Amounts in base units."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class FlashLoan(NamedTuple):
    """``recipient`` borrowed ``amount`` of ``token`` for the length of a call, and paid ``fee_amount``."""

    recipient: Address
    token: Address
    amount: int
    fee_amount: int


FLASH_LOAN = EventDecoder(
    FlashLoan,
    "FlashLoan(address indexed recipient, address indexed token, uint256 amount, uint256 fee_amount)",
)
EVENTS = EventTable((FLASH_LOAN,))
