"""Balancer v2: pools whose tokens lie in one vault, which lends them for the length of a call.

Pure adapter: states come in, calls go out.
"""

from tidegate.venues.balancer_v2 import events
from tidegate.venues.balancer_v2.deploy import BalancerPool, BalancerV2, create_pool, deploy_balancer_v2
from tidegate.venues.balancer_v2.errors import ERROR_MEANINGS
from tidegate.venues.balancer_v2.lend import join_pool, set_flash_fee, set_paused

__all__ = [
    "ERROR_MEANINGS",
    "BalancerPool",
    "BalancerV2",
    "create_pool",
    "deploy_balancer_v2",
    "events",
    "join_pool",
    "set_flash_fee",
    "set_paused",
]
