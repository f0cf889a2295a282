"""Who operates: may the account from which plans run operate the executors of its strategies."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tidegate.app.config import LoadedConfig
from tidegate.app.devnet import devnet_address
from tidegate.app.findings import Finding, wrong
from tidegate.app.gateway import reads_gateway
from tidegate.app.places import Place, place_of
from tidegate.app.running.start import load_jobs, tables_of
from tidegate.chain import NetworkKind
from tidegate.custody import SignerConnection
from tidegate.desks.atomic import Assignment, complete_blinds, role_refusal
from tidegate.model import Address, Denied, Stage, TidegateError
from tidegate.pipeline import rules_of
from tidegate.sim import PinnedWorlds

_ON_A_CHAIN = frozenset({Stage.SHADOW, Stage.CANARY, Stage.PRODUCTION})


def look_at_roles(loaded: LoadedConfig, home: Path) -> list[Finding]:
    """Return whether the desk may operate the executors on the chain of its stage.

    In a world of ours it may. What keeps the question from being asked is a finding of its own elsewhere.
    """
    run = loaded.config.run
    if run.stage not in _ON_A_CHAIN or not loaded.config.desk.atomic.strategies:
        return []
    name = f"operate on {run.chain}"
    try:
        return [Finding(name, True, _who_operates(place_of(run.chain, loaded, home), loaded, home))]
    except Denied as refusal:
        return [wrong(name, refusal)]
    except TidegateError as error:
        return [Finding(name, True, f"not known: {error.message}")]


def _who_operates(place: Place, loaded: LoadedConfig, home: Path) -> str:
    book = place.require_book()
    jobs = load_jobs(loaded, tables_of(book))
    account = _account(place, loaded, home)
    if account is None:
        return "not known: the signer has no such key, or --account says from whom plans run"
    with reads_gateway(place.network, place.endpoints) as url:
        worlds = PinnedWorlds(url, block_time_s=max(1, round(place.network.block_time_s)))
        try:
            view = worlds.at("latest")
            for job in jobs:
                assigned = Assignment(job.strategy, book, account, complete_blinds(job.strategy, job.blinds))
                refusal = role_refusal(assigned, view)
                if refusal is not None:
                    raise refusal
        finally:
            worlds.close()
    names = ", ".join(sorted({job.strategy.executor for job in jobs}))
    return f"{account} is an operator of {names}"


def _account(place: Place, loaded: LoadedConfig, home: Path) -> Address | None:
    """Return from whom plans run: the signer's key where it signs, the devnet's operator in its shadow."""
    config = loaded.config.signer
    if rules_of(loaded.config.run.stage).signs:
        path = Path(config.socket) if config.socket else home / "signer" / "signer.sock"
        return asyncio.run(_key(path, config.key))
    return devnet_address("operator") if place.network.kind is NetworkKind.DEVNET else None


async def _key(path: Path, name: str) -> Address | None:
    async with SignerConnection(path) as signer:
        status = await signer.status()
    return next((one.address for one in status.keys if one.name == name), None)
