"""A process that serves a chain's reads on loopback: one URL that survives bad nodes, for blocking readers.

A fast world holds the interpreter while it fetches, and so can not be answered by a thread of its own
process; nor may an endpoint's URL stand on a command line. So the pool behind the URL lives in a child that
is told of its endpoints by a pipe, and ends when that pipe closes, however its parent ended.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from tidegate.chain import Network
from tidegate.chain.rpc import Endpoint, Feature, RpcGateway, RpcPool, Tier
from tidegate.model import TidegateError, Unavailable

_END_S = 5.0
_SHOWN = 500


@contextmanager
def reads_gateway(
    network: Network, endpoints: Sequence[Endpoint], quarantined: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Start the process and yield the URL that serves the chain's reads.

    Parameters
    ----------
    quarantined
        Names of endpoints that are not asked while the process lives, and why.

    Raises
    ------
    Unavailable
        If no endpoint of the chain answers.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tidegate.app.gateway"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: it ends when we close its pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(_told(network, endpoints, quarantined or {}) + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline().decode(errors="replace").strip()
        if not answer.startswith("http://127.0.0.1:"):
            raise Unavailable(
                f"no reads of {network.name} can be served",
                code="gateway",
                found=answer[:_SHOWN] or "the gateway's process ended",
                fix="tidegate doctor",
            )
        yield answer
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _told(network: Network, endpoints: Sequence[Endpoint], quarantined: Mapping[str, str]) -> bytes:
    return msgspec.json.encode(
        {
            "network": network,
            "endpoints": [dataclasses.asdict(one) for one in endpoints],
            "quarantined": quarantined,
        }
    )


def _endpoint(parts: dict[str, Any]) -> Endpoint:
    features = frozenset(map(Feature, parts["features"]))
    return Endpoint(**{**parts, "tier": Tier(parts["tier"]), "features": features})


async def _serve(told: bytes) -> None:
    parts = msgspec.json.decode(told)
    network = msgspec.convert(parts["network"], Network)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    endpoints = [_endpoint(one) for one in parts["endpoints"]]
    pool = RpcPool(network, endpoints, quarantined=parts["quarantined"])
    async with pool, RpcGateway(pool) as gateway:
        sys.stdout.write(f"{gateway.url}\n")
        sys.stdout.flush()
        await reader.read()  # until the parent lets go of its end


def main() -> int:
    """Serve until standard input closes; the first line of it says what, the first line printed where."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = sys.stdin.buffer.readline()
    if not told:
        return 0
    try:
        asyncio.run(_serve(told))
    except TidegateError as error:
        sys.stdout.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
