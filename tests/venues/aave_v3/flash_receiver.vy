# pragma version 0.4.3
"""
@title flash_receiver
@license Apache-2.0
@notice Takes a flash loan of Aave v3 and approves what it owes, or as much less as it was told.
"""

from ethereum.ercs import IERC20

interface Pool:
    def flashLoanSimple(receiver: address, asset: address, amount: uint256, params: Bytes[32], referral: uint16): nonpayable

POOL: immutable(address)
held_during: public(uint256)


@deploy
def __init__(pool: address):
    POOL = pool


@external
def borrow(asset: address, amount: uint256, short: uint256):
    """
    @notice Take a flash loan and stay `short` base units below what is owed.
    """
    extcall Pool(POOL).flashLoanSimple(self, asset, amount, abi_encode(short), 0)


@external
def executeOperation(
    asset: address, amount: uint256, premium: uint256, initiator: address, params: Bytes[32]
) -> bool:
    assert msg.sender == POOL, "flash_receiver: caller"
    assert initiator == self, "flash_receiver: initiator"
    self.held_during = staticcall IERC20(asset).balanceOf(self)
    short: uint256 = abi_decode(params, uint256)
    return extcall IERC20(asset).approve(POOL, amount + premium - short)
