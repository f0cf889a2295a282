from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.chain.rpc.support import PATIENT

from tidegate.app.devnet import Devnet, address_book, start_devnet
from tidegate.app.places import Place
from tidegate.chain import devnet_network
from tidegate.chain.rpc import Endpoint
from tidegate.sim import ExactWorld


@dataclass(frozen=True)
class Ground:
    world: ExactWorld
    devnet: Devnet
    place: Place


@pytest.fixture(scope="module")
def started() -> Iterator[Ground]:
    world, devnet = start_devnet(block_time_s=1)
    with world:
        world.set_mining("auto")
        network = devnet_network(world.chain_id, block_time_s=1)
        endpoint = Endpoint(name="devnet", url=world.url, operator="us", **PATIENT)
        book = address_book(devnet, world)
        yield Ground(world, devnet, Place("devnet", network, (endpoint,), book))


@pytest.fixture
def ground(started: Ground) -> Iterator[Ground]:
    with started.world.snapshot():
        yield started
