"""Start one detached node that holds a cached devnet, and wait until it answers."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.devnet.cache import CachedDevnet
from tidegate.app.devnet.plans import ChainPlan
from tidegate.app.devnet.processes import process_identity, spawn_detached, stop_process
from tidegate.chain import Connection, integer
from tidegate.model import ConfigError, TidegateError, Unavailable
from tidegate.sim import anvil_binary

FIRST_PORT = 8_545
_LAST_PORT = 65_535
_START_S = 20.0
_POLL_S = 0.01
_LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Launch:
    """A process that is on its way to being a node."""

    plan: ChainPlan
    cached: CachedDevnet
    port: int
    pid: int
    log: Path

    def wait(self) -> None:
        """Return when the node answers as its own chain.

        Raises
        ------
        Unavailable
            If it ended or did not answer in 20 seconds; with the last lines that it printed.
        """
        node = Connection(f"http://127.0.0.1:{self.port}", name=self.plan.chain)
        deadline = time.monotonic() + _START_S
        try:
            while time.monotonic() < deadline and process_identity(self.pid) is not None:
                try:
                    if integer(node.request("eth_chainId")) == self.plan.chain_id:
                        return
                except TidegateError:
                    pass  # not listening yet
                time.sleep(_POLL_S)
        finally:
            node.close()
        printed = self.log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]
        raise Unavailable(
            f"the node of {self.plan.chain} does not come up", code="node_start", found=" | ".join(printed)
        )

    def stop(self) -> None:
        """Stop what was launched."""
        stop_process(self.pid, process_identity(self.pid) or "")


def launch_node(folder: Path, plan: ChainPlan, cached: CachedDevnet, port: int) -> Launch:
    """Start a node whose clock goes on from where the cached chain's stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "node.log"
    command = (
        *(str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port)),
        *("--chain-id", str(plan.chain_id), "--block-time", f"{plan.block_time_s:g}"),
        *("--load-state", str(cached.state_file), "--timestamp", str(cached.timestamp_s + 1)),
        *("--accounts", "0", "--auto-impersonate", "--base-fee", "0", "--disable-min-priority-fee"),
        *("--hardfork", "prague", "--order", "fifo", "--no-cors"),
    )
    return Launch(plan, cached, port, spawn_detached(command, log), log)


def take_ports(count: int, first: int | None) -> tuple[int, ...]:
    """Return ``count`` ports that nobody listens on: those from ``first`` on, or the first free ones.

    Raises
    ------
    ConfigError
        ``port`` if ``first`` is none; ``port_taken`` if somebody listens on one that was asked for.
    """
    if first is None:
        free = (port for port in range(FIRST_PORT, _LAST_PORT) if _is_free(port))
        return tuple(next(free) for _ in range(count))
    if not 1_024 <= first <= _LAST_PORT - count:
        raise ConfigError(
            "not a port", code="port", found=str(first), allowed=f"1024 to {_LAST_PORT - count}"
        )
    ports = tuple(range(first, first + count))
    for port in ports:
        if not _is_free(port):
            raise ConfigError(
                f"port {port} is taken",
                code="port_taken",
                found=f"somebody listens on 127.0.0.1:{port}",
                allowed=f"{count} free ports in a row",
                fix="choose another --port, or leave it out",
            )
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
