#pragma version 0.4.3
"""
@title What the guard lens reads, with answers that a test chooses
@license Apache-2.0
@notice A pool's slot0 and observe, and Aave's account data.
"""

spot: public(int24)
cumulatives: public(int56[2])
factor: public(uint256)


@external
def set_ticks(spot: int24, before: int56, now: int56):
    self.spot = spot
    self.cumulatives = [before, now]


@external
def set_factor(factor: uint256):
    self.factor = factor


@external
@view
def slot0() -> (uint160, int24, uint16, uint16, uint16, uint8, bool):
    return 2**96, self.spot, 0, 1, 1, 0, True


@external
@view
def observe(seconds_ago: DynArray[uint32, 2]) -> (DynArray[int56, 2], DynArray[uint160, 2]):
    assert seconds_ago[1] == 0, "not until now"
    return [self.cumulatives[0], self.cumulatives[1]], [0, 0]


@external
@view
def getUserAccountData(user: address) -> (uint256, uint256, uint256, uint256, uint256, uint256):
    return 1, 2, 3, 4, 5, self.factor
