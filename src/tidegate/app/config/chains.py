"""A chain of the configuration with what the network registry knows of it."""

from __future__ import annotations

from typing import Any

import msgspec

from tidegate.app.config.schema import ChainConfig
from tidegate.chain import NETWORKS, Network, NetworkKind, devnet_network
from tidegate.model import ConfigError

_OVERRIDES = ("block_time_s", "confirmations", "fee_cap_wei", "priority_cap_wei", "clock_skew_max_s")


def network_of(name: str, chain: ChainConfig) -> Network:
    """Return the registry's entry for a chain, with the figures that the file gives instead.

    Raises
    ------
    ConfigError
        If the file gives a public network another kind, or does not say the kind of an unknown one.
    """
    given: dict[str, Any] = {
        field: getattr(chain, field) for field in _OVERRIDES if getattr(chain, field) is not None
    }
    known = NETWORKS.get(chain.chain_id)
    if known is not None:
        if chain.kind is not None and chain.kind is not known.kind:
            raise ConfigError(
                f"chain {chain.chain_id} is {known.name}, a {known.kind.value}",
                code="config_value",
                found=f"chains.{name}.kind = {chain.kind.value}",
                allowed=known.kind.value,
                fix="leave kind out: a public network's kind can not be chosen",
            )
        return msgspec.structs.replace(known, **given)
    if chain.kind is NetworkKind.DEVNET:
        return msgspec.structs.replace(devnet_network(chain.chain_id, name=name), **given)
    if chain.kind is None or "block_time_s" not in given or "confirmations" not in given:
        raise ConfigError(
            f"the registry does not know chain {chain.chain_id}",
            code="config_value",
            found=f"chains.{name} without kind, block_time_s or confirmations",
            allowed="all three for a chain that the registry does not know",
            fix=f"add them under [chains.{name}]",
        )
    return Network(chain_id=chain.chain_id, name=name, kind=chain.kind, **given)


def demand_relays(name: str, chain: ChainConfig) -> None:
    """Refuse relays where nobody takes bundles, and two of one name.

    Raises
    ------
    ConfigError
        With the chain, and what is allowed.
    """
    names = [relay.name for relay in chain.relays]
    if twice := [one for one in names if names.count(one) > 1]:
        raise ConfigError(f"two relays of {name} have one name", found=twice[0], allowed="names of their own")
    network = network_of(name, chain)
    if names and not network.has_builders:
        raise ConfigError(
            f"no builder takes bundles on {network.name}",
            code="config_value",
            found=f"chains.{name}.relays",
            allowed="relays on ethereum, sepolia and devnets; on a rollup the sequencer orders what comes",
            fix="name the sequencer's own URL as an endpoint of tier private",
        )
