#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
"""
@title Stub lender
@license Apache-2.0
@notice Calls back as a Uniswap v3 pool does and neither lends nor counts: what a loan costs beside it is the
        borrower's own.
"""

DATA: constant(uint256) = 416


@external
def flash(recipient: address, amount0: uint256, amount1: uint256, data: Bytes[DATA]):
    """
    @notice Calls the caller back without a fee.
    @param recipient Ignored.
    @param amount0 Ignored.
    @param amount1 Ignored.
    @param data Handed back.
    """
    raw_call(
        msg.sender,
        abi_encode(
            empty(uint256), empty(uint256), data, method_id=method_id("uniswapV3FlashCallback(uint256,uint256,bytes)")
        ),
    )
