"""Pause a desk's contracts: by the guardian's key if this machine holds it, else by the ready Safe pack."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.config import LoadedConfig
from tidegate.app.deploying import PAUSED, Announcements, is_of_desk
from tidegate.app.devnet import node_records
from tidegate.app.places import Place, place_of
from tidegate.app.safes import key_of
from tidegate.chain import ChainReads, encode_call
from tidegate.chain.rpc import Keep, Priority, RpcPool
from tidegate.custody.multisig import read_proposal
from tidegate.custody.ports import KeyHandle
from tidegate.custody.transactions import encode_unsigned, sign
from tidegate.model import (
    Address,
    Ambiguous,
    ConfigError,
    Receipt,
    TidegateError,
    Unavailable,
    UnsignedTransaction,
)
from tidegate.risk import Scope
from tidegate.venues.executor import encode_pause

GUARDIAN = "guardian"
_PAUSED = "paused()"
_GAS_LIMIT = 100_000
_DEADLINE_S = 60.0
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Paused:
    """What became of one contract: ``paused``, ``paused before``, or what is missing and what to do next."""

    chain: str
    contract: str
    state: str
    detail: str = ""
    fix: str = ""

    @property
    def is_paused(self) -> bool:
        """Say whether the contract refuses to run."""
        return self.state.startswith("paused")


def pause_contracts(
    scope: Scope,
    loaded: LoadedConfig,
    home: Path,
    *,
    guardian: str = GUARDIAN,
    password: str = "terminal",  # noqa: S107
) -> tuple[Paused, ...]:
    """Pause every executor that ``scope`` covers by desk and chain, one by one; a failure stops none.

    Each pause by a key is announced, so that the watch of a desk that runs does not take it for a stranger's.

    Parameters
    ----------
    guardian
        The name of the guardian's key: a key file of the home, or a devnet's account.
    password
        Where that file's password comes from, as for ``tidegate keys``.
    """
    return tuple(
        found
        for name in _chains(scope, loaded, home)
        for found in asyncio.run(_pause_chain(name, scope, loaded, home, guardian, password))
    )


def _chains(scope: Scope, loaded: LoadedConfig, home: Path) -> Iterator[str]:
    devnets = home / "devnet"
    running = node_records(devnets) if devnets.exists() else {}
    wanted = dict(scope.parts).get("chain")
    for name in sorted({*loaded.config.chains, *running}):
        configured = loaded.config.chains.get(name)
        chain_id = configured.chain_id if configured is not None else running[name].chain_id
        is_reachable = name in running or (configured is not None and bool(configured.endpoints))
        if is_reachable and wanted in (None, str(chain_id)):
            yield name


async def _pause_chain(
    name: str, scope: Scope, loaded: LoadedConfig, home: Path, guardian: str, password: str
) -> list[Paused]:
    try:
        place = place_of(name, loaded, home)
        book = place.require_book()
    except TidegateError as error:
        return [Paused(name, "all", "not reached", error.message, error.fix or "")]
    desk = dict(scope.parts).get("desk")
    executors = {
        key: entry.address
        for key, entry in book.contracts.items()
        if key.startswith("executor.") and (desk is None or is_of_desk(entry, desk))
    }
    found = []
    async with place.pool() as pool:
        for contract, where in executors.items():
            try:
                found.append(await _pause(place, pool, contract, where, home, guardian, password))
            except TidegateError as error:
                found.append(Paused(name, contract, "not paused", str(error), error.fix or ""))
    return found


async def _pause(
    place: Place, pool: RpcPool, contract: str, where: Address, home: Path, guardian: str, password: str
) -> Paused:
    reads = pool.reads(pool.policy_for_value, Priority.SEND, Keep.NOTHING)
    if await _is_paused(reads, where):
        return Paused(place.name, contract, "paused before")
    try:
        key = key_of(place, guardian, keys=home / "keys", password=password)
    except ConfigError as error:
        return _by_pack(place, contract, home, error)
    announcements = Announcements(home, place.name, contract.partition(".")[2])
    announcements.add_act(where, PAUSED, Address(key.address), "tidegate stop --on-chain")
    await _send(pool, reads, where, key, chain_id=place.network.chain_id)
    state = "paused" if await _is_paused(reads, where) else "not paused"
    return Paused(place.name, contract, state, f"by {key.address}")


def _by_pack(place: Place, contract: str, home: Path, missing: ConfigError) -> Paused:
    pack = home / "packs" / place.name / f"{contract.partition('.')[2]}-pause.json"
    if pack.exists():
        try:
            read_proposal(pack)
        except TidegateError as error:
            return Paused(
                place.name, contract, "pack damaged", str(error), f"tidegate safe packs --chain {place.name}"
            )
        return Paused(
            place.name,
            contract,
            "pack ready",
            f"{missing.message}; the Safe's pack is ready",
            f"tidegate safe sign {pack}, then tidegate safe execute {pack}",
        )
    return Paused(
        place.name,
        contract,
        "not paused",
        f"{missing.message}, and there is no pack at {pack}",
        f"tidegate keys import {GUARDIAN}, or: tidegate safe packs --chain {place.name}",
    )


async def _is_paused(reads: ChainReads, where: Address) -> bool:
    return int.from_bytes(await reads.call(where, encode_call(_PAUSED))) == 1


async def _send(pool: RpcPool, reads: ChainReads, to: Address, key: KeyHandle, *, chain_id: int) -> Receipt:
    who, fees = Address(key.address), await reads.fee_history()
    priority_wei = fees.rewards_wei[-1][0] if fees.rewards_wei else 0
    unsigned = UnsignedTransaction(
        chain_id=chain_id,
        nonce=await reads.nonce(who, "pending"),
        to=to,
        data=encode_pause(),
        value_wei=0,
        gas_limit=_GAS_LIMIT,
        max_fee_wei=3 * fees.next_base_fee_wei + priority_wei,
        max_priority_fee_wei=priority_wei,
    )
    signed = sign(encode_unsigned(unsigned), key)
    with suppress(Ambiguous):  # the receipt decides below
        await pool.send_raw(signed.raw)
    try:
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                receipt = await reads.receipt(signed.hash)
                if receipt is not None:
                    return receipt
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError as error:
        raise Unavailable(
            "the pause is sent and no block holds it yet",
            found=f"0x{signed.hash.hex()} after {_DEADLINE_S:.0f} s",
            fix="look again: the same command is safe to repeat",
        ) from error
