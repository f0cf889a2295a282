"""The operator's deeds on an executor: look, apply, cancel, revoke, sweep, compare, switch.

Each reads the executor first and does only what its state allows. With a key of this machine it is sent at
once; without, it becomes a proposal for the owner's Safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tidegate.app.config import LoadedConfig
from tidegate.app.deploying.acting import Actor, by_key
from tidegate.app.deploying.announced import Announcements
from tidegate.app.deploying.books import demand_own, write_book
from tidegate.app.deploying.observing import Observed, observe
from tidegate.app.deploying.pairs import compare, switched
from tidegate.app.deploying.proposing import Steps, parts, steps_of, write_proposals
from tidegate.app.deploying.reading import Reading, read_executor
from tidegate.app.deploying.selecting import Named, entries_named
from tidegate.app.deploying.witnessing import put_down
from tidegate.app.places import Place, place_of
from tidegate.app.safes import key_of
from tidegate.chain import decode_output, encode_call, hex_data
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.ledger import Body, JournalReader
from tidegate.ledger import Place as LedgerPlace
from tidegate.model import ZERO_ADDRESS, Address, ConfigError, SystemClock
from tidegate.venues import glossary_of
from tidegate.venues.executor import (
    SWEEP_MAX,
    Change,
    Role,
    Scheduled,
    change_text,
    encode_apply,
    encode_cancel,
    encode_pause,
    encode_sweep,
    encode_tighten,
)
from tidegate.venues.safe import SafeCall

__all__ = [
    "Named",
    "apply_ripe",
    "cancel_waiting",
    "diff_pair",
    "look",
    "revoke_entries",
    "sweep_all",
    "switch_pair",
    "waiting",
]


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is to be done: calls, in words, who may do it by a key, and the changes it announces."""

    what: str
    calls: tuple[bytes, ...]
    lines: tuple[str, ...]
    role: Role
    announces: tuple[Change, ...] = ()


async def look(
    chain: str, name: str, loaded: LoadedConfig, home: Path, ledger: LedgerPlace
) -> dict[str, Any]:
    """Return an executor's state, and write it and its new events into the ledger."""
    place = place_of(chain, loaded, home)
    announced = Announcements(home, place.name, name).ids()
    async with place.pool() as pool:
        reading = await read_executor(pool, place.require_book().executor(name))

    def against(journal: JournalReader | None) -> Observed:
        return observe(
            reading,
            journal,
            chain_id=place.network.chain_id,
            announced=announced,
            now_ms=SystemClock().now_ms(),
        )

    found: list[Observed] = []

    def new(journal: JournalReader) -> tuple[Body, ...]:
        found.append(against(journal))
        return found[-1].bodies

    _, where = put_down(ledger, new)
    seen = found[-1] if found else against(None)  # a ledger that can not be opened hides nothing
    strangers = [one for one in seen.state.scheduled if not one.announced]
    return {
        "ok": not (reading.differences or seen.unannounced or strangers),
        "chain": chain,
        "recorded": where,
        "differences": list(reading.differences),
        "state": msgspec.to_builtins(seen.state),
        "entries": [change_text(one, glossary_of(place.require_book())) for one in reading.state.entries],
        "events": [msgspec.to_builtins(one) for one in seen.events],
        "unannounced": [msgspec.to_builtins(one) for one in seen.unannounced],
    }


async def waiting(chain: str, name: str, loaded: LoadedConfig, home: Path) -> dict[str, Any]:
    """Return the changes that wait, and whether each was announced."""
    place, reading = await _read(chain, name, loaded, home)
    announced = Announcements(home, place.name, name).ids()
    listed = [_waiting(one, reading, place, announced) for one in reading.state.scheduled]
    return {
        "ok": all(one["announced"] for one in listed),
        "chain": chain,
        "executor": name,
        "at_block": reading.at_block,
        "time_s": reading.time_s,
        "delay_s": reading.state.delay_s,
        "changes": listed,
    }


async def apply_ripe(
    chain: str,
    name: str,
    loaded: LoadedConfig,
    home: Path,
    *,
    also_unannounced: bool,
    key: str | None,
    password: str,
    safe: Path | None,
) -> dict[str, Any]:
    """Apply what is ripe and was announced; what nobody announced stays, unless a person says so."""
    place, reading = await _read(chain, name, loaded, home)
    announced = Announcements(home, place.name, name).ids()
    ripe = [one.change for one in reading.state.scheduled if one.state(reading.time_s) == "ripe"]
    wanted = [one for one in ripe if also_unannounced or one.id in announced]
    deed = _Deed(
        f"apply {len(wanted)} of {len(ripe)} ripe changes",
        tuple(encode_apply(part) for part in parts(wanted)),
        _texts(wanted, place),
        Role.GUARDIAN,
    )
    return await _do(place, reading, deed, home, key=key, password=password, safe=safe)


async def cancel_waiting(
    chain: str,
    name: str,
    ids: Sequence[str],
    loaded: LoadedConfig,
    home: Path,
    *,
    all_unannounced: bool,
    key: str | None,
    password: str,
    safe: Path | None,
) -> dict[str, Any]:
    """Cancel the changes that ``ids`` begin, or all that nobody announced."""
    place, reading = await _read(chain, name, loaded, home)
    announced = Announcements(home, place.name, name).ids()
    found = [
        one.change for one in reading.state.scheduled if all_unannounced and one.change.id not in announced
    ]
    for given in ids:
        found += [_only(given, reading)]
    if not (ids or all_unannounced):
        raise ConfigError("what is cancelled?", found="nothing", allowed="ID…, or --unannounced")
    deed = _Deed(
        f"cancel {len(found)} changes",
        tuple(encode_cancel(part) for part in parts(found)),
        _texts(found, place),
        Role.GUARDIAN,
    )
    return await _do(place, reading, deed, home, key=key, password=password, safe=safe)


async def revoke_entries(
    chain: str,
    name: str,
    named: Named,
    loaded: LoadedConfig,
    home: Path,
    *,
    key: str | None,
    password: str,
    safe: Path | None,
) -> dict[str, Any]:
    """Remove the entries in force that ``named`` names; without key and file only say which.

    Raises
    ------
    ConfigError
        If nothing in force is of that name.
    """
    place, reading = await _read(chain, name, loaded, home)
    gone = [one.removed() for one in entries_named(reading.state, named, place)]
    deed = _Deed(
        f"remove {len(gone)} entries",
        tuple(encode_tighten(part) for part in parts(gone)),
        _texts(gone, place),
        Role.GUARDIAN,
        tuple(gone),
    )
    return await _do(place, reading, deed, home, key=key, password=password, safe=safe)


async def sweep_all(
    chain: str,
    name: str,
    loaded: LoadedConfig,
    home: Path,
    *,
    key: str | None,
    password: str,
    safe: Path | None,
) -> dict[str, Any]:
    """Sweep what the executor holds of the book's tokens, and its ETH."""
    place, reading = await _read(chain, name, loaded, home)
    async with place.pool() as pool:
        held = await _held(pool, place, reading.state.executor)
    tokens = tuple(held)
    deed = _Deed(
        f"sweep {len(held)} tokens to {reading.state.treasury}",
        tuple(encode_sweep(tokens[start : start + SWEEP_MAX]) for start in range(0, len(tokens), SWEEP_MAX)),
        tuple(f"{place.require_book().name_of(token)}: {amount}" for token, amount in held.items()),
        Role.RESCUER,
    )
    return await _do(place, reading, deed, home, key=key, password=password, safe=safe)


async def diff_pair(
    chain: str, main: str, backup: str, loaded: LoadedConfig, home: Path, *, safe: Path | None
) -> dict[str, Any]:
    """Return what differs, and write the proposals that make the backup equal if ``safe`` names a file."""
    place = place_of(chain, loaded, home)
    book = place.require_book()
    async with place.pool() as pool:
        pair = compare(
            await read_executor(pool, book.executor(main)), await read_executor(pool, book.executor(backup))
        )
        written: list[dict[str, Any]] = []
        if safe is not None and not pair.diff.is_empty:
            state = pair.backup.state
            reason = f"{backup} becomes equal to {main}"
            announcements = Announcements(home, place.name, backup)
            steps = steps_of(state, pair.diff)
            written = await write_proposals(pool, state, steps, safe, reason, announcements)
    return {
        "ok": pair.is_empty,
        "chain": chain,
        "main": main,
        "backup": backup,
        "at_block": pair.backup.at_block,
        "schedule": list(_texts(pair.diff.schedule, place)),
        "tighten": list(_texts(pair.diff.tighten, place)),
        "others": list(pair.others),
        "proposals": written,
    }


async def switch_pair(
    chain: str,
    main: str,
    backup: str,
    loaded: LoadedConfig,
    home: Path,
    *,
    key: str | None,
    password: str,
) -> dict[str, Any]:
    """Pause the main executor and let the backup take its name.

    Raises
    ------
    Divergence
        If they differ: nothing is done.
    ConfigError
        If the backup is paused, or one of them stands in a book that people write.
    """
    place = place_of(chain, loaded, home)
    book = place.require_book()
    async with place.pool() as pool:
        pair = compare(
            await read_executor(pool, book.executor(main)), await read_executor(pool, book.executor(backup))
        )
    swapped = switched(book, pair)
    demand_own(place, (f"executor.{main}", f"executor.{backup}"))
    deed = _Deed(f"pause {main}", (encode_pause(),), (), Role.GUARDIAN)
    sent: dict[str, Any] = {"sent": []}
    if not pair.main.state.is_paused:
        sent = await _do(place, pair.main, deed, home, key=key, password=password, safe=None)
    path = write_book(place, swapped, [f"executor.{main}", f"executor.{backup}"])
    return {
        "ok": True,
        "chain": chain,
        "executor": main,
        "what": f"{main} is now {pair.backup.state.executor}, {backup} is {pair.main.state.executor}",
        "lines": [],
        "sent": sent["sent"],
        "proposals": [],
        "book": str(path),
        "next": "start the desk again, under a capability for the other address",
    }


async def _read(chain: str, name: str, loaded: LoadedConfig, home: Path) -> tuple[Place, Reading]:
    place = place_of(chain, loaded, home)
    async with place.pool() as pool:
        return place, await read_executor(pool, place.require_book().executor(name))


async def _do(
    place: Place,
    reading: Reading,
    deed: _Deed,
    home: Path,
    *,
    key: str | None,
    password: str,
    safe: Path | None,
) -> dict[str, Any]:
    """Send the deed's calls by a key, or write them as a proposal; with neither only say what they are."""
    told: dict[str, Any] = {
        "ok": True,
        "chain": place.name,
        "executor": reading.name,
        "what": deed.what,
        "lines": list(deed.lines),
        "calls": [hex_data(data) for data in deed.calls],
        "sent": [],
        "proposals": [],
    }
    if not deed.calls:
        return told
    announcements = Announcements(home, place.name, reading.name)
    async with place.pool() as pool:
        if safe is not None:
            batch = tuple(SafeCall(reading.state.executor, data) for data in deed.calls)
            steps = Steps(batch, (), deed.announces)
            told["proposals"] = await write_proposals(
                pool, reading.state, steps, safe, deed.what, announcements
            )
        elif key is not None:
            actor = Actor(key_of(place, key, keys=home / "keys", password=password), deed.role)
            actor.demand(reading.state)
            announcements.add(deed.announces, deed.what)
            receipts = await by_key(pool, reading.state, actor, deed.calls)
            told["sent"] = [hex_data(one.transaction_hash) for one in receipts]
            told["ok"] = all(one.status == 1 for one in receipts)
    return told


async def _held(pool: RpcPool, place: Place, account: Address) -> dict[Address, int]:
    """Return what ``account`` holds of ETH and of each token of the book, without those it has none of."""
    reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
    held = {ZERO_ADDRESS: await reads.balance(account)}
    for token in place.require_book().tokens.values():
        answer = await reads.call(token.address, encode_call("balanceOf(address)", account))
        held[token.address] = int(decode_output(("uint256",), answer)[0])
    return {token: amount for token, amount in held.items() if amount}


def _only(given: str, reading: Reading) -> Change:
    wanted = given.removeprefix("0x").lower()
    found = [one.change for one in reading.state.scheduled if one.change.id.hex().startswith(wanted)]
    if len(wanted) < 8 or len(found) != 1:
        raise ConfigError(
            "no single change waits under this id",
            found=given[:80],
            allowed="at least eight hex digits that one id begins with",
            fix=f"tidegate desk atomic changes --executor {reading.name}",
        )
    return found[0]


def _waiting(one: Scheduled, reading: Reading, place: Place, announced: frozenset[bytes]) -> dict[str, Any]:
    return {
        "id": hex_data(one.change.id),
        "text": change_text(one.change, glossary_of(place.require_book())),
        "state": one.state(reading.time_s),
        "eta_s": one.eta_s,
        "lapses_at_s": one.lapses_at_s,
        "announced": one.change.id in announced,
    }


def _texts(changes: Sequence[Change], place: Place) -> tuple[str, ...]:
    glossary = glossary_of(place.require_book())
    return tuple(change_text(one, glossary) for one in changes)
