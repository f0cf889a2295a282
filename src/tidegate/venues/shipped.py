"""The address books that come with the package: published addresses of the networks we name.

Every entry has the URL where its publisher states it and the day it was written. None has a code hash:
that is a fact of the chain, which a person looks at and records (``tidegate verify addresses --confirm``).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from tidegate.venues.book import AddressBook, load_book

SHIPPED = ("ethereum", "arbitrum", "optimism", "base", "sepolia")
"""The networks, by their names in the registry."""


@lru_cache(maxsize=len(SHIPPED))
def shipped_book(network: str) -> AddressBook | None:
    """Return the book of a network of the registry, None where none is shipped."""
    if network not in SHIPPED:
        return None
    file = files("tidegate") / "addresses" / f"{network}.toml"
    return load_book(file.read_text(encoding="utf-8"), where=f"addresses/{network}.toml of the package")
