"""``tidegate devnet allow`` and ``devnet market``: make a devnet that is up one to act on."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.devnet import DevnetSpec, NodeRecord, node_records, node_status, read_book, read_devnet
from tidegate.chain import address
from tidegate.model import Address, ConfigError, Unavailable

ChainName = Annotated[str, typer.Argument(metavar="CHAIN", help="A devnet that is up.")]
_POLLS_PER_BLOCK = 4


def allow(
    chain: ChainName,
    strategies: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Strategies to allow.")],
    key: Annotated[str | None, typer.Option("--key", help="Whose key operates; tidegate keys list.")] = None,
    account: Annotated[str | None, typer.Option(help="Or the address that operates.")] = None,
    blinds: Annotated[Path | None, typer.Option(help="A file with the values of the blinds.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Have the executor's owner let an account operate it, with exactly what the strategies need.

    The account gets ether for gas, the executor some WETH, and the chain's clock is set to ours, by which a
    signer judges deadlines. Only on a devnet, whose owner needs no key; before `devnet market` starts.
    """
    from tidegate.app.operate import let_operate, set_to_now
    from tidegate.app.running.sites import assignments_of
    from tidegate.app.running.start import tables_of
    from tidegate.app.runtime import INVENTORY_WETH, Job
    from tidegate.desks.atomic import load_blinds, load_strategy
    from tidegate.sim import AttachedWorld
    from tidegate.venues.tokens import balance_of, transfer

    record = running(chain)
    book, devnet = read_book(home() / "devnet", chain), read_devnet(home() / "devnet", chain)
    tables = tables_of(book)
    jobs = []
    for file in strategies:
        strategy = load_strategy(file, tables)
        given = {} if blinds is None else load_blinds(blinds, strategy, tables[strategy.chain])
        jobs.append(Job(strategy, given))
    operator = _operator(key, account)
    assignments = assignments_of(book, jobs, operator)
    with AttachedWorld(record.url, chain_id=record.chain_id) as world:
        set_to_now(world, devnet, int(time.time()))
        let_operate(world, assignments, operator)
        for executor in sorted({one.executor for one in assignments}):
            held = balance_of(world, devnet.weth, executor)
            if held < INVENTORY_WETH:
                missing = INVENTORY_WETH - held
                transfer(world, devnet.weth, executor, missing, holder=devnet.accounts["trader"])
    value = {"chain": chain, "account": operator, "strategies": [job.strategy.name for job in jobs]}
    names = ", ".join(job.strategy.name for job in jobs)
    emit(value, as_json=as_json, render=lambda out: out.print(f"{operator} may run {names} on {chain}"))


def market(
    chain: ChainName,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same traders.")] = 7,
    blocks: Annotated[
        int | None, typer.Option(min=1, help="End after so many blocks; else at Ctrl-C.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Let everyone else trade on a devnet that is up: a market that wanders by a seed, block by block."""
    from tidegate.app.market import Crowd, Market
    from tidegate.sim import AttachedWorld

    record = running(chain)
    devnet = read_devnet(home() / "devnet", chain)
    stop = threading.Event()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: stop.set())
    moves, seen, done = 0, -1, 0
    with AttachedWorld(record.url, chain_id=record.chain_id) as world:
        simulator = Market(devnet, seed=seed, start_usd_e8=DevnetSpec().token("WETH").price_usd_e8)
        crowd = Crowd(devnet, world)
        while not stop.is_set() and (blocks is None or done < blocks):
            number = world.block().number
            if number == seen:
                stop.wait(record.block_time_s / _POLLS_PER_BLOCK)
                continue
            moves, seen, done = moves + crowd.move(simulator), number, done + 1
    value = {"chain": chain, "blocks": done, "moves": moves, "at_block": seen}
    emit(value, as_json=as_json, render=lambda out: out.print(f"{chain}: {moves} moves in {done} blocks"))


def running(chain: str) -> NodeRecord:
    """Return the record of a devnet that is up and well.

    Raises
    ------
    ConfigError
        If no devnet of this name was started here.
    Unavailable
        If its node is not well.
    """
    records = node_records(home() / "devnet", ())
    if chain not in records:
        raise ConfigError(
            f"{chain} is no devnet of this project",
            code="chain",
            found=chain,
            allowed=", ".join(sorted(records)) or "none: nothing is up",
            fix="tidegate devnet up",
        )
    state = node_status(records[chain])
    if state.health != "ok":
        raise Unavailable(
            f"the node of {chain} is {state.health}", code="node_down", fix="tidegate devnet up"
        )
    return records[chain]


def _operator(key: str | None, account: str | None) -> Address:
    from tidegate.custody.keys import KeyFile

    if (key is None) is (account is None):
        raise ConfigError(
            "who is to operate?",
            found="neither --key nor --account" if key is None else "both --key and --account",
            allowed="one of the two",
            fix="add --key operator",
        )
    if account is not None:
        return address(account)
    return KeyFile.read(home() / "keys" / f"{key}.json").shown_address
