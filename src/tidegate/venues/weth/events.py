"""WETH9's own events. It emits ERC-20 transfers and approvals too, but none when it wraps or unwraps."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class Deposit(NamedTuple):
    """``recipient`` wrapped ``amount_wei``."""

    recipient: Address
    amount_wei: int


class Withdrawal(NamedTuple):
    """``owner`` unwrapped ``amount_wei``."""

    owner: Address
    amount_wei: int


DEPOSIT = EventDecoder(Deposit, "Deposit(address indexed recipient, uint256 amount_wei)")
WITHDRAWAL = EventDecoder(Withdrawal, "Withdrawal(address indexed owner, uint256 amount_wei)")
EVENTS = EventTable((DEPOSIT, WITHDRAWAL))
