"""The process behind one URL: blocking readers read through a pool, and never see an endpoint's own URL."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tidegate.app.gateway import reads_gateway
from tidegate.chain import Connection, address, devnet_network
from tidegate.chain.rpc import Endpoint
from tidegate.model import Rejected, Unavailable
from tidegate.sim import ExactWorld, PinnedWorlds

NETWORK = devnet_network(31_337)
READER = address(0xCAFE)
READS_SLOT_0 = bytes.fromhex("5f545f5260205ff3")
NOBODY = Endpoint("gone", "http://127.0.0.1:9", operator="nobody")


@pytest.fixture
def world():
    with ExactWorld() as world:
        world.set_code(READER, READS_SLOT_0)
        world.set_storage(READER, 0, 7)
        world.mine()
        yield world


def test_a_fast_world_and_a_fork_read_through_the_pool_while_an_endpoint_is_dead(world):
    with reads_gateway(NETWORK, [NOBODY, Endpoint("alive", world.url, operator="us")]) as url:
        assert world.url not in url
        worlds = PinnedWorlds(url)
        assert int.from_bytes(worlds.at().call(READER)) == 7
        worlds.close()
        with ExactWorld(fork_url=url) as fork:
            assert int.from_bytes(fork.call(READER)) == 7


def test_it_serves_reads_alone(world):
    with reads_gateway(NETWORK, [Endpoint("alive", world.url)]) as url:
        gateway = Connection(url)
        for method, params in (("eth_sendRawTransaction", ["0x00"]), ("anvil_mine", [])):
            with pytest.raises(Rejected):
                gateway.request(method, *params)
        gateway.close()


def test_it_says_why_it_can_not_start_and_shows_no_url():
    hidden = Endpoint("hidden", "http://127.0.0.1:9/secret-key-in-a-path")
    with pytest.raises(Unavailable) as caught, reads_gateway(NETWORK, [hidden]):
        raise AssertionError("there is nothing to read from")
    assert "no endpoint" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_url_stands_in_the_command_line_or_environment_of_its_process(world):
    before = set(Path("/proc").iterdir())
    with reads_gateway(NETWORK, [Endpoint("alive", world.url + "/?key=secret-key")]):
        looked = 0
        for process in set(Path("/proc").iterdir()) - before:
            for name in ("cmdline", "environ"):
                try:
                    content = (process / name).read_bytes()
                except OSError:
                    continue  # it ended, or is no process of ours
                assert b"secret-key" not in content
                looked += b"tidegate.app.gateway" in content
        assert looked, "its own command line was among them"


def test_it_ends_with_its_parent_however_that_ended(world):
    code = (
        "import sys, os, time\n"
        "from tidegate.app.gateway import reads_gateway\n"
        "from tidegate.chain import devnet_network\n"
        "from tidegate.chain.rpc import Endpoint\n"
        "gateway = reads_gateway(devnet_network(31337), [Endpoint('alive', sys.argv[1])])\n"
        "print(gateway.__enter__(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, world.url], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9
    url = done.stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    gone_by = time.monotonic() + 60
    while time.monotonic() < gone_by:
        gateway = Connection(url)
        try:
            gateway.request("eth_chainId")
        except Unavailable:
            return
        finally:
            gateway.close()
    raise AssertionError("the gateway outlived its parent")
