"""Who acts on a devnet: throw-away keys, derived from public labels, the same on every devnet."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tidegate.model import Address, Stage, sha256_hex

if TYPE_CHECKING:
    from tidegate.custody import ThrowAwayKey
    from tidegate.custody.keys import SecpKey

ACCOUNTS = (
    "deployer",  # only creates contracts, so that their addresses are equal in every world
    "admin",  # mints, sets prices, governs the Aave market
    "treasury",
    "provider",  # of liquidity
    "lender",
    "liquidator",
    "trader",
    "arbitrageur",
    "operator",  # of the executor
    "guardian",
    "borrower1",
    "borrower2",
    "borrower3",
    "borrower4",
    *(f"owner{number}" for number in range(1, 6)),  # of the Safe that owns the executor
)


def devnet_key(name: str, *, chain_id: int) -> ThrowAwayKey:
    """Return the key of the devnet account called ``name``. Anyone can derive it."""
    # What signs takes half a second to import, and most commands only read a cached devnet.
    from tidegate.custody import ThrowAwayKey

    return ThrowAwayKey(f"devnet {name}", stage=Stage.PAPER, chain_ids=frozenset({chain_id}))


@lru_cache(maxsize=256)
def devnet_address(name: str) -> Address:
    """Return the address of the devnet account called ``name``."""
    return devnet_key(name, chain_id=0).address


def devnet_handle(name: str) -> SecpKey:
    """Return the same key as something that signs digests: an owner of the devnet's Safe.

    Raises
    ------
    ValueError
        If no devnet account is called ``name``.
    """
    from tidegate.custody.keys import SecpKey

    if name not in ACCOUNTS:
        raise ValueError(f"no devnet account is called {name}")
    secret = sha256_hex(f"tidegate throw-away key: devnet {name}".encode())
    return SecpKey(bytes.fromhex(secret), is_throw_away=True)
