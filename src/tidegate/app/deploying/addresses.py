"""Look at every address of a book: does the code that was recorded stand there, and does its probe answer.

A machine looks; a person confirms. What nobody has confirmed is unverified, and production refuses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from enum import StrEnum

import msgspec

from tidegate.chain import ChainReads, keccak256
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.model import Address, Block, ConfigError, Divergence, Rejected, Tampered
from tidegate.venues import AddressBook, Entry, edition_of, parse_probe

DEVNET_SOURCE = "devnet"
"""The source of what a devnet says of itself; it needs no date."""


ACCOUNTS = frozenset({"account", "treasury"})
"""Protocols of entries that are accounts, with or without code."""


class Verdict(StrEnum):
    """What came of looking at one address, worst first; an account is not expected to have code."""

    CHANGED = "changed"
    NO_CODE = "no code"
    NO_SOURCE = "no source"
    WRONG_ANSWER = "wrong answer"
    UNVERIFIED = "unverified"
    ACCOUNT = "account"
    SAME = "same"


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One address as it was found.

    ``found`` is the code's keccak, ``said`` what the probe answered, ``edition`` which of an interface the
    code speaks.
    """

    name: str
    address: Address
    verdict: Verdict
    found: str
    recorded: str
    probe: str
    answer: str
    said: str
    source: str
    date: str
    confirmed: str
    edition: str = ""


async def look_at_addresses(
    pool: RpcPool, book: AddressBook, names: Collection[str] = ()
) -> tuple[Block, tuple[Looked, ...]]:
    """Look at all that the book claims, or at ``names`` alone, at the newest block."""
    reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
    block = await reads.block()
    claims = [claim for claim in book.claims() if not names or claim.name in names]
    found = await asyncio.gather(*(_look(reads, claim, block) for claim in claims))
    return block, tuple(found)


def confirm(book: AddressBook, looked: Iterable[Looked], names: Collection[str], *, note: str) -> AddressBook:
    """Return the book with the code hashes that were found for ``names``, as ``note`` says by whom and when.

    Raises
    ------
    ConfigError
        If a name was not looked at, has no source, or no code stands there.
    Tampered
        If its probe answered otherwise than the book says.
    """
    seen = {one.name: one for one in looked}
    for name in names:
        one = seen.get(name)
        if one is None:
            raise ConfigError(
                f"{name} is not in the book", code="ATM111", found=name, allowed=f"{len(seen)} names"
            )
        if one.verdict is Verdict.WRONG_ANSWER:
            raise Tampered(
                f"{name} is not what the book says: nothing is recorded",
                code="probe",
                found=f"{one.probe} answers {one.said or 'nothing'}",
                allowed=one.answer,
                fix=f"compare {one.address} with {one.source}",
            )
        if one.verdict in (Verdict.NO_CODE, Verdict.NO_SOURCE):
            raise ConfigError(
                f"{name} can not be confirmed",
                code="address",
                found=one.verdict.value,
                allowed="an address with code, a source and a date",
                fix="mend the entry first",
            )
        book = book.confirmed(name, code_hash=one.found, note=note, edition=one.edition)
    return book


async def _look(reads: ChainReads, claim: Entry, block: Block) -> Looked:
    code = await reads.code(claim.address, block.hash)
    said = await _answer(reads, claim, block) if claim.probe and code else ""
    return Looked(
        name=claim.name,
        address=claim.address,
        verdict=_verdict(claim, code, said),
        found=keccak256(code).hex() if code else "",
        recorded=claim.code_hash,
        probe=claim.probe,
        answer=claim.answer,
        said=said,
        source=claim.source,
        date=claim.date,
        confirmed=claim.confirmed,
        edition=edition_of(claim.name, code),
    )


async def _answer(reads: ChainReads, claim: Entry, block: Block) -> str:
    probe = parse_probe(claim.probe)
    try:
        return probe.read(await reads.call(claim.address, probe.data, block=block.hash))
    except (Divergence, Rejected):  # it reverts, or answers with something else: another contract
        return ""


def _verdict(claim: Entry, code: bytes, said: str) -> Verdict:
    if claim.code_hash and (not code or keccak256(code).hex() != claim.code_hash):
        return Verdict.CHANGED
    if not claim.source or (not claim.date and claim.source != DEVNET_SOURCE):
        return Verdict.NO_SOURCE
    if not code:
        return Verdict.ACCOUNT if claim.protocol in ACCOUNTS else Verdict.NO_CODE
    if claim.probe and said != claim.answer:
        return Verdict.WRONG_ANSWER
    return Verdict.SAME if claim.is_verified else Verdict.UNVERIFIED
