"""Which entries in force a person means: one function, a contract, a protocol, an operator."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.app.deploying.owners import account_of
from tidegate.app.places import Place
from tidegate.chain import selector
from tidegate.model import Address, ConfigError
from tidegate.venues import AddressBook, catalogue
from tidegate.venues.executor import Change, ChangeKind, ExecutorState, Role, parse_policy_key

_OF_A_TARGET = (ChangeKind.POLICY, ChangeKind.LENDER, ChangeKind.SPENDER, ChangeKind.ASSET)


@dataclass(frozen=True, slots=True)
class Named:
    """What is named: exactly one of the three. ``target`` may end in ``:SELECTOR`` or ``:function``."""

    target: str | None = None
    protocol: str | None = None
    operator: str | None = None


def entries_named(state: ExecutorState, named: Named, place: Place) -> tuple[Change, ...]:
    """Return the entries in force that are meant.

    Raises
    ------
    ConfigError
        If none is, or nobody is called so.
    """
    if named.operator is not None:
        who = account_of(named.operator, place)
        found = [
            one
            for one in state.entries
            if one.kind is ChangeKind.ROLE and one.word == Role.OPERATOR and one.account == who
        ]
    elif named.protocol is not None:
        accounts = _of_protocol(named.protocol, place.require_book())
        found = [one for one in state.entries if one.kind in _OF_A_TARGET and one.account in accounts]
    else:
        found = _of_target(state, named.target or "", place)
    if not found:
        raise ConfigError(
            "nothing in force is of that name",
            found=named.target or named.protocol or named.operator or "",
            allowed="a target, protocol or operator of the policy in force",
            fix="tidegate desk atomic state shows what is in force",
        )
    return tuple(found)


def _of_target(state: ExecutorState, text: str, place: Place) -> list[Change]:
    name, _, function = text.partition(":")
    book = place.require_book()
    target = book.tokens[name].address if name in book.tokens else account_of(name, place)
    if not function:
        return [one for one in state.entries if one.kind in _OF_A_TARGET and one.account == target]
    wanted = _selectors(function)
    return [
        one
        for one in state.entries
        if one.kind is ChangeKind.POLICY
        and parse_policy_key(one.key)[0] == target
        and parse_policy_key(one.key)[1] in wanted
    ]


def _selectors(function: str) -> frozenset[bytes]:
    """Return the selectors that a person means: hex, a whole signature, or the name of a known function."""
    if function.startswith("0x"):
        try:
            return frozenset({bytes.fromhex(function[2:])})
        except ValueError as error:
            raise ConfigError("not a selector", found=function[:40], allowed="0x and eight digits") from error
    if "(" in function:
        return frozenset({selector(function)})
    known = {
        edition.selector
        for spec in catalogue().values()
        for edition in spec.all_editions
        if edition.signature.partition("(")[0] == function
    }
    return frozenset(known | {selector(f"{function}(address,uint256)")} if function == "approve" else known)


def _of_protocol(protocol: str, book: AddressBook) -> frozenset[Address]:
    found = frozenset(
        entry.address
        for name, entry in book.contracts.items()
        if name.partition(".")[0] == protocol or entry.protocol == protocol
    )
    if not found:
        protocols = sorted({name.partition(".")[0] for name in book.contracts})
        raise ConfigError("no such protocol", found=protocol, allowed=", ".join(protocols))
    return found
