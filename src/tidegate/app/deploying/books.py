"""The book that this program writes: executors that it deployed, code hashes that people confirmed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tidegate.app.devnet import to_toml
from tidegate.app.places import Place
from tidegate.model import ConfigError
from tidegate.venues import AddressBook, load_book

_HEAD = """\
# Written by tidegate: executors that were deployed and code hashes that people confirmed.
# It is laid over the book that the configuration names, and that over the one of the package.

"""


def write_book(place: Place, book: AddressBook, names: Iterable[str]) -> Path:
    """Record the contracts and tokens of ``book`` called ``names``: whole and flushed, or not at all.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If nothing can be recorded for this chain, or its file can not be written.
    """
    path = place.recorded
    if path is None:
        raise ConfigError(f"nothing can be recorded for {place.name}", code="book", found="no file")
    own = _own(path, book)
    tokens = {name: book.tokens[name] for name in names if name in book.tokens}
    contracts = {name: book.contracts[name] for name in names if name in book.contracts}
    own = msgspec.structs.replace(
        own, tokens={**own.tokens, **tokens}, contracts={**own.contracts, **contracts}
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            file.write(_HEAD + to_toml(own.as_mapping()))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} can not be written", code="book", found=error.strerror or str(error)
        ) from error
    return path


def demand_own(place: Place, names: Iterable[str]) -> None:
    """Demand that ``names`` stand in the book that this program writes: those of people are theirs to mend.

    Raises
    ------
    ConfigError
        If one does not.
    """
    path, book = place.recorded, place.require_book()
    own = {} if path is None or not path.exists() else _own(path, book).contracts
    others = [name for name in names if name not in own]
    if others:
        raise ConfigError(
            "an executor stands in the configured book, which this program does not write",
            code="book",
            found=", ".join(others),
            allowed=f"executors of {path}",
            fix="let the two names change places there by hand",
        )


def _own(path: Path, book: AddressBook) -> AddressBook:
    if path.exists():
        return load_book(path.read_text(encoding="utf-8"), where=str(path))
    return AddressBook(chain=book.chain, chain_id=book.chain_id, tokens={}, contracts={})
