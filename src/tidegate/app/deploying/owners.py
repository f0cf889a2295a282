"""Names to accounts, and what stands behind an owner: a Safe read from the chain, or none."""

from __future__ import annotations

from tidegate.app.devnet import ACCOUNTS, devnet_address
from tidegate.app.places import Place
from tidegate.chain import NetworkKind, address
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.custody.multisig import SafeFinding, SafeRules, judge_safe, read_safe
from tidegate.model import Address, Divergence, Rejected


def account_of(name: str, place: Place, *, kind: str = "") -> Address:
    """Return the account called ``name``: an address, an entry of the book, on a devnet one of its accounts.

    Parameters
    ----------
    kind
        What the entry's name begins with, such as ``safe``: then ``owner`` means ``safe.owner``.

    Raises
    ------
    ConfigError
        ATM111 if nobody is called so.
    """
    if name.startswith("0x"):
        return address(name)
    book = place.require_book()
    full = f"{kind}.{name}" if kind and not name.startswith(f"{kind}.") else name
    if full not in book.contracts and place.network.kind is NetworkKind.DEVNET and name in ACCOUNTS:
        return devnet_address(name)
    return book.entry(full).address


async def safe_findings(pool: RpcPool, owner: Address) -> tuple[SafeFinding, ...] | None:
    """Return what is found of ``owner`` as a Safe by the house's rules; None if no Safe answers there."""
    reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
    if not await reads.code(owner):
        return None
    try:
        state = await read_safe(reads, owner)
    except (Divergence, Rejected):
        return None
    return judge_safe(state, SafeRules())
