"""Which way out a run is given: relays where there are some, the node itself where nobody else reads it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tidegate.app.places import Place
from tidegate.app.running.sites import demand_builders, ways_of
from tidegate.app.runtime import Job
from tidegate.chain import NETWORKS, Network, devnet_network
from tidegate.chain.relays import RelayPlace
from tidegate.chain.rpc import Endpoint, RpcPool, Tier
from tidegate.desks.atomic import parse_strategy, template_text
from tidegate.model import ConfigError, Denied, Reason, Route, Sending

NOWHERE = "http://127.0.0.1:9"
RELAY = RelayPlace("first", NOWHERE)
PUBLIC, PRIVATE = Endpoint("node", NOWHERE), Endpoint("quiet", NOWHERE, tier=Tier.PRIVATE)
DEVNET = devnet_network(31337)


def place(network: Network, *endpoints: Endpoint, relays: tuple[RelayPlace, ...] = ()) -> Place:
    return Place("here", network, endpoints, None, None, relays)


def demanded(where: Place, folder: Path, *order: Route, allow_public: bool = False) -> bool | Reason:
    """Return whether a way was given, or why it leads nowhere. True is: the node itself."""

    async def ask() -> bool | Reason:
        async with ways_of(where, RpcPool(where.network, where.endpoints), folder / "relay.key") as ways:
            if ways is None:
                return True
            try:
                ways.demand(Sending(order, allow_public=allow_public))
            except Denied as refusal:
                return refusal.reason
            return False

    return asyncio.run(ask())


def test_a_devnet_of_nothing_but_its_node_is_sent_to_as_it_is(tmp_path: Path) -> None:
    assert demanded(place(DEVNET, PUBLIC), tmp_path, Route.PRIVATE) is True
    assert not (tmp_path / "relay.key").exists()


def test_a_devnet_with_a_relay_or_a_private_endpoint_is_treated_like_any_chain(tmp_path: Path) -> None:
    forbidden = Reason.PUBLIC_RELAY_FORBIDDEN
    assert demanded(place(DEVNET, PUBLIC, relays=(RELAY,)), tmp_path, Route.PRIVATE) is forbidden
    assert demanded(place(DEVNET, PUBLIC, relays=(RELAY,)), tmp_path, Route.BUNDLE) is False
    assert demanded(place(DEVNET, PUBLIC, PRIVATE), tmp_path, Route.PRIVATE) is False
    assert (tmp_path / "relay.key").exists()


@pytest.mark.parametrize("chain_id", [1, 42161])
def test_a_public_chain_never_falls_back_to_its_mempool_unasked(chain_id: int, tmp_path: Path) -> None:
    where = place(NETWORKS[chain_id], PUBLIC)
    forbidden = Reason.PUBLIC_RELAY_FORBIDDEN
    assert demanded(where, tmp_path, Route.BUNDLE, Route.PRIVATE) is forbidden
    assert demanded(where, tmp_path, Route.PUBLIC) is forbidden
    assert demanded(where, tmp_path, Route.PRIVATE, Route.PUBLIC, allow_public=True) is False


def test_the_sequencers_endpoint_of_a_rollup_is_a_private_one(tmp_path: Path) -> None:
    assert demanded(place(NETWORKS[42161], PUBLIC, PRIVATE), tmp_path, Route.PRIVATE) is False


def test_a_builder_that_is_no_relay_is_answered_with_the_nearest(tmp_path: Path) -> None:
    tables = {"devnet": {"WETH": 18, "USDC": 6, "ETH": 18, "DAI": 18, "WBTC": 8}}
    text = template_text("flash-arb") + "\nrelay: {order: [bundle], builders: [frist]}\n"
    job = Job(parse_strategy(text.encode(), "arb.yaml", tables))
    with pytest.raises(ConfigError) as caught:
        demand_builders(place(DEVNET, PUBLIC, relays=(RELAY,)), [job])
    assert (caught.value.found, caught.value.fix) == ("frist", "first?")
    assert caught.value.position is not None
    with pytest.raises(ConfigError, match="no relay of here"):
        demand_builders(place(DEVNET, PUBLIC), [job])
