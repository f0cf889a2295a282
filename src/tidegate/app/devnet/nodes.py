"""Nodes that stay: started by one command, found again and stopped by another.

A record stands before its node is started, so that a command that is killed leaves nothing that the next one
does not find. A node is only ever stopped if its process is the very one that the record names.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from tidegate.app.devnet.cache import cached_devnet
from tidegate.app.devnet.interrupts import Interrupts
from tidegate.app.devnet.launch import Launch, node_command, spawn_node, take_ports
from tidegate.app.devnet.plans import ChainPlan
from tidegate.app.devnet.processes import process_identity, stop_process
from tidegate.app.devnet.records import (
    NodeRecord,
    locked,
    read_record,
    recorded_chains,
    refused_place,
    replace_record,
    unreadable_named,
    write_record,
)
from tidegate.app.devnet.spec import DevnetSpec
from tidegate.chain import Connection, integer
from tidegate.model import ConfigError, TidegateError

_ANSWER_S = 2.0
_PORTS_TRIED = 32


class NodeStatus(msgspec.Struct, frozen=True):
    """How a chain that was started is doing.

    ``health`` is ``ok``; ``dead`` (the process is gone, or its number belongs to another one now);
    ``silent`` (it runs but does not answer); ``stuck`` (it answers but makes no blocks); ``foreign``
    (another chain answers at its port); ``unreadable`` (its record can not be read: nothing else is known).
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

    Asked to end meanwhile (SIGINT, SIGTERM, SIGHUP), it stops what it started and raises
    ``KeyboardInterrupt``; killed, it leaves records by which ``stop_nodes`` does so.

    Parameters
    ----------
    folder
        Where records are kept, ``$TIDEGATE_HOME/devnet``.
    first_port
        The ports from here on, one each; if None, the first free ones from 8545 on, and the next free one
        for a node whose port somebody else takes before it listens.

    Raises
    ------
    TidegateError
        ``already_up`` if a chain is up already.
    ConfigError
        ``chains`` if another chain that is up has the same id; ``port_taken`` if somebody listens on a
        port that was asked for; ``place`` if the folder can not be written.
    Unavailable
        If a node does not come up; with what it printed.
    """
    with Interrupts() as interrupts, locked(folder) as lock:
        for plan in plans:
            _require_down(folder, plan)
        ports = take_ports(len(plans), first_port)
        try:
            begun = [
                _begin(folder, plan, port, lock, interrupts) for plan, port in zip(plans, ports, strict=True)
            ]
            tries = _PORTS_TRIED if first_port is None else 1
            for place, plan in enumerate(plans):
                for left in reversed(range(tries)):
                    try:
                        begun[place].wait()
                        break
                    except ConfigError:  # somebody else took the port after we found it free
                        if not left:
                            raise
                    (port,) = take_ports(1, None)
                    begun[place] = _begin(folder, plan, port, lock, interrupts)
            with _place_named(folder):
                return tuple(_settled(folder, one) for one in begun)
        except BaseException:
            with interrupts.held():
                for plan in plans:
                    if plan.chain in recorded_chains(folder):
                        _stop(folder, read_record(folder, plan.chain))
                    shutil.rmtree(folder / plan.chain, ignore_errors=True)
            raise


def node_records(folder: Path, chains: Sequence[str] = ()) -> dict[str, NodeRecord]:
    """Return the records of the chains that were started and not stopped (of all, or those named), by name.

    Raises
    ------
    ConfigError
        ``record`` if one can not be read.
    """
    known = recorded_chains(folder)
    return {chain: read_record(folder, chain) for chain in known if not chains or chain in chains}


def node_states(folder: Path) -> list[NodeStatus]:
    """Return how each chain is doing, those whose record can not be read too."""
    return [_state(folder, chain) for chain in recorded_chains(folder)]


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
        ``chain`` if one of them was never started; ``record``, after all others are stopped, if the
        record of one can not be read.
    """
    with Interrupts() as interrupts, locked(folder), interrupts.held():
        known = recorded_chains(folder)
        for chain in chains:
            if chain not in known:
                raise ConfigError(
                    "no such chain was started here",
                    code="chain",
                    found=chain,
                    allowed=", ".join(known) or "none: nothing is up",
                    fix="tidegate devnet status",
                )
        stopped: dict[str, bool] = {}
        unreadable: dict[str, ConfigError] = {}
        for chain in dict.fromkeys(chains or known):
            try:
                record = read_record(folder, chain)
            except ConfigError as error:
                unreadable[chain] = error
                continue
            with _place_named(folder):
                stopped[chain] = _stop(folder, record)
        if unreadable:
            raise unreadable_named(unreadable, list(stopped))
        return stopped


def _state(folder: Path, chain: str) -> NodeStatus:
    try:
        return node_status(read_record(folder, chain))
    except ConfigError:
        return NodeStatus(chain, 0, "", 0, 0.0, "unreadable", None, 0.0)


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


def _require_down(folder: Path, plan: ChainPlan) -> None:
    """Refuse a chain that is up, and one whose id another has that is; forget it if its node is gone."""
    for chain in recorded_chains(folder):
        try:
            record = read_record(folder, chain)
        except ConfigError:
            if chain == plan.chain:
                raise
            continue  # nobody knows its id
        if process_identity(record.pid) != record.identity:
            if chain == plan.chain:
                shutil.rmtree(folder / chain)
        elif chain == plan.chain:
            raise TidegateError(
                f"{chain} is up already",
                code="already_up",
                found=f"process {record.pid} at {record.url}",
                fix=f"tidegate devnet down {chain}",
            )
        elif record.chain_id == plan.chain_id:
            raise ConfigError(
                "two chains have the same id",
                code="chains",
                found=f"{plan.chain_id}, which {chain} has at {record.url}",
                allowed="an id that no chain has that is up",
                fix=f"choose another id, or tidegate devnet down {chain}",
            )


def _begin(folder: Path, plan: ChainPlan, port: int, lock: IO[str], interrupts: Interrupts) -> Launch:
    """Write down that a node is about to be started, and start it."""
    cached = cached_devnet(DevnetSpec(chain=plan.chain, chain_id=plan.chain_id))
    command = node_command(plan, cached, port)
    record = NodeRecord(
        chain=plan.chain,
        chain_id=plan.chain_id,
        block_time_s=plan.block_time_s,
        port=port,
        pid=0,
        identity=" ".join(command),
        started_at_s=time.time(),
        first_height=cached.height,
    )
    with interrupts.held(), _place_named(folder):
        write_record(folder, record, cached)
        return spawn_node(folder, record, command, lock)


def _settled(folder: Path, one: Launch) -> NodeRecord:
    identity = process_identity(one.pid) or ""
    record = msgspec.structs.replace(one.record, pid=one.pid, identity=identity, started_at_s=time.time())
    replace_record(folder, record)
    return record


@contextmanager
def _place_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refused_place(folder, error) from error


def _stop(folder: Path, record: NodeRecord) -> bool:
    was_running = stop_process(record.pid, record.identity)
    shutil.rmtree(folder / record.chain)
    return was_running
