#pragma version 0.4.3
"""
@title A lender by the interfaces of Aave v3, ERC-3156 and Uniswap v3
@license Apache-2.0
"""

import lending

initializes: lending
exports: lending.__interface__


@deploy
def __init__(token0: address, token1: address):
    lending.__init__(token0, token1)


@external
def flashLoanSimple(
    receiver: address, asset: address, amount: uint256, params: Bytes[lending.PROGRAM], referral: uint16
):
    lending.lend(lending.AAVE_V3, receiver, asset, amount, 0, params)


@external
def flashLoan(receiver: address, token: address, amount: uint256, data: Bytes[lending.PROGRAM]) -> bool:
    lending.lend(lending.ERC_3156, receiver, token, amount, 0, data)
    return True


@external
def flash(recipient: address, amount0: uint256, amount1: uint256, data: Bytes[lending.PROGRAM]):
    if amount1 != 0:
        lending.lend(lending.UNISWAP_V3, recipient, lending.token1, amount1, 1, data)
    else:
        lending.lend(lending.UNISWAP_V3, recipient, lending.token0, amount0, 0, data)
