"""Which argument rules a function is called under: the adapters' answer to the policy maker."""

from __future__ import annotations

from tidegate.chain import selector
from tidegate.model import Address
from tidegate.venues.action_files import catalogue
from tidegate.venues.actions import ActionKind, ActionSpec, InputType
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
        if spec.kind is ActionKind.RESET:
            continue  # the executor's own APPROVE, which its spenders hold
        for target, edition in action_places(spec, book):
            known[target, edition.selector] = edition.permission
    if "guard_lens" in book.contracts:
        for view in LENS_READS:
            known[book.entry("guard_lens").address, selector(view)] = Permission(read=True)

    def of(target: Address, function: bytes) -> Permission | None:
        return known.get((target, function))

    return of


def action_places(spec: ActionSpec, book: AddressBook) -> tuple[tuple[Address, ActionSpec], ...]:
    """Return where the action exists, each contract with the edition that it speaks.

    That is one contract of the book, every contract that the called input admits, or every token.
    """
    called = spec.inputs.get(spec.target)
    if called is not None and called.type is InputType.TOKEN:
        return tuple((token.address, spec) for token in book.tokens.values())
    return tuple(
        (entry.address, spec.spoken_by(entry))
        for name, entry in book.contracts.items()
        if (name == spec.target if called is None else called.admits(name))
    )
