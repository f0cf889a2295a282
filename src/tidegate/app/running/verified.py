"""Production touches only addresses that a person has confirmed.

What an executor may touch is what its policy on chain names, and the price feeds of those tokens. So that,
and nothing that a file says, is held against the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tidegate.app.deploying.reading import Reading, read_executor
from tidegate.chain.rpc import RpcPool
from tidegate.model import Address, ConfigError
from tidegate.venues import AddressBook, Entry
from tidegate.venues.executor import ChangeKind

_NAMED = (ChangeKind.POLICY, ChangeKind.LENDER, ChangeKind.SPENDER, ChangeKind.ASSET)


async def demand_verified(pool: RpcPool, book: AddressBook, executors: Iterable[str]) -> None:
    """Demand that the book has a confirmed code hash for all that the executors may touch, and for them.

    Raises
    ------
    ConfigError
        ``unverified_addresses``, with their names.
    """
    for name in executors:
        entry = book.executor(name)
        missing = unverified_of(await read_executor(pool, entry), entry, book)
        if missing:
            raise ConfigError(
                f"{name} may touch addresses that nobody has confirmed",
                code="unverified_addresses",
                found=", ".join(missing),
                allowed="addresses whose code a person has compared and recorded",
                fix=f"tidegate verify addresses --chain {pool.network.name} --confirm NAME --by WHO",
            )


def unverified_of(reading: Reading, entry: Entry, book: AddressBook) -> tuple[str, ...]:
    """Return the names (addresses, where the book has none) that are unverified, sorted."""
    claims: dict[Address, list[Entry]] = {}
    for claim in book.claims():
        claims.setdefault(claim.address, []).append(claim)
    touched = {change.account for change in reading.state.entries if change.kind in _NAMED}
    feeds = {
        book.entry(token.feed).address
        for token in book.tokens.values()
        if token.address in touched and token.feed in book.contracts and token.feed is not None
    }
    return tuple(sorted(_missing({entry.address, *touched, *feeds}, claims)))


def _missing(accounts: Iterable[Address], claims: dict[Address, list[Entry]]) -> Iterator[str]:
    for account in accounts:
        known = claims.get(account, [])
        if not known:
            yield account
        elif not any(claim.is_verified for claim in known):
            yield known[0].name
