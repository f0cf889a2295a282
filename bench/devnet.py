"""``tidegate bench devnet``: seconds to a devnet that answers a quote.

Every figure is the median of several starts, each ending with the same answered ``eth_call``: a quote of
Uniswap's QuoterV2. The peer is the bare node with the same state: ``anvil --load-state``.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tidegate.app.devnet import CachedDevnet, Devnet, build_devnet, cached_devnet, start_devnet
from tidegate.app.devnet.launch import take_ports
from tidegate.chain import Connection, encode_call, quantity
from tidegate.model import TidegateError
from tidegate.sim import ExactWorld, FastWorld, World, anvil_binary
from tidegate.venues.uniswap_v3 import quote_exact_in

_TIMES = 5
_POLL_S = 0.001


def run() -> dict[str, Any]:
    """Measure and return the figures."""
    cached = cached_devnet()
    cold_s = _median(_cold, times=3)
    cached_s = _median(_cached)
    peer_s = _median(lambda: _bare(cached))
    with start_devnet()[0] as origin:
        fork_s = _median(lambda: _fork(origin, cached.devnet))
    return {
        "name": "devnet",
        "peer": "bare anvil --load-state of the same file",
        "ratio": round(peer_s / cached_s, 3),
        "cold_s": round(cold_s, 4),
        "cached_s": round(cached_s, 4),
        "fork_s": round(fork_s, 4),
        "anvil_s": round(_median(_node_alone), 4),
        "fast_s": round(_median(_fast), 4),
        "peer_s": round(peer_s, 4),
    }


def _median(start: Callable[[], AbstractContextManager[None]], *, times: int = _TIMES) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        with start():
            taken.append(time.perf_counter() - began)  # stopping it again is not counted
    return statistics.median(taken)


def _ask(world: World, devnet: Devnet) -> None:
    if not quote_exact_in(world, devnet.uniswap_v3, devnet.weth, devnet.token("USDC"), 10**18, fee=500):
        raise AssertionError("a devnet that quotes nothing does not answer")


@contextmanager
def _cold() -> Iterator[None]:
    with ExactWorld() as world:
        _ask(world, build_devnet(world))
        yield


@contextmanager
def _cached() -> Iterator[None]:
    world, devnet = start_devnet()
    with world:
        _ask(world, devnet)
        yield


@contextmanager
def _fast() -> Iterator[None]:
    world = FastWorld()
    _ask(world, build_devnet(world))
    yield


@contextmanager
def _node_alone() -> Iterator[None]:
    with ExactWorld() as world:
        world.block()
        yield


@contextmanager
def _fork(origin: ExactWorld, devnet: Devnet) -> Iterator[None]:
    with ExactWorld(fork_url=origin.url, fork_block=origin.block().number) as world:
        _ask(world, devnet)
        yield


@contextmanager
def _bare(cached: CachedDevnet) -> Iterator[None]:
    (port,) = take_ports(1, None)
    devnet = cached.devnet
    quote = {
        "to": devnet.uniswap_v3.quoter,
        "data": "0x"
        + encode_call(
            "quoteExactInputSingle((address,address,uint256,uint24,uint160))",
            (devnet.weth, devnet.token("USDC"), 10**18, 500, 0),
        ).hex(),
    }
    command = [str(anvil_binary()), "--port", str(port), "--load-state", str(cached.state_file), "--silent"]
    process = subprocess.Popen(command)
    node = Connection(f"http://127.0.0.1:{port}")
    try:
        while True:
            try:
                node.request("eth_call", quote, quantity(cached.height))
                break
            except TidegateError:
                if process.poll() is not None:
                    raise
                time.sleep(_POLL_S)
        yield
    finally:
        node.close()
        process.terminate()
        process.wait()
