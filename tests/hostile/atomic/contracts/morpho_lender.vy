#pragma version 0.4.3
"""
@title A lender by the interface of Morpho Blue
@license Apache-2.0
"""

import lending

initializes: lending
exports: lending.__interface__


@deploy
def __init__(token0: address, token1: address):
    lending.__init__(token0, token1)


@external
def flashLoan(token: address, assets: uint256, data: Bytes[lending.PROGRAM]):
    lending.lend(lending.MORPHO_BLUE, msg.sender, token, assets, 0, data)
