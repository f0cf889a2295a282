"""The JSON-RPC pool: reads that survive bad nodes, writes that happen once.

One ``RpcPool`` per chain; ``RpcPool.reads`` gives ``ChainReads`` made with a policy, a priority and a
memory, ``RpcPool.send_raw`` hands signed bytes to every endpoint of a route. Whoever needs a chain takes
these, never a URL.
"""

from tidegate.chain.rpc.endpoint import Endpoint, Feature, Tier
from tidegate.chain.rpc.pool import RpcPool
from tidegate.chain.rpc.terms import ANY, AnyEndpoint, Fresh, Keep, Policy, Priority, Quorum, Route

__all__ = [
    "ANY",
    "AnyEndpoint",
    "Endpoint",
    "Feature",
    "Fresh",
    "Keep",
    "Policy",
    "Priority",
    "Quorum",
    "Route",
    "RpcPool",
    "Tier",
]
