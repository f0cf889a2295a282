"""Verifying by command: read the chain, hold it against what is known, write down what was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tidegate.app.config import LoadedConfig
from tidegate.app.deploying.addresses import Looked, Verdict, confirm, look_at_addresses
from tidegate.app.deploying.announced import Announcements
from tidegate.app.deploying.books import write_book
from tidegate.app.deploying.needs import needs_of
from tidegate.app.deploying.observing import observe
from tidegate.app.deploying.owners import safe_findings
from tidegate.app.deploying.reading import Reading, read_executor
from tidegate.app.deploying.verify import TAMPERED, judge_executor, recorded
from tidegate.app.deploying.witnessing import put_down
from tidegate.app.findings import Finding
from tidegate.app.places import Place, place_of
from tidegate.chain.rpc import RpcPool
from tidegate.ledger import AddressesCheckedBody, CheckedAddress
from tidegate.ledger import Place as LedgerPlace
from tidegate.model import SystemClock, Tampered
from tidegate.venues import Entry
from tidegate.venues.executor import demand_recorded, executor_build

_UNKNOWN = 12


async def verify_executors(
    chain: str,
    name: str | None,
    strategies: Sequence[Path],
    *,
    loaded: LoadedConfig,
    home: Path,
    ledger: LedgerPlace,
    confirmed_by: str | None,
) -> tuple[list[dict[str, Any]], int]:
    """Return every executor with its findings, and the exit code: 0, 1, or 13 if one is not ours.

    Parameters
    ----------
    name
        An executor of the book; None for all of them.
    strategies
        Files that its policy must fit exactly; each counts for the executor that it names.
    confirmed_by
        Who has compared what stands there: it is recorded as what must stand there from now on.
    """
    place = place_of(chain, loaded, home)
    book = place.require_book()
    demand_recorded(executor_build())
    told, code = [], 0
    async with place.pool() as pool:
        for one in [name] if name is not None else book.executors():
            entry = book.executor(one)
            reading = await read_executor(pool, entry)
            if confirmed_by is not None:
                entry = _confirmed(place, entry, reading, confirmed_by)
            findings = await _judged(pool, place, entry, reading, strategies, home)
            code = max(code, _code_of(findings))
            told.append(
                {
                    "name": reading.name,
                    "address": entry.address,
                    "at_block": reading.at_block,
                    "roles": recorded(reading),
                    "findings": [msgspec.to_builtins(finding) for finding in findings],
                    "recorded": _put_down(place, reading, ledger, home),
                }
            )
    return told, code


async def verify_addresses(
    chain: str,
    names: Sequence[str],
    *,
    by: str,
    loaded: LoadedConfig,
    home: Path,
    ledger: LedgerPlace,
) -> tuple[dict[str, Any], int]:
    """Return what came of looking at every address, and the exit code: 0, 1, 12 or 13.

    Parameters
    ----------
    names
        What ``by`` has compared with its source: the code that stands there is recorded.

    Raises
    ------
    ConfigError, Tampered
        As ``confirm`` does; nothing is recorded then.
    """
    place = place_of(chain, loaded, home)
    book = place.require_book()
    path = None
    async with place.pool() as pool:
        block, looked = await look_at_addresses(pool, book)
        if names:
            note = f"{by}, {datetime.now(UTC).date().isoformat()}, block {block.number}"
            book = confirm(book, looked, names, note=note)
            path = write_book(place, book, names)
            block, looked = await look_at_addresses(pool, book)
    body = AddressesCheckedBody(
        chain_id=place.network.chain_id,
        chain=chain,
        at_block=block.number,
        addresses=tuple(
            CheckedAddress(name=one.name, address=one.address, verdict=one.verdict.value, code_hash=one.found)
            for one in looked
        ),
        confirmed=tuple(names),
        by=by if names else "",
    )
    _, where = put_down(ledger, lambda _: (body,))
    return {
        "chain": chain,
        "at_block": block.number,
        "addresses": [msgspec.to_builtins(one) for one in looked],
        "confirmed": list(names),
        "by": by,
        "book": None if path is None else str(path),
        "recorded": where,
    }, _worst(looked)


def _confirmed(place: Place, entry: Entry, reading: Reading, by: str) -> Entry:
    when = datetime.now(UTC).date().isoformat()
    updated = msgspec.structs.replace(
        entry,
        code_hash=reading.code_hash,
        confirmed=f"{by}, {when}, block {reading.at_block}",
        about={**entry.about, **recorded(reading)},
    )
    write_book(place, place.require_book().with_entries(updated), [updated.name])
    return updated


async def _judged(
    pool: RpcPool, place: Place, entry: Entry, reading: Reading, strategies: Sequence[Path], home: Path
) -> tuple[Finding, ...]:
    book = place.require_book()
    wanted = (
        (await asyncio.to_thread(needs_of, place, strategies, reading.name)).changes if strategies else None
    )
    return judge_executor(
        reading,
        entry,
        book,
        place.network,
        safe=await safe_findings(pool, reading.state.owner),
        wanted=wanted,
        announced=Announcements(home, place.name, reading.name).ids(),
    )


def _put_down(place: Place, reading: Reading, ledger: LedgerPlace, home: Path) -> str:
    announced = Announcements(home, place.name, reading.name).ids()
    _, where = put_down(
        ledger,
        lambda journal: (
            observe(
                reading,
                journal,
                chain_id=place.network.chain_id,
                announced=announced,
                now_ms=SystemClock().now_ms(),
            ).bodies
        ),
    )
    return where


def _code_of(findings: Sequence[Finding]) -> int:
    wrong = {finding.check for finding in findings if not finding.ok}
    if wrong & TAMPERED:
        return Tampered.exit_code
    return int(bool(wrong))


def _worst(looked: Sequence[Looked]) -> int:
    verdicts = {one.verdict for one in looked}
    if Verdict.CHANGED in verdicts:
        return Tampered.exit_code
    if verdicts & {Verdict.NO_CODE, Verdict.NO_SOURCE, Verdict.WRONG_ANSWER}:
        return 1
    return _UNKNOWN if Verdict.UNVERIFIED in verdicts else 0
