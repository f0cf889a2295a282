#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
#pragma nonreentrancy off
"""
@title Guard lens
@license Apache-2.0
@author Tidegate contributors
@notice Views that a program's guards READ: one word each, or a revert where the source can not be trusted.
@dev Holds no state and no power; anyone may deploy one. A READ that reverts ends the run with `StepFailed`.
"""


interface Feed:
    def latestRoundData() -> (uint80, int256, uint256, uint256, uint80): view


interface UniswapV3Pool:
    def slot0() -> (uint160, int24, uint16, uint16, uint16, uint8, bool): view
    def observe(seconds_ago: DynArray[uint32, 2]) -> (DynArray[int56, 2], DynArray[uint160, 2]): view


interface AaveV3Pool:
    def getUserAccountData(user: address) -> (uint256, uint256, uint256, uint256, uint256, uint256): view


@external
@view
def chainlink(feed: address, max_age_s: uint256) -> uint256:
    """
    @notice The newest answer of a price feed, if it is one and fresh.
    @param feed A Chainlink aggregator or its proxy.
    @param max_age_s The oldest answer to accept, in seconds: the feed's own heartbeat and some slack.
    @return The answer in the feed's decimals, above zero.
    """
    answer: int256 = 0
    updated_at: uint256 = 0
    _id: uint80 = 0
    _started_at: uint256 = 0
    _answered_in: uint80 = 0
    _id, answer, _started_at, updated_at, _answered_in = staticcall Feed(feed).latestRoundData()
    assert answer > 0, "lens: answer not positive"
    assert updated_at != 0, "lens: round not complete"
    assert updated_at <= block.timestamp, "lens: answer from the future"
    # updated_at is not in the future
    assert unsafe_sub(block.timestamp, updated_at) <= max_age_s, "lens: answer too old"
    return convert(answer, uint256)


@external
@view
def sequencer_up(feed: address, grace_s: uint256) -> bool:
    """
    @notice Whether a layer 2's sequencer has been up for longer than a grace time.
    @param feed A Chainlink sequencer uptime feed: answer 0 is up, 1 is down, startedAt is since when.
    @param grace_s How long after a restart prices are still distrusted, in seconds.
    @return False while it is down, within the grace time, or where the feed has no round yet.
    """
    answer: int256 = 0
    started_at: uint256 = 0
    _id: uint80 = 0
    _updated_at: uint256 = 0
    _answered_in: uint80 = 0
    _id, answer, started_at, _updated_at, _answered_in = staticcall Feed(feed).latestRoundData()
    if answer != 0 or started_at == 0 or started_at > block.timestamp:
        return False
    # started_at is not in the future
    return unsafe_sub(block.timestamp, started_at) > grace_s


@external
@view
def tick_gap(pool: address, window_s: uint32) -> uint256:
    """
    @notice How far a Uniswap v3 pool's price now is from its mean over a window. A tick is about 1 bp.
    @dev The mean rounds toward minus infinity, as the pool's own ticks do.
    @param pool The pool; it reverts where its observations do not reach back so far.
    @param window_s Seconds of the mean, above zero.
    @return Ticks between the two, without sign.
    """
    assert window_s != 0, "lens: no window"
    tick: int24 = 0
    _price: uint160 = 0
    _index: uint16 = 0
    _cardinality: uint16 = 0
    _next: uint16 = 0
    _protocol_fee: uint8 = 0
    _unlocked: bool = False
    _price, tick, _index, _cardinality, _next, _protocol_fee, _unlocked = staticcall UniswapV3Pool(pool).slot0()
    ticks: DynArray[int56, 2] = []
    _seconds_per_liquidity: DynArray[uint160, 2] = []
    ticks, _seconds_per_liquidity = staticcall UniswapV3Pool(pool).observe([window_s, 0])
    gap: int256 = convert(tick, int256) - self._mean_tick(
        convert(ticks[0], int256), convert(ticks[1], int256), convert(window_s, int256)
    )
    return convert(abs(gap), uint256)


@external
@view
def health_factor(pool: address, user: address) -> uint256:
    """
    @notice An account's health factor on Aave v3.
    @param pool The Aave pool.
    @param user The account: for a program's guard, its executor.
    @return 1e18 times the factor; 2**256 - 1 without debt.
    """
    _collateral: uint256 = 0
    _debt: uint256 = 0
    _available: uint256 = 0
    _threshold: uint256 = 0
    _ltv: uint256 = 0
    factor: uint256 = 0
    _collateral, _debt, _available, _threshold, _ltv, factor = staticcall AaveV3Pool(pool).getUserAccountData(user)
    return factor


@internal
@pure
def _mean_tick(before: int256, now: int256, window_s: int256) -> int256:
    """
    @dev (now - before) / window toward minus infinity; Vyper's own division goes toward zero.
    """
    moved: int256 = now - before
    mean: int256 = moved // window_s
    if moved < 0 and moved % window_s != 0:
        mean -= 1
    return mean
