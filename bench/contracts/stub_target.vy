#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
"""
@title Stub target
@license Apache-2.0
@notice The cheapest callee that answers: what a step costs beside it is the caller's own.
"""

ONE: constant(Bytes[32]) = x"0000000000000000000000000000000000000000000000000000000000000001"


@external
@payable
@raw_return
def __default__() -> Bytes[32]:
    """
    @notice Answers every call alike.
    @return The word 1.
    """
    return ONE
