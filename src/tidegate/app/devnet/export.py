"""What a user's own scripts need of devnets that are up: URLs, addresses, ABIs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.records import NodeRecord
from tidegate.chain import Abi
from tidegate.sim import Artifacts, compile_contract
from tidegate.venues import AddressBook

_ARTIFACTS = {
    "weth.weth9": "WETH9",
    "uniswap_v2.factory": "UniswapV2Factory",
    "uniswap_v2.router": "UniswapV2Router02",
    "uniswap_v2.pair": "UniswapV2Pair",
    "uniswap_v3.factory": "UniswapV3Factory",
    "uniswap_v3.router": "SwapRouter",
    "uniswap_v3.router02": "SwapRouter02",
    "uniswap_v3.quoter": "QuoterV2",
    "uniswap_v3.position_manager": "NonfungiblePositionManager",
    "uniswap_v3.tick_lens": "TickLens",
    "uniswap_v3.pool": "UniswapV3Pool",
    "aave_v3.pool": "Pool",
    "aave_v3.provider": "PoolAddressesProvider",
    "aave_v3.configurator": "PoolConfigurator",
    "aave_v3.oracle": "AaveOracle",
    "aave_v3.data_provider": "AaveProtocolDataProvider",
    "aave_v3.acl_manager": "ACLManager",
    "morpho_blue.morpho": "Morpho",
    "balancer_v2.vault": "Vault",
    "balancer_v2.authorizer": "Authorizer",
    "balancer_v2.pool_factory": "WeightedPoolFactory",
    "safe.singleton": "Safe",
    "safe.owner": "Safe",
    "safe.proxy_factory": "SafeProxyFactory",
    "safe.fallback_handler": "CompatibilityFallbackHandler",
    "safe.multi_send_call_only": "MultiSendCallOnly",
}
_BUILDS = {
    "feed": "price_feed",
    "executor": "atomic_executor",
    "guard_lens": "guard_lens",
    "erc3156.lender": "erc3156_lender",
}
_TOKEN = "test_token"  # noqa: S105  the name of a contract


def export_chains(
    chains: Iterable[tuple[NodeRecord, Devnet, AddressBook]], artifacts: Artifacts
) -> dict[str, Any]:
    """Return, by chain, its URL, accounts and address book, and beside them the ABIs by contract.

    Each token and contract names its ABI.
    """
    listed: dict[str, Any] = {}
    used: set[str] = set()
    for record, devnet, written in chains:
        book = written.as_mapping()
        for symbol, token in book["tokens"].items():
            token["abi"] = "WETH9" if symbol == "WETH" else _TOKEN
        for name, contract in book["contracts"].items():
            if (abi := _abi_name(name)) is not None:
                contract["abi"] = abi
        named = [*book["tokens"].values(), *book["contracts"].values()]
        used |= {item["abi"] for item in named if "abi" in item}
        listed[record.chain] = {
            "chain_id": record.chain_id,
            "rpc_url": record.url,
            "block_time_ms": round(record.block_time_s * 1_000),
            "accounts": devnet.accounts,
            "tokens": book["tokens"],
            "contracts": book["contracts"],
        }
    return {"chains": listed, "abis": {name: _abi(name, artifacts) for name in sorted(used)}}


def with_abis_as_text(exported: dict[str, Any]) -> dict[str, Any]:
    """Return the same with each ABI as JSON text, for forms that have no list of mappings."""
    abis = {
        name: json.dumps(abi, separators=(",", ":"), default=list) for name, abi in exported["abis"].items()
    }
    return {**exported, "abis": abis}


def _abi_name(name: str) -> str | None:
    name = re.sub(r"^aave_v3\.prime\.", "aave_v3.", name)
    kind = re.sub(r"^(uniswap_v2\.pair|uniswap_v3\.pool|feed|executor)\..*", r"\1", name)
    return _ARTIFACTS.get(kind) or _BUILDS.get(kind)


def _abi(name: str, artifacts: Artifacts) -> Abi:
    return artifacts[name].abi if name in artifacts else compile_contract(name).abi
