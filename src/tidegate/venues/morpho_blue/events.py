"""Events of Morpho Blue (``EventsLib``). Amounts in base units."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class FlashLoan(NamedTuple):
    """``caller`` borrowed ``assets`` of ``token`` for the length of a call, for nothing."""

    caller: Address
    token: Address
    assets: int


FLASH_LOAN = EventDecoder(
    FlashLoan, "FlashLoan(address indexed caller, address indexed token, uint256 assets)"
)
EVENTS = EventTable((FLASH_LOAN,))
