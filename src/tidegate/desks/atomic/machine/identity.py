"""Whether what a strategy calls is still the code that the address book knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidegate.chain import keccak256
from tidegate.desks.atomic.language.syntax import ActionStep, walk
from tidegate.desks.atomic.machine.names import Names
from tidegate.desks.atomic.machine.raw_calls import RAW_CALL, target_of
from tidegate.model import Address, Tampered
from tidegate.venues import StateView

if TYPE_CHECKING:
    from tidegate.desks.atomic.machine.quoting import Assignment


def demand_known_code(job: Assignment, view: StateView) -> None:
    """Refuse to plan on code that is not the book's. An entry without a hash claims nothing.

    Lenders and what guards read are judged where they are chosen and asked.

    Raises
    ------
    Tampered
        ATM005, with both hashes.
    """
    known = {claim.address: claim for claim in job.book.claims() if claim.code_hash}
    for account in dict.fromkeys(_called(job)):
        if (claim := known.get(account)) is None:
            continue
        found = keccak256(view.code(account)).hex()
        if found != claim.code_hash:
            raise Tampered(
                f"the code of {claim.name} ({account}) is not the one that the address book knows",
                code="ATM005",
                found=f"0x{found}",
                allowed=f"0x{claim.code_hash}",
                fix=f"stop and find out what changed: tidegate verify addresses --chain {job.book.chain}",
            )


def _called(job: Assignment) -> Iterator[Address]:
    names = Names(job.book, job.executor)
    yield job.executor
    for step in walk(job.strategy.steps):
        if isinstance(step, ActionStep) and step.use != RAW_CALL:
            yield names.target(names.spec(step), step)
        elif isinstance(step, ActionStep):
            yield target_of(step, names)
