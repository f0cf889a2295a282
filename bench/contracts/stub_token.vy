#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
"""
@title Stub token
@license Apache-2.0
@notice Answers as a token does and keeps no state: what an approval or a line costs beside it is the executor's own.
"""


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @notice The same for everyone, always.
    @param account Ignored.
    @return One token of 18 decimals.
    """
    return 10**18


@external
@view
def allowance(holder: address, spender: address) -> uint256:
    """
    @notice As after a spender that took all it was allowed.
    @param holder Ignored.
    @param spender Ignored.
    @return Zero.
    """
    return 0


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Agrees.
    @param spender Ignored.
    @param amount Ignored.
    @return True.
    """
    return True


@external
def transfer(recipient: address, amount: uint256) -> bool:
    """
    @notice Agrees.
    @param recipient Ignored.
    @param amount Ignored.
    @return True.
    """
    return True
