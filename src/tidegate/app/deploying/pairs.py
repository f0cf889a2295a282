"""A main executor and its backup: what differs, and how the backup takes over.

Strategies name an executor, not an address. So the backup takes over by the book: the two names change
places, in one write.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from tidegate.app.deploying.reading import Reading
from tidegate.model import ZERO_ADDRESS, ConfigError, Divergence
from tidegate.venues import AddressBook
from tidegate.venues.executor import Change, ChangeKind, Diff, diff_policy


@dataclass(frozen=True, slots=True)
class Pair:
    """What turns ``backup`` into ``main``: changes, removals, and differences that no change mends."""

    main: Reading
    backup: Reading
    diff: Diff
    others: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether the backup could take over now."""
        return self.diff.is_empty and not self.others


def compare(main: Reading, backup: Reading) -> Pair:
    """Return what differs between two executors, in the direction of the main one.

    Roles are entries like others: guardians that the constructor named count too. Who is paid, who owns
    and how long changes wait can not be changed by a policy; they are told in words.
    """
    diff = diff_policy(_comparable(backup.state.entries), _comparable(main.state.entries))
    one, other = main.state, backup.state
    facts = {
        "owner": (one.owner, other.owner),
        "treasury": (one.treasury, other.treasury),
        "weth": (one.weth, other.weth),
        "delay": (f"{one.delay_s} s", f"{other.delay_s} s"),
        "code": (main.code_hash, backup.code_hash) if one.delay_s == other.delay_s else ("", ""),
    }
    others = [
        f"{what}: {main.name} {mine}, {backup.name} {its}"
        for what, (mine, its) in facts.items()
        if mine != its
    ]
    for reading in (main, backup):
        others += [f"{reading.name}: {difference}" for difference in reading.differences]
        if reading.state.pending_owner != ZERO_ADDRESS:
            others.append(f"{reading.name}: ownership is offered to {reading.state.pending_owner}")
    return Pair(main, backup, diff, tuple(others))


def switched(book: AddressBook, pair: Pair) -> AddressBook:
    """Return the book in which main and backup have changed places.

    Raises
    ------
    Divergence
        If they are not the same: the strategies would not run as they were approved.
    ConfigError
        If the backup is paused.
    """
    if not pair.is_empty:
        raise Divergence(
            f"{pair.backup.name} is not in sync with {pair.main.name}",
            code="executors_differ",
            found="; ".join([f"{len(pair.diff.schedule) + len(pair.diff.tighten)} entries", *pair.others]),
            allowed="no difference",
            fix=f"tidegate desk atomic diff {pair.main.name} {pair.backup.name}",
        )
    if pair.backup.state.is_paused:
        raise ConfigError(
            f"{pair.backup.name} is paused",
            code="executor_paused",
            found="paused",
            allowed="an executor that runs",
            fix="the owner unpauses it: tidegate safe propose",
        )
    main, backup = book.executor(pair.main.name), book.executor(pair.backup.name)
    return book.with_entries(
        msgspec.structs.replace(backup, name=main.name), msgspec.structs.replace(main, name=backup.name)
    )


def _comparable(entries: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(change for change in entries if change.kind is not ChangeKind.TREASURY)
