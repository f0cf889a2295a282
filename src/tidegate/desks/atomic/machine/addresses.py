"""The names that a file gives to addresses, laid over the address book.

An alias stands for what the book knows under another name. A raw address comes with the place where it is
published; nobody has compared its code, so production refuses it until somebody did (``verify addresses``).
"""

from __future__ import annotations

import msgspec

from tidegate.chain import address
from tidegate.desks.atomic.language.syntax import AddressEntry, Strategy
from tidegate.desks.atomic.machine.names import located
from tidegate.model import ConfigError
from tidegate.venues import AddressBook, Entry


def book_of(strategy: Strategy, book: AddressBook) -> AddressBook:
    """Return the book in which the strategy's own names stand beside the chain's.

    Raises
    ------
    ConfigError
        ATM111 for an alias of nothing; ATM112 for an address with a wrong checksum, or a name that the book
        has for another address: a file may add names, never change what one means.
    """
    entries = []
    for written in strategy.addresses.values():
        with located(written.position):
            entry = _entry(written, book)
        known = book.contracts.get(written.name)
        if known is not None and known.address != entry.address:
            raise ConfigError(
                f"{written.name} is a name of the address book",
                code="ATM112",
                found=f"{entry.address}, where the book has {known.address}",
                allowed="a name of its own",
                fix=f"rename {written.name}",
                position=written.position,
            )
        if known is None:
            entries.append(entry)
    return book.with_entries(*entries)


def _entry(written: AddressEntry, book: AddressBook) -> Entry:
    if written.book_name:
        return msgspec.structs.replace(book.entry(written.book_name), name=written.name)
    account = address(written.address)
    known = next((entry for entry in book.contracts.values() if entry.address == account), None)
    if known is not None:
        return msgspec.structs.replace(known, name=written.name)
    return Entry(name=written.name, address=account, source=written.source)
