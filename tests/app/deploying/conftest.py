"""A devnet on a real node, as a place whose book is a file of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.deploying import Order
from tidegate.app.devnet import Devnet, address_book, start_devnet
from tidegate.app.places import Place
from tidegate.chain import Network, devnet_network
from tidegate.chain.rpc import Endpoint, RpcPool
from tidegate.model import Address
from tidegate.sim import ExactWorld
from tidegate.venues.executor import Construction

DAY_S = 86_400


@dataclass(frozen=True)
class Ground:
    """A node with a devnet; ``home`` is the project's own folder."""

    world: ExactWorld
    devnet: Devnet
    place: Place
    home: Path

    def run(self, work: Callable[[RpcPool], Awaitable[Any]], network: Network | None = None) -> Any:
        """Run something over a pool of the node."""
        place = self.place if network is None else replace(self.place, network=network)

        async def inside() -> Any:
            async with place.pool() as pool:
                return await work(pool)

        return asyncio.run(inside())

    def account(self, name: str) -> Address:
        return self.devnet.accounts[name]

    def construction(self, **changes: Any) -> Construction:
        fields = {
            "owner": self.devnet.owner_safe.address,
            "treasury": self.account("treasury"),
            "weth": self.devnet.weth,
            "delay_s": 0,
            "guardians": (self.account("guardian"),),
            **changes,
        }
        return Construction(**fields)

    def order(self, *names: str, **changes: Any) -> Order:
        return Order(
            chain="devnet",
            desk="atomic",
            names=names or ("main2", "backup2"),
            deployer=self.account("deployer"),
            construction=self.construction(**changes),
        )


@pytest.fixture(scope="session")
def _started() -> Iterator[tuple[ExactWorld, Devnet, Place]]:
    world, devnet = start_devnet(block_time_s=1)
    with world:
        world.set_mining("auto")
        network = devnet_network(world.chain_id, block_time_s=1)
        endpoint = Endpoint(name="devnet", url=world.url, operator="us")
        yield world, devnet, Place("devnet", network, (endpoint,), address_book(devnet, world))


@pytest.fixture
def ground(_started: tuple[ExactWorld, Devnet, Place], tmp_path: Path) -> Iterator[Ground]:
    world, devnet, place = _started
    recorded = tmp_path / "addresses" / "devnet.toml"
    with world.snapshot():
        yield Ground(world, devnet, replace(place, recorded=recorded), tmp_path)
        world.set_mining("auto")
