"""Start one detached node that holds a cached devnet, and wait until it answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from tidegate.app.devnet.cache import CachedDevnet
from tidegate.app.devnet.plans import ChainPlan
from tidegate.app.devnet.processes import process_identity, spawn_detached
from tidegate.app.devnet.records import NodeRecord, pid_file
from tidegate.chain import Connection, integer
from tidegate.model import ConfigError, TidegateError, Unavailable
from tidegate.sim import anvil_binary

FIRST_PORT = 8_545
_LAST_PORT = 65_535
_LISTENS = "Listening on 127.0.0.1:{port}\n"
_IS_TAKEN = "Address already in use"
_START_S = 20.0
_POLL_S = 0.01
_LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Launch:
    """A process that is on its way to being a node."""

    record: NodeRecord
    pid: int
    log: Path

    def wait(self) -> None:
        """Return when the node itself says that it listens, and answers as its own chain.

        An answer alone may come from somebody else: who took the port after it was found free.

        Raises
        ------
        ConfigError
            ``port_taken`` if somebody else took its port first; the node has ended.
        Unavailable
            If it ended or did not answer in 20 seconds; with the last lines that it printed.
        """
        node = Connection(self.record.url, name=self.record.chain)
        listens = _LISTENS.format(port=self.record.port)
        deadline = time.monotonic() + _START_S
        try:
            while time.monotonic() < deadline and process_identity(self.pid) is not None:
                try:
                    if listens in self._printed() and (
                        integer(node.request("eth_chainId")) == self.record.chain_id
                    ):
                        return
                except TidegateError:
                    pass  # not answering yet
                time.sleep(_POLL_S)
        finally:
            node.close()
        printed = self._printed()
        if _IS_TAKEN in printed:
            raise _taken(self.record.port)
        raise Unavailable(
            f"the node of {self.record.chain} does not come up",
            code="node_start",
            found=" | ".join(printed.splitlines()[-_LINES_SHOWN:]),
        )

    def _printed(self) -> str:
        return self.log.read_text(errors="replace")


def node_command(plan: ChainPlan, cached: CachedDevnet, port: int) -> tuple[str, ...]:
    """Return what starts a node whose clock goes on from where the cached chain's stopped."""
    return (
        *(str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port)),
        *("--chain-id", str(plan.chain_id), "--block-time", f"{plan.block_time_s:g}"),
        *("--load-state", str(cached.state_file), "--timestamp", str(cached.timestamp_s + 1)),
        *("--accounts", "0", "--auto-impersonate", "--base-fee", "0", "--disable-min-priority-fee"),
        *("--hardfork", "prague", "--order", "fifo", "--no-cors"),
    )


def spawn_node(folder: Path, record: NodeRecord, command: Sequence[str], lock: IO[str]) -> Launch:
    """Start the node of a record that is on disk already."""
    log = folder / record.chain / "node.log"
    return Launch(record, spawn_detached(command, log, pid_file(folder, record.chain), lock), log)


def take_ports(count: int, first: int | None) -> tuple[int, ...]:
    """Return ``count`` ports that nobody listens on: those from ``first`` on, or the first free ones.

    Raises
    ------
    ConfigError
        ``port`` if ``first`` is none; ``port_taken`` if somebody listens on one that was asked for.
    """
    if first is None:
        free = tuple(islice(filter(_is_free, range(FIRST_PORT, _LAST_PORT + 1)), count))
        if len(free) < count:
            raise ConfigError(
                "too few ports are free",
                code="port_taken",
                found=f"{len(free)} from {FIRST_PORT} on",
                allowed=f"{count}",
                fix="stop what listens, or start fewer chains",
            )
        return free
    last_first = _LAST_PORT + 1 - count
    if not 1_024 <= first <= last_first:
        raise ConfigError(
            "not a port",
            code="port",
            found=str(first),
            allowed=f"1024 to {last_first}",
            fix="choose another --port, or leave it out",
        )
    ports = tuple(range(first, first + count))
    for port in ports:
        if not _is_free(port):
            raise _taken(port)
    return ports


def _taken(port: int) -> ConfigError:
    return ConfigError(
        f"port {port} is taken",
        code="port_taken",
        found=f"somebody listens on 127.0.0.1:{port}",
        allowed="free ports in a row, one for each chain",
        fix="choose another --port, or leave it out",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
