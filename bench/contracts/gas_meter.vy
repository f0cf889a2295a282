#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
"""
@title Gas meter
@license Apache-2.0
@notice Makes the same call twice in one transaction and says what the second cost: all that it touches is warm.
"""

CALL_DATA: constant(uint256) = 8192


@external
@payable
def second(target: address, data: Bytes[CALL_DATA]) -> uint256:
    """
    @notice Calls twice.
    @param target Whom to call.
    @param data What to send.
    @return The gas that the second call took, the call itself included.
    """
    raw_call(target, data)
    before: uint256 = msg.gas
    raw_call(target, data)
    return before - msg.gas
