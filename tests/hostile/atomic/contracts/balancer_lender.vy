#pragma version 0.4.3
"""
@title A lender by the interface of Balancer v2
@license Apache-2.0
"""

import lending

initializes: lending
exports: lending.__interface__


@deploy
def __init__(token0: address, token1: address):
    lending.__init__(token0, token1)


@external
def flashLoan(
    recipient: address, tokens: DynArray[address, 1], amounts: DynArray[uint256, 1], userData: Bytes[lending.PROGRAM]
):
    lending.lend(lending.BALANCER_V2, recipient, tokens[0], amounts[0], 0, userData)
