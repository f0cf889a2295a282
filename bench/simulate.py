"""``tidegate bench simulate``: simulations of a whole flash arbitrage a second.

One calldata, from one sender, on one block: a loan from Aave, a swap on Uniswap v2, one on v3, back
again and the bounds, in the executor's own bytecode. It is run by the fast world (ours), by the bare
engine inside it with the least that keeps its state clean (the peer), and by sequential ``eth_call`` on
the exact world that the block comes from: through a pool of this one node (``eth_call_s``), and
through one blocking kept-alive connection, which is the least that HTTP can cost from Python
(``eth_call_blocking_s``). The executor's ``simulate`` is measured too: it always reverts, so it also
pays for reading revert data out of the engine's text.

The size search of the shipped v2/v3 arbitrage stands beside it: how many simulations it takes on a
devnet whose market has moved, and how long (``search_simulations``, ``search_ms``).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.arbitrage import flash_arbitrage
from tidegate.app.devnet.tables import token_tables
from tidegate.app.paper import PaperMarket, prepare_market
from tidegate.app.runtime import Job, devnet_ground
from tidegate.chain import Connection, call_parameter, devnet_network, quantity
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.desks.atomic import parse_strategy, search_size, template_text
from tidegate.model import Address, Block
from tidegate.sim import ExactWorld, FastWorld, PinnedWorlds, WorldReverted

_ROUNDS = 21  # short ones: what else the machine does then falls on all contestants of a round
_CALLS = 60
_FRESH_BLOCKS = 5


@dataclass(frozen=True)
class Case:
    """What is simulated: calldata that succeeds, and calldata that reports by reverting."""

    to: Address
    sender: Address
    execute: bytes
    simulate: bytes


def run(
    build: Callable[[ExactWorld], tuple[Address, Address, bytes, bytes]] = flash_arbitrage,
    *,
    rounds: int = _ROUNDS,
    calls: int = _CALLS,
) -> dict[str, Any]:
    """Return the figures.

    Parameters
    ----------
    build
        Puts everything into a new exact world and returns (to, sender, execute, simulate).
    """
    with ExactWorld() as exact, Connection(exact.url) as connection:
        case = Case(*build(exact))
        block = exact.block()
        worlds = PinnedWorlds(exact.url)
        first_ms = _first_ms(worlds, case, block)
        pinned = worlds.at(block)
        loaded = FastWorld(chain_id=exact.chain_id, block=block)
        loaded.load_state(exact.state())
        _agree(exact, case, (pinned, loaded))

        parameter = call_parameter(sender=case.sender, to=case.to, payload=case.execute)
        at = quantity(block.number)
        contestants: dict[str, Callable[[], object]] = {
            "ours": lambda: pinned.simulate(case.to, case.execute, case.sender),
            "raw": _bare(pinned, case.execute, case),
            "loaded": lambda: loaded.simulate(case.to, case.execute, case.sender),
            "reverting": lambda: _reverting(pinned, case),
            "raw_reverting": _bare(pinned, case.simulate, case),
            "eth_call_blocking": lambda: connection.request("eth_call", parameter, at),
            "exact": lambda: connection.request("eth_simulateV1", _one_block(case, block), at),
        }
        seconds: dict[str, list[float]] = {name: [] for name in (*contestants, "eth_call")}
        for _ in range(rounds):
            for name, call in contestants.items():
                seconds[name].append(_seconds_each(call, calls))
            seconds["eth_call"].append(asyncio.run(_eth_calls(exact, case, block, calls)))
        next_ms = statistics.median(_first_ms(worlds, case, exact.mine()) for _ in range(_FRESH_BLOCKS))
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    return {
        "name": "simulate",
        "peer": "raw pyrevm: snapshot, message_call, revert of the same bytes on the same engine",
        "ratio": _ratio(seconds["raw"], seconds["ours"]),
        "simulations_s": round(1 / median["ours"]),
        "raw_pyrevm_s": round(1 / median["raw"]),
        "reverting_ratio": _ratio(seconds["raw_reverting"], seconds["reverting"]),
        "reverting_simulations_s": round(1 / median["reverting"]),
        "loaded_simulations_s": round(1 / median["loaded"]),
        "eth_call_s": round(1 / median["eth_call"]),
        "times_eth_call": _ratio(seconds["eth_call"], seconds["ours"]),
        "eth_call_blocking_s": round(1 / median["eth_call_blocking"]),
        "times_eth_call_blocking": _ratio(seconds["eth_call_blocking"], seconds["ours"]),
        "exact_ms": round(median["exact"] * 1e3, 3),
        "pinned_first_ms": round(first_ms, 2),
        "pinned_next_ms": round(next_ms, 2),
        **_search(),
        "rounds": rounds,
    }


def _search() -> dict[str, Any]:
    """Search the best size of the shipped arbitrage at the newest block of a moved market."""
    strategy = parse_strategy(template_text("flash-arb").encode(), "flash-arb.yaml", token_tables())
    with devnet_ground([Job(strategy)]) as ground:
        prepare_market(ground, PaperMarket())
        view = PinnedWorlds(ground.world.url).at("latest")
        began = time.perf_counter()
        result = search_size(ground.assignments[0], view)
        taken_ms = (time.perf_counter() - began) * 1e3
    return {"search_simulations": len(result.tried), "search_ms": round(taken_ms, 1)}


def _first_ms(worlds: PinnedWorlds, case: Case, block: Block) -> float:
    """Return how long a new block's world and the first simulation in it take."""
    began = time.perf_counter()
    _output(worlds.at(block), case)
    return (time.perf_counter() - began) * 1e3


def _ratio(theirs: list[float], ours: list[float]) -> float:
    """Return the median of the ratios within a round: a machine that slows down slows both."""
    return round(statistics.median(peer / mine for peer, mine in zip(theirs, ours, strict=True)), 3)


def _seconds_each(call: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls


async def _eth_calls(exact: ExactWorld, case: Case, block: Block, calls: int) -> float:
    async with RpcPool(devnet_network(exact.chain_id), [Endpoint("node", exact.url)]) as pool:
        reads = pool.reads(keep=Keep.NOTHING)
        began = time.perf_counter()
        for _ in range(calls):
            await reads.call(case.to, case.execute, sender=case.sender, block=block.number)
        return (time.perf_counter() - began) / calls


def _bare(world: FastWorld, data: bytes, case: Case) -> Callable[[], object]:
    """Return the engine's own calls and nothing else."""
    evm, to, sender = world._evm, case.to, case.sender

    def call() -> object:
        checkpoint = evm.snapshot()
        try:
            return evm.message_call(sender, to, data)
        except RuntimeError as error:
            return error
        finally:
            evm.revert(checkpoint)

    return call


def _reverting(world: FastWorld, case: Case) -> bytes:
    try:
        return world.simulate(case.to, case.simulate, case.sender)
    except WorldReverted as error:
        return error.data


def _one_block(case: Case, block: Block) -> dict[str, Any]:
    call = call_parameter(sender=case.sender, to=case.to, payload=case.execute)
    overrides = {"number": quantity(block.number + 1), "time": quantity(block.timestamp + 1)}
    return {"blockStateCalls": [{"blockOverrides": overrides, "calls": [call]}], "validation": False}


def _output(world: ExactWorld | FastWorld, case: Case) -> bytes:
    return world.call(case.to, case.execute, sender=case.sender)


def _agree(exact: ExactWorld, case: Case, worlds: tuple[FastWorld, ...]) -> None:
    """Refuse to compare worlds that do not do the same."""
    wanted = _output(exact, case)
    reported = _reverting(worlds[0], case)
    for world in worlds:
        if _output(world, case) != wanted or len(_reverting(world, case)) != len(reported) or not reported:
            raise AssertionError("the worlds disagree about the arbitrage")
