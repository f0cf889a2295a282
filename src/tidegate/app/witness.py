"""``tidegate signer witness``: read-only pools, one for each operator, and no keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tidegate.app.config import LoadedConfig, load_config
from tidegate.app.places import Place, place_of
from tidegate.app.signer.process import tell_manager
from tidegate.chain import ChainReads
from tidegate.chain.rpc import ANY, Endpoint, Keep, Priority, RpcPool
from tidegate.custody import WitnessedChain, WitnessService, inherited, listen
from tidegate.model import ConfigError, SystemClock, Unavailable


class WitnessSettings(msgspec.Struct, frozen=True):
    """Chains and endpoints, as in ``tidegate.toml``; where to listen, and for whom.

    ``uids`` are the users that may ask: the signer's. ``quorum`` operators must agree.
    """

    config: LoadedConfig
    home: Path
    socket: Path
    uids: frozenset[int]
    quorum: int


def read_witness_settings(
    config: Path, *, home: Path, socket: Path, uids: frozenset[int], quorum: int
) -> WitnessSettings:
    """Read the chains that the witness looks at, from a file of the form of ``tidegate.toml``.

    Raises
    ------
    ConfigError
        If the file is wrong, or a chain has fewer operators than must agree.
    """
    loaded = load_config(config)
    for name, chain in loaded.config.chains.items():
        operators = {one.operator or one.name for one in chain.endpoints}
        if len(operators) < quorum:
            raise ConfigError(
                f"chains.{name} has too few operators for the witness",
                code="witness_operators",
                found=f"{len(operators)}: {', '.join(sorted(operators)) or 'no endpoint'}",
                allowed=f"at least {quorum}",
                fix="add endpoints of other operators; on a devnet: --quorum 1",
            )
    if not loaded.config.chains:
        raise ConfigError(
            f"{config} names no chain", found="no [chains.NAME]", allowed="at least one", fix="tidegate init"
        )
    return WitnessSettings(loaded, home, socket, uids, quorum)


def run_witness(settings: WitnessSettings, *, report: Callable[[dict[str, Any]], None]) -> None:
    """Answer until SIGTERM or SIGINT. Raises ``ConfigError`` or ``Unavailable`` if it can not begin."""
    listener = inherited("witness") or listen(settings.socket)
    asyncio.run(_serve(settings, listener, report))


async def _serve(
    settings: WitnessSettings, listener: socket.socket, report: Callable[[dict[str, Any]], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    async with contextlib.AsyncExitStack() as resources:
        chains: dict[int, WitnessedChain] = {}
        for name in settings.config.config.chains:
            place = place_of(name, settings.config, settings.home)
            operators = await _operators(place, settings.quorum, resources)
            chains[place.network.chain_id] = WitnessedChain(
                place.network, operators, quorum=settings.quorum, clock=SystemClock()
            )
        service = WitnessService(chains, uids=settings.uids)
        report(
            {
                "process": "witness",
                "pid": os.getpid(),
                "socket": str(settings.socket),
                "chains": sorted(chains),
                "quorum": settings.quorum,
            }
        )
        tell_manager("READY=1")
        await service.serve(listener, stop)


async def _operators(
    place: Place, quorum: int, resources: contextlib.AsyncExitStack
) -> dict[str, ChainReads]:
    """Return uncached reads of each operator of a chain that answers now.

    Raises
    ------
    Unavailable
        If fewer than ``quorum`` do.
    """
    pools: dict[str, list[Endpoint]] = {}
    for endpoint in place.endpoints:
        pools.setdefault(endpoint.operator, []).append(endpoint)
    operators: dict[str, ChainReads] = {}
    for operator, endpoints in pools.items():
        pool = RpcPool(place.network, endpoints)
        resources.push_async_callback(pool.close)
        with contextlib.suppress(Unavailable):  # no operator for now; enough others may stand
            await pool.start()
            operators[operator] = pool.reads(ANY, Priority.DECIDE, Keep.NOTHING)
    if len(operators) < quorum:
        raise Unavailable(
            f"too few operators of {place.name} answer the witness",
            found=f"{len(operators)}: {', '.join(operators) or 'none'}",
            allowed=f"at least {quorum}",
            fix="tidegate doctor",
        )
    return operators
