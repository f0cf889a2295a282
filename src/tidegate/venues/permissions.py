"""Which argument rules a function is called under: the adapters' answer to the policy maker."""

from __future__ import annotations

from tidegate.chain import selector
from tidegate.model import Address
from tidegate.venues.actions import ActionSpec, catalogue
from tidegate.venues.book import AddressBook
from tidegate.venues.executor import Permission, PermissionBook

LENS_READS = (
    "chainlink(address,uint256)",
    "sequencer_up(address,uint256)",
    "tick_gap(address,uint32)",
    "health_factor(address,address)",
)
"""The views of our guard lens; they only read, so they need no argument rule."""


def permissions(book: AddressBook) -> PermissionBook:
    """Return the rules of every (target, selector) that the adapters know on one chain."""
    known: dict[tuple[Address, bytes], Permission] = {}
    for spec in catalogue().values():
        for target in action_targets(spec, book):
            known[target, spec.selector] = spec.permission
    if "guard_lens" in book.contracts:
        for view in LENS_READS:
            known[book.entry("guard_lens").address, selector(view)] = Permission(read=True)

    def of(target: Address, function: bytes) -> Permission | None:
        return known.get((target, function))

    return of


def action_targets(spec: ActionSpec, book: AddressBook) -> tuple[Address, ...]:
    """Return the contracts on which the action exists: one of the book, or every token."""
    if spec.target in spec.inputs:
        return tuple(token.address for token in book.tokens.values())
    return (book.entry(spec.target).address,) if spec.target in book.contracts else ()
