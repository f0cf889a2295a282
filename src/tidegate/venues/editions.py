"""Which edition of an interface a contract speaks, told from its own code."""

from __future__ import annotations

from tidegate.venues.action_files import catalogue

PUSH4 = b"\x63"
"""A contract finds its functions by comparing the selector with constants that PUSH4 brings."""


def edition_of(contract: str, code: bytes) -> str:
    """Return the edition that the code at a contract of the book speaks, empty if it is the usual one.

    The address book keeps it beside the hash of the same code, so that bytes for one edition are never
    sent to another: a router that some chain calls ``uniswap_v3.router`` may be either of two.

    Parameters
    ----------
    contract
        Its name in the address book; actions that are not called on it do not matter.
    code
        Its runtime code.
    """
    for spec in catalogue().values():
        called = spec.inputs.get(spec.target)
        if not spec.editions or called is None or not called.admits(contract):
            continue
        for name, edition in spec.editions.items():
            if PUSH4 + edition.selector in code:
                return name
    return ""
