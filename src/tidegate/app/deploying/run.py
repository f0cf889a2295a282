"""A deployment on one chain from end to end: names to addresses, demands, creations, looks, the book."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tidegate.app.config import LoadedConfig
from tidegate.app.deploying.books import write_book
from tidegate.app.deploying.checks import Order, executor_names, judge_order
from tidegate.app.deploying.files import Deployment, DeploymentFiles
from tidegate.app.deploying.owners import account_of, safe_findings
from tidegate.app.deploying.reading import read_executor
from tidegate.app.deploying.send import creation_terms, deploy, estimated, predicted
from tidegate.app.deploying.signers import deployer_address, deployer_signer
from tidegate.app.deploying.verify import judge_executor, recorded
from tidegate.app.findings import Finding
from tidegate.app.places import Place, place_of
from tidegate.chain import NetworkKind, hex_data, keccak256
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.model import ConfigError
from tidegate.venues import AddressBook, Entry
from tidegate.venues.executor import (
    PRODUCTION_DELAY_S,
    Construction,
    demand_recorded,
    executor_build,
    recorded_build,
)

SOURCE = "tidegate deploy executor"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for, in names; every chain has its own accounts behind them."""

    desk: str
    owner: str
    treasury: str
    guardians: tuple[str, ...]
    delay_s: int | None
    count: int
    number: int
    key: str
    password: str
    uses_signer: bool
    wait_s: float


async def plan_on(chain: str, wanted: Wanted, loaded: LoadedConfig, home: Path) -> dict[str, Any]:
    """Return what would be sent on ``chain``, with every demand; ``ok`` is false where one does not hold."""
    place = place_of(chain, loaded, home)
    demand_recorded(executor_build())
    async with place.pool() as pool:
        order = await _order(place, wanted, loaded, home)
        files = DeploymentFiles(home)
        findings = await _judged(pool, place, order, files)
        well = all(finding.ok for finding in findings)
        gas_limit = await estimated(pool, order) if well else 0
        planned = await _planned(pool, order, files, gas_limit)
        record = recorded_build()
        return {
            "ok": well,
            "chain": chain,
            "chain_id": place.network.chain_id,
            "deployer": order.deployer,
            "construction": msgspec.to_builtins(order.construction),
            "findings": [msgspec.to_builtins(finding) for finding in findings],
            "executors": planned,
            "initcode_keccak": hex_data(keccak256(order.construction.initcode)),
            "runtime_keccak": hex_data(keccak256(order.construction.runtime)),
            "compiler": record["compiler"],
            "capability": creation_terms(order, gas_limit),
        }


async def deploy_on(chain: str, wanted: Wanted, loaded: LoadedConfig, home: Path) -> dict[str, Any]:
    """Deploy on ``chain``, or go on where it was cut off; look at what stands there and write the book.

    Raises
    ------
    ConfigError
        ``deploy_refused`` if a demand does not hold: nothing is signed.
    """
    place = place_of(chain, loaded, home)
    files = DeploymentFiles(home)
    with files.locked():
        async with place.pool() as pool:
            order = await _order(place, wanted, loaded, home)
            for finding in await _judged(pool, place, order, files):
                if not finding.ok:
                    raise ConfigError(
                        f"{finding.check}: nothing is deployed",
                        code="deploy_refused",
                        found=finding.found,
                        fix=finding.fix or "tidegate deploy executor --dry-run shows every demand",
                    )
            done = await _deployed(pool, place, order, wanted, loaded, home)
            return await _put_down(pool, place, order, done)


async def _deployed(
    pool: RpcPool, place: Place, order: Order, wanted: Wanted, loaded: LoadedConfig, home: Path
) -> list[Deployment]:
    files = DeploymentFiles(home)
    async with deployer_signer(
        place, loaded, home, key=wanted.key, password=wanted.password, uses_signer=wanted.uses_signer
    ) as signer:
        return [await deploy(pool, order, name, files, signer, wait_s=wanted.wait_s) for name in order.names]


async def _put_down(pool: RpcPool, place: Place, order: Order, done: list[Deployment]) -> dict[str, Any]:
    """Read each executor back, hold it against what was ordered, and put it into the book."""
    entries = [_entry(one) for one in done]
    book = place.require_book().with_entries(*entries)
    told = []
    for one, entry in zip(done, entries, strict=True):
        reading = await read_executor(pool, entry)
        findings = judge_executor(
            reading,
            entry,
            book,
            place.network,
            safe=await safe_findings(pool, reading.state.owner),
        )
        told.append(
            {
                **{
                    key: getattr(one, key)
                    for key in ("name", "address", "nonce", "mined_in", "block", "gas_used")
                },
                "code_hash": reading.code_hash,
                "roles": recorded(reading),
                "findings": [msgspec.to_builtins(finding) for finding in findings if not finding.ok],
            }
        )
    path = write_book(place, book, [entry.name for entry in entries])
    return {
        "ok": not any(one["findings"] for one in told),
        "chain": order.chain,
        "chain_id": place.network.chain_id,
        "deployer": order.deployer,
        "executors": told,
        "book": str(path),
    }


def _entry(done: Deployment) -> Entry:
    terms = done.construction
    return Entry(
        name=f"executor.{done.name}",
        address=done.address,
        protocol="executor",
        code_hash=keccak256(terms.runtime).hex(),
        source=f"{SOURCE}, {done.mined_in}",
        date=datetime.now(UTC).date().isoformat(),
        probe="version()(uint256)",
        answer="1",
        confirmed=f"compared with the build when it was deployed, block {done.block}",
        about={
            "desk": done.desk,
            "block": str(done.block),
            "deployer": done.deployer,
            "owner": terms.owner,
            "treasury": terms.treasury,
            "weth": terms.weth,
            "delay_s": str(terms.delay_s),
            "guardians": ", ".join(sorted(terms.guardians)),
        },
    )


async def _order(place: Place, wanted: Wanted, loaded: LoadedConfig, home: Path) -> Order:
    book = place.require_book()
    names = executor_names(wanted.desk, wanted.number, wanted.count)
    if not wanted.owner.startswith("safe:"):
        raise ConfigError("the owner is named as a Safe", found=wanted.owner, allowed="safe:NAME or safe:0x…")
    default = 0 if place.network.kind is NetworkKind.DEVNET else PRODUCTION_DELAY_S
    construction = Construction(
        owner=account_of(wanted.owner.removeprefix("safe:"), place, kind="safe"),
        treasury=account_of(wanted.treasury, place),
        weth=book.entry("weth.weth9").address,
        delay_s=default if wanted.delay_s is None else wanted.delay_s,
        guardians=tuple(account_of(name, place) for name in wanted.guardians),
    )
    deployer = await deployer_address(
        place, loaded, home, key=wanted.key, password=wanted.password, uses_signer=wanted.uses_signer
    )
    return Order(
        chain=place.name, desk=wanted.desk, names=names, deployer=deployer, construction=construction
    )


async def _judged(pool: RpcPool, place: Place, order: Order, files: DeploymentFiles) -> tuple[Finding, ...]:
    book, terms = place.require_book(), order.construction
    weth = book.entry("weth.weth9")
    code = await pool.reads(keep=Keep.NOTHING).code(weth.address)
    found = judge_order(
        order,
        place.network,
        safe=await safe_findings(pool, terms.owner),
        weth_has_code=bool(code),
        weth_is_verified=weth.code_hash == keccak256(code).hex(),
    )
    return (*found, *(_free(order, name, book, files) for name in order.names))


def _free(order: Order, name: str, book: AddressBook, files: DeploymentFiles) -> Finding:
    """Demand that a name is free, or is this deployment's own."""
    begun = files.read(order.chain, name)
    entry = book.contracts.get(f"executor.{name}")
    if begun is not None and entry is not None and entry.address != begun.address:
        return Finding(name, False, f"the book has {entry.address}, the deployment {begun.address}")
    if begun is not None:
        state = "deployed before" if begun.is_confirmed else "begun before: goes on"
        return Finding(name, True, f"{state}, at {begun.address}")
    if entry is not None:
        return Finding(name, False, f"stands in the book already, at {entry.address}", "another --number")
    return Finding(name, True, "free")


async def _planned(
    pool: RpcPool, order: Order, files: DeploymentFiles, gas_limit: int
) -> list[Mapping[str, Any]]:
    reads = pool.reads(keep=Keep.NOTHING)
    nonce, fees = await reads.nonce(order.deployer, "pending"), await reads.fee_history()
    worst_wei = min(2 * fees.next_base_fee_wei + pool.network.priority_cap_wei, pool.network.fee_cap_wei)
    planned: list[Mapping[str, Any]] = []
    for name in order.names:
        begun = files.read(order.chain, name)
        if begun is not None:
            state, taken, where = _state(begun), begun.nonce, begun.address
        else:
            state, taken, where = "to be sent", nonce, predicted(order.deployer, nonce)
            nonce += 1
        planned.append(
            {
                "name": name,
                "state": state,
                "nonce": taken,
                "address": where,
                "gas_limit": gas_limit,
                "cost_max_wei": str(0 if begun and begun.is_confirmed else gas_limit * worst_wei),
            }
        )
    return planned


def _state(begun: Deployment) -> str:
    return "deployed" if begun.is_confirmed else "on its way"
