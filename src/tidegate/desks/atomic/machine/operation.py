"""What a strategy does to the risk, judged from the program that it compiles to.

The file has no word for it: nobody can call an opening an exit. The signer judges the same bytes by the
same function.
"""

from __future__ import annotations

from tidegate.desks.atomic.language.syntax import ActionStep, walk
from tidegate.desks.atomic.machine.compiler import compile_program
from tidegate.desks.atomic.machine.planner import closed_terms
from tidegate.desks.atomic.machine.prospect import Prospect
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.model import Denied, Intent, Operation, Plan, Reason
from tidegate.venues import REDUCING, AddressBook, Verdict, catalogue, exit_functions, judge_operation
from tidegate.venues.executor import decode_execute, disassemble


def operation_of(job: Assignment, prospect: Prospect) -> Verdict:
    """Return what the strategy would do at the head that ``prospect`` was quoted at.

    A strategy without a step that repays or withdraws is not compiled for it: it opens. A raw call that
    does the same is not looked for, and opens too.
    """
    if not any(_reduces(step.use) for step in walk(job.strategy.steps) if isinstance(step, ActionStep)):
        return Verdict(Operation.OPEN, "no step repays or withdraws")
    terms = closed_terms(job, prospect, deadline_s=prospect.base.run.deadline_s)
    program = compile_program(job.strategy, job.book, job.blinds, terms).program
    return judge_operation(program, job.executor, exit_functions(job.book))


def demand_exit(intent: Intent, plan: Plan, book: AddressBook) -> None:
    """Refuse a plan whose bytes are no exit although its intent is one: it would pass what holds openings.

    Raises
    ------
    Denied
        ``not_an_exit``, with the rule that the bytes break.
    """
    if not intent.operation.is_exit:
        return
    program = disassemble(decode_execute(plan.data))
    verdict = judge_operation(program, plan.to, exit_functions(book))
    if not verdict.operation.is_exit:
        raise Denied(
            Reason.NOT_AN_EXIT,
            f"the plan of {intent.subject} is no exit any more",
            found=verdict.why_no_exit,
            allowed="what it was decided as: " + intent.operation.value,
            fix="the next decision judges it anew; docs/how-to/write-a-strategy.md says what an exit is",
        )


def _reduces(action: str) -> bool:
    spec = catalogue().get(action)
    return spec is not None and spec.kind in REDUCING
