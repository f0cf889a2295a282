"""The breakers that ship. Each is data; a desk adds its own of the same kind.

``docs/reference/breakers.md`` is generated from here.
"""

from __future__ import annotations

from tidegate.chain import Network
from tidegate.model import Operation
from tidegate.risk.breakers.breaker import OPENING, Breaker, Level
from tidegate.risk.breakers.inputs import CONSECUTIVE_FAILURES, FAILED_SHARE_BPS, LOSS_USED_BPS

DRAWDOWN_BPS = "drawdown_bps"
REORG_DEPTH = "reorg_depth_blocks"
BASE_FEE_WEI = "base_fee_wei"
ORACLE_AGE_S = "oracle_age_s"
RPC_DIVERGENCES = "rpc_divergences_per_minute"

_PERIOD_S = 5
"""They are evaluated each second and with each block; fifteen seconds of silence trip them."""
_NOTHING: frozenset[Operation] = frozenset()


def desk_breakers(desk: str) -> tuple[Breaker, ...]:
    """Return the breakers of a desk whose measures the book of limits has: losses and failures."""
    scope = f"desk:{desk}"
    return (
        Breaker(
            name="loss",
            scope=scope,
            input=LOSS_USED_BPS,
            levels=(Level(5_000, _NOTHING), Level(8_000, OPENING), Level(10_000, OPENING)),
            clear=(4_000, 7_000, 8_000),
            min_hold_s=600,
            cooldown_s=60,
            max_input_age_s=10,
            period_s=_PERIOD_S,
            latched_from=3,
            blind_latch_s=60,
        ),
        Breaker(
            name="failed_share",
            scope=scope,
            input=FAILED_SHARE_BPS,
            levels=(Level(501),),
            clear=300,
            min_hold_s=600,
            cooldown_s=60,
            max_input_age_s=10,
            period_s=_PERIOD_S,
        ),
        Breaker(
            name="consecutive_failures",
            scope=scope,
            input=CONSECUTIVE_FAILURES,
            levels=(Level(3, _NOTHING), Level(5)),
            clear=1,
            min_hold_s=0,
            cooldown_s=0,
            max_input_age_s=10,
            period_s=_PERIOD_S,
            latched_from=2,
            blind_latch_s=60,
        ),
    )


def drawdown_breaker(desk: str) -> Breaker:
    """Return the breaker of a desk that knows its own value: how far that lies below its peak."""
    return Breaker(
        name="drawdown",
        scope=f"desk:{desk}",
        input=DRAWDOWN_BPS,
        levels=(Level(500, _NOTHING), Level(1_000), Level(1_500)),
        clear=(400, 900, 1_400),
        min_hold_s=600,
        cooldown_s=60,
        max_input_age_s=10,
        period_s=_PERIOD_S,
        latched_from=3,
        blind_latch_s=60,
    )


def chain_breakers(network: Network) -> tuple[Breaker, ...]:
    """Return the breakers of a chain: reorgs, base fee, endpoints that disagree.

    Measures come with each block; after three blocks, at least a minute, without one the chain is blind.
    """
    scope, age_s = f"chain:{network.chain_id}", max(60, round(3 * network.block_time_s))
    confirmations = max(1, network.confirmations)
    return (
        Breaker(
            name="reorg_depth",
            scope=scope,
            input=REORG_DEPTH,
            levels=(Level(confirmations), Level(max(network.reorg_max_blocks, confirmations) + 1)),
            clear=1,
            min_hold_s=300,
            cooldown_s=0,
            max_input_age_s=age_s,
            period_s=_PERIOD_S,
            latched_from=2,
            blind_latch_s=3_600,
        ),
        Breaker(
            name="base_fee",
            scope=scope,
            input=BASE_FEE_WEI,
            levels=(Level(network.fee_cap_wei),),
            clear=network.fee_cap_wei * 8 // 10,
            min_hold_s=60,
            cooldown_s=60,
            max_input_age_s=age_s,
            period_s=_PERIOD_S,
        ),
        Breaker(
            name="rpc_divergence",
            scope=scope,
            input=RPC_DIVERGENCES,
            levels=(Level(1), Level(3)),
            clear=1,
            min_hold_s=60,
            cooldown_s=0,
            max_input_age_s=age_s,
            period_s=_PERIOD_S,
            latched_from=2,
            blind_latch_s=3_600,
        ),
    )


def oracle_breaker(scope: str, *, heartbeat_s: int) -> Breaker:
    """Return the breaker of a price feed: older than its heartbeat and a tenth is stale."""
    stale_s = heartbeat_s + heartbeat_s // 10
    return Breaker(
        name="oracle_age",
        scope=scope,
        input=ORACLE_AGE_S,
        levels=(Level(stale_s + 1),),
        clear=heartbeat_s,
        min_hold_s=60,
        cooldown_s=60,
        max_input_age_s=60,
        period_s=_PERIOD_S,
    )
