"""The two events that every ERC-20 token emits (EIP-20). An ERC-721 token's have a topic more."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class Transfer(NamedTuple):
    """``value`` base units moved; from the zero address they were made, to it destroyed."""

    sender: Address
    recipient: Address
    value: int


class Approval(NamedTuple):
    """``spender`` may now move ``value`` base units of ``owner``."""

    owner: Address
    spender: Address
    value: int


TRANSFER = EventDecoder(
    Transfer, "Transfer(address indexed sender, address indexed recipient, uint256 value)"
)
APPROVAL = EventDecoder(Approval, "Approval(address indexed owner, address indexed spender, uint256 value)")
EVENTS = EventTable((TRANSFER, APPROVAL))
