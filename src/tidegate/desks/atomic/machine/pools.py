"""The pools that a swap goes through, as the address book knows them."""

from __future__ import annotations

from itertools import pairwise

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.language.scene import list_items
from tidegate.desks.atomic.machine.names import Names
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.model import Address
from tidegate.risk.guards import Hop
from tidegate.venues import ActionSpec, AddressBook

V2_FEE_MILLIONTHS = 3_000
"""Every pair of Uniswap v2 keeps 0.3 %: ``UniswapV2Library.getAmountOut``."""


def hops_of(step: syntax.ActionStep, spec: ActionSpec, job: Assignment) -> tuple[Hop, ...]:
    """Return the pools in the order of the path; none if the book lacks one, or the venue is another."""
    names = Names(job.book, job.executor)
    venue = step.use.partition(".")[0]
    via = list_items(step.inputs["via"]) if "via" in step.inputs else ()
    path = [
        names.token(spec, step, "token_in").address,
        *(names.token_of(item).address for item in via),
        names.token(spec, step, "token_out").address,
    ]
    legs = list(pairwise(path))
    fees = _fees(step, job) if venue == "uniswap_v3" else [V2_FEE_MILLIONTHS] * len(legs)
    if venue not in ("uniswap_v2", "uniswap_v3") or len(fees) != len(legs):
        return ()
    hops = []
    for (token_in, token_out), fee in zip(legs, fees, strict=True):
        pool = _pool(job.book, venue, {token_in, token_out}, fee)
        if pool is None:
            return ()
        hops.append(Hop(venue, pool, token_in, token_out, fee))
    return tuple(hops)


def _fees(step: syntax.ActionStep, job: Assignment) -> list[int]:
    given = step.inputs.get("fee") or step.inputs.get("fees")
    found = []
    for item in () if given is None else list_items(given):
        value = job.blinds.get(item.name) if isinstance(item, syntax.BlindRef) else None
        if isinstance(item, syntax.Literal):
            value = item.base_units
        if isinstance(value, int):
            found.append(value)
    return found


def _pool(book: AddressBook, venue: str, tokens: set[Address], fee: int) -> Address | None:
    kind = "pool" if venue == "uniswap_v3" else "pair"
    for name, entry in book.contracts.items():
        if not name.startswith(f"{venue}.{kind}."):
            continue
        about = entry.about
        if {about.get("token0"), about.get("token1")} == tokens and about.get("fee", str(fee)) == str(fee):
            return entry.address
    return None
