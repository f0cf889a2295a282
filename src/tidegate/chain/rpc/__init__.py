"""The JSON-RPC pool: reads that survive bad nodes, writes that happen once.

One ``RpcPool`` per chain; ``RpcPool.reads`` gives ``ChainReads`` made with a policy, a priority and a
memory, ``RpcPool.send_raw`` hands signed bytes to every endpoint of a route. Whoever needs a chain takes
these, never a URL. URLs never show: an endpoint is ``name#tier (host hidden)``.
"""

from tidegate.chain.rpc.endpoint import Endpoint, Feature, Tier
from tidegate.chain.rpc.gateway import RpcGateway
from tidegate.chain.rpc.health import Cause, EndpointState
from tidegate.chain.rpc.pool import EndpointReport, PoolEvent, RpcPool
from tidegate.chain.rpc.subscription import HeadHint, Hint, LogHint, LogsFilter, Subscription
from tidegate.chain.rpc.terms import ANY, AnyEndpoint, Fresh, Keep, Policy, Priority, Quorum
from tidegate.model import Route

__all__ = [
    "ANY",
    "AnyEndpoint",
    "Cause",
    "Endpoint",
    "EndpointReport",
    "EndpointState",
    "Feature",
    "Fresh",
    "HeadHint",
    "Hint",
    "Keep",
    "LogHint",
    "LogsFilter",
    "Policy",
    "PoolEvent",
    "Priority",
    "Quorum",
    "Route",
    "RpcGateway",
    "RpcPool",
    "Subscription",
    "Tier",
]
