"""Devnets: the protocols' own bytecode, deployed and seeded in a world of ours.

``build_devnet`` puts everything that a ``DevnetSpec`` names into any world, the same in each;
``start_devnet`` gives a node that holds it, from the cache. Called by the command line, the demo,
benchmarks and tests.
"""

from tidegate.app.devnet.accounts import ACCOUNTS, devnet_address, devnet_handle, devnet_key
from tidegate.app.devnet.book import address_book
from tidegate.app.devnet.build import build_devnet
from tidegate.app.devnet.cache import CachedDevnet, cached_devnet, start_devnet
from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.export import export_chains, with_abis_as_text
from tidegate.app.devnet.govern import act_as_owner, change_executor
from tidegate.app.devnet.nodes import (
    NodeStatus,
    node_records,
    node_states,
    node_status,
    start_nodes,
    stop_nodes,
)
from tidegate.app.devnet.plans import DEFAULT_CHAINS, ChainPlan, parse_chains
from tidegate.app.devnet.records import NodeRecord, read_book, read_devnet
from tidegate.app.devnet.spec import (
    BorrowerSpec,
    DevnetSpec,
    PairSpec,
    PoolSpec,
    RangeSpec,
    ReserveSpec,
    TokenSpec,
)
from tidegate.app.devnet.toml import to_toml

__all__ = [
    "ACCOUNTS",
    "DEFAULT_CHAINS",
    "BorrowerSpec",
    "CachedDevnet",
    "ChainPlan",
    "Devnet",
    "DevnetSpec",
    "NodeRecord",
    "NodeStatus",
    "PairSpec",
    "PoolSpec",
    "RangeSpec",
    "ReserveSpec",
    "TokenSpec",
    "act_as_owner",
    "address_book",
    "build_devnet",
    "cached_devnet",
    "change_executor",
    "devnet_address",
    "devnet_handle",
    "devnet_key",
    "export_chains",
    "node_records",
    "node_states",
    "node_status",
    "parse_chains",
    "read_book",
    "read_devnet",
    "start_devnet",
    "start_nodes",
    "stop_nodes",
    "to_toml",
    "with_abis_as_text",
]
