"""Whether an account may operate an executor at all, and what to do when it, or a strategy, may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.chain import decode_output, encode_call
from tidegate.model import Denied, Reason, TidegateError, Unavailable
from tidegate.venues import StateView
from tidegate.venues.executor import Role

if TYPE_CHECKING:
    from tidegate.desks.atomic.machine.quoting import Assignment


def how_to_allow(job: Assignment) -> str:
    """Return what a person does so that ``job`` may run: on a devnet a command, else a batch."""
    options = (
        f"--executor {job.strategy.executor} --chain {job.book.chain} --operator {job.operator} "
        "--safe policy.json"
    )
    return (
        f"on a devnet: tidegate devnet allow {job.book.chain} FILE --account {job.operator}; "
        f"elsewhere the executor's owner gives role and policy: tidegate strategy policy FILE {options}"
    )


def role_refusal(job: Assignment, view: StateView) -> Denied | None:
    """Return why the job's account may not operate its executor; None if it may.

    One read. An executor that does not say who its operators are is no refusal here: what is run on it says
    what it is.

    Raises
    ------
    Unavailable
        If the chain does not answer.
    """
    try:
        answer = view.call(job.executor, encode_call("roles(address)", job.operator))
        (role,) = decode_output(("uint256",), answer)
    except Unavailable:
        raise
    except TidegateError:
        return None
    if role == Role.OPERATOR:
        return None
    return Denied(
        Reason.ROLE_MISSING,
        f"{job.operator} is no operator of {job.strategy.executor} ({job.executor}) on {job.book.chain}",
        found="no role" if role == 0 else f"role {role}",
        allowed=f"role {Role.OPERATOR.value}, operator",
        fix=how_to_allow(job),
    )
