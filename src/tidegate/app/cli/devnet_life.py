"""``tidegate devnet allow`` and ``devnet market``: make a devnet that is up one to act on."""

from __future__ import annotations

import re
import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.devnet import DevnetSpec, NodeRecord, node_records, node_status, read_book, read_devnet
from tidegate.chain import address
from tidegate.model import Address, ConfigError, Unavailable, format_units

ChainName = Annotated[str, typer.Argument(metavar="CHAIN", help="A devnet that is up.")]
_POLLS_PER_BLOCK = 4
_DECIMALS = 18
_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,18})?")
_FUND_MAX_WETH = 1_000


def allow(
    chain: ChainName,
    strategies: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Strategies to allow.")],
    key: Annotated[str | None, typer.Option("--key", help="Whose key operates; tidegate keys list.")] = None,
    account: Annotated[str | None, typer.Option(help="Or the address that operates.")] = None,
    blinds: Annotated[Path | None, typer.Option(help="A file with the values of the blinds.")] = None,
    fund: Annotated[
        str | None,
        typer.Option(metavar="WETH", help="Also move so many WETH, such as 2.5, into each executor."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Have the executor's owner let an account operate it, with exactly what the strategies need.

    An account that has no ether gets 100 for gas, and the chain's clock is set to ours, by which a signer
    judges deadlines. No other balance moves without --fund: what comes into an executor whose books have
    begun is a difference that a person must explain. Only on a devnet, whose owner needs no key; before
    `devnet market` starts.
    """
    from tidegate.app.operate import let_operate, set_to_now
    from tidegate.app.running.sites import assignments_of
    from tidegate.app.running.start import tables_of
    from tidegate.app.runtime import Job
    from tidegate.desks.atomic import load_blinds, load_strategy
    from tidegate.sim import AttachedWorld
    from tidegate.venues.tokens import transfer

    fund_wei = _weth(fund)
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
        gas_wei = let_operate(world, assignments, operator)
        executors = sorted({one.executor for one in assignments}) if fund_wei else []
        for executor in executors:
            transfer(world, devnet.weth, executor, fund_wei, holder=devnet.accounts["trader"])
    value = {
        "chain": chain,
        "account": operator,
        "strategies": [job.strategy.name for job in jobs],
        "gas_given_wei": str(gas_wei),
        "funded": {executor: str(fund_wei) for executor in executors},
    }
    names = ", ".join(job.strategy.name for job in jobs)

    def render(out: Console) -> None:
        out.print(f"{operator} may run {names} on {chain}")
        if gas_wei:
            out.print(f"  {operator} got {format_units(gas_wei, _DECIMALS)} ETH for gas")
        for executor in executors:
            out.print(f"  {executor} got {format_units(fund_wei, _DECIMALS)} WETH")
            out.print("    books that had begun will differ by it: tidegate journal explain SEQ --reason …")

    emit(value, as_json=as_json, render=render)


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


def running(chain: str, *, otherwise: str = "") -> NodeRecord:
    """Return the record of a devnet that is up and well; ``otherwise`` is more advice if there is none.

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
            fix=f"tidegate devnet up{otherwise}",
        )
    state = node_status(records[chain])
    if state.health != "ok":
        raise Unavailable(
            f"the node of {chain} is {state.health}", code="node_down", fix="tidegate devnet up"
        )
    return records[chain]


def _weth(text: str | None) -> int:
    """Return an amount of WETH in base units; 0 for None."""
    if text is None:
        return 0
    whole, _, fraction = text.strip().partition(".")
    is_amount = _AMOUNT.fullmatch(text.strip()) is not None
    amount = int(whole) * 10**_DECIMALS + int(fraction.ljust(_DECIMALS, "0")) if is_amount else 0
    if not 0 < amount <= _FUND_MAX_WETH * 10**_DECIMALS:
        raise ConfigError(
            "--fund takes an amount of WETH",
            code="fund",
            found=text[:40],
            allowed=f"more than 0, at most {_FUND_MAX_WETH}",
            fix="--fund 2",
        )
    return amount


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
