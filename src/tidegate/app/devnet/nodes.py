"""Nodes that stay: started by one command, found again and stopped by another.

Each chain has a folder with a record (``node.json``), the devnet that it holds (``devnet.json``), its
address book (``addresses.toml``) and the node's log. A node is only ever stopped if its process is the
very one that the record names.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tidegate.app.devnet.cache import cached_devnet
from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.launch import Launch, launch_node, take_ports
from tidegate.app.devnet.plans import ChainPlan
from tidegate.app.devnet.processes import process_identity, stop_process
from tidegate.app.devnet.spec import DevnetSpec
from tidegate.app.devnet.toml import to_toml
from tidegate.chain import Connection, integer
from tidegate.model import ConfigError, TidegateError
from tidegate.venues import AddressBook, load_book

_ANSWER_S = 2.0


class NodeRecord(msgspec.Struct, frozen=True):
    """A node that was started: enough to reach it, and to know it from any other process."""

    chain: str
    chain_id: int
    block_time_s: float
    port: int
    pid: int
    identity: str
    started_at_s: float
    first_height: int

    @property
    def url(self) -> str:
        """Return where the node listens, on loopback."""
        return f"http://127.0.0.1:{self.port}"


class NodeStatus(msgspec.Struct, frozen=True):
    """How a chain that was started is doing.

    ``health`` is ``ok``; ``dead`` (the process is gone, or its number belongs to another one now);
    ``silent`` (it runs but does not answer); ``stuck`` (it answers but makes no blocks); ``foreign``
    (another chain answers at its port).
    """

    chain: str
    chain_id: int
    url: str
    pid: int
    block_time_s: float
    health: str
    height: int | None
    age_s: float


def start_nodes(
    folder: Path, plans: Sequence[ChainPlan], *, first_port: int | None = None
) -> tuple[NodeRecord, ...]:
    """Start a node for each plan, holding its devnet: all of them or none.

    Parameters
    ----------
    folder
        Where records are kept, ``$TIDEGATE_HOME/devnet``.
    first_port
        The ports from here on, one each; if None, the first free ones from 8545 on.

    Raises
    ------
    TidegateError
        ``already_up`` if a chain is up already.
    ConfigError
        ``port_taken`` if somebody listens on a port that was asked for.
    Unavailable
        If a node does not come up; with what it printed.
    """
    with _locked(folder):
        for plan in plans:
            _require_down(folder, plan.chain)
        ports = take_ports(len(plans), first_port)
        launched: list[Launch] = []
        try:
            for plan, port in zip(plans, ports, strict=True):
                cached = cached_devnet(DevnetSpec(chain=plan.chain, chain_id=plan.chain_id))
                launched.append(launch_node(folder / plan.chain, plan, cached, port))
            for one in launched:
                one.wait()
        except BaseException:
            for one in launched:
                one.stop()
                shutil.rmtree(folder / one.plan.chain, ignore_errors=True)
            raise
        return tuple(_record(folder, one) for one in launched)


def node_records(folder: Path) -> dict[str, NodeRecord]:
    """Return the records of all chains that were started and not stopped, by name.

    Raises
    ------
    ConfigError
        ``record`` if one can not be read.
    """
    return {path.parent.name: _read(path) for path in sorted(folder.glob("*/node.json"))}


def node_status(record: NodeRecord) -> NodeStatus:
    """Ask the operating system and the node how it is doing. Never raises."""
    health, height = _health(record)
    return NodeStatus(
        chain=record.chain,
        chain_id=record.chain_id,
        url=record.url,
        pid=record.pid,
        block_time_s=record.block_time_s,
        health=health,
        height=height,
        age_s=round(time.time() - record.started_at_s, 1),
    )


def stop_nodes(folder: Path, chains: Sequence[str] = ()) -> dict[str, bool]:
    """Stop the nodes of ``chains`` (all, if none is named) and forget them.

    Returns
    -------
    dict[str, bool]
        By chain, whether a node of ours was running. If not, nothing was stopped: the record was stale.

    Raises
    ------
    ConfigError
        ``chain`` if one of them was never started.
    """
    with _locked(folder):
        records = node_records(folder)
        for chain in chains:
            if chain not in records:
                raise ConfigError(
                    "no such chain was started here",
                    code="chain",
                    found=chain,
                    allowed=", ".join(records) or "none: nothing is up",
                    fix="tidegate devnet status",
                )
        stopped = {}
        for chain in chains or records:
            stopped[chain] = stop_process(records[chain].pid, records[chain].identity)
            shutil.rmtree(folder / chain)
        return stopped


def read_devnet(folder: Path, chain: str) -> Devnet:
    """Return the devnet that a started chain holds. Raises ``ConfigError`` as ``node_records`` does."""
    path = folder / chain / "devnet.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Devnet)
    except (OSError, msgspec.DecodeError) as error:
        raise _unreadable(path, error) from error


def read_book(folder: Path, chain: str) -> AddressBook:
    """Return the address book of a started chain. Raises ``ConfigError`` as ``node_records`` does."""
    path = folder / chain / "addresses.toml"
    try:
        return load_book(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _health(record: NodeRecord) -> tuple[str, int | None]:
    if process_identity(record.pid) != record.identity:
        return "dead", None
    node = Connection(record.url, name=record.chain, timeout_s=_ANSWER_S)
    try:
        chain_id, height = (
            integer(answer) for answer in node.batch([("eth_chainId", ()), ("eth_blockNumber", ())])
        )
    except TidegateError:
        return "silent", None
    finally:
        node.close()
    if chain_id != record.chain_id:
        return "foreign", height
    blocks_due = (time.time() - record.started_at_s) / record.block_time_s
    is_stuck = blocks_due > 3 and height == record.first_height
    return "stuck" if is_stuck else "ok", height


def _require_down(folder: Path, chain: str) -> None:
    path = folder / chain / "node.json"
    if not path.exists():
        return
    record = _read(path)
    if process_identity(record.pid) == record.identity:
        raise TidegateError(
            f"{chain} is up already",
            code="already_up",
            found=f"process {record.pid} at {record.url}",
            fix=f"tidegate devnet down {chain}",
        )
    shutil.rmtree(folder / chain)  # stale: its node is gone


def _record(folder: Path, one: Launch) -> NodeRecord:
    record = NodeRecord(
        chain=one.plan.chain,
        chain_id=one.plan.chain_id,
        block_time_s=one.plan.block_time_s,
        port=one.port,
        pid=one.pid,
        identity=process_identity(one.pid) or "",
        started_at_s=time.time(),
        first_height=one.cached.height,
    )
    place = folder / record.chain
    (place / "devnet.json").write_bytes(msgspec.json.encode(one.cached.devnet))
    (place / "addresses.toml").write_text(to_toml(one.cached.book.as_mapping()), encoding="utf-8")
    (place / "node.json").write_bytes(msgspec.json.encode(record))
    return record


def _read(path: Path) -> NodeRecord:
    try:
        return msgspec.json.decode(path.read_bytes(), type=NodeRecord)
    except (OSError, msgspec.DecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        "a record of the devnet can not be read",
        code="record",
        found=f"{path}: {error}",
        fix=f"stop the node by hand if it still runs, then delete {path.parent}",
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, however we end
        yield
