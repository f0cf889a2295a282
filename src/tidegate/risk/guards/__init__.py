"""Guards: conditions on a plan, before sending, inside the transaction, after inclusion.

Pure: reads are named by the guard and answered by whoever runs it, pinned to one block. A new guard
is one file here and one test, or an entry point in the group ``tidegate.guards``. Desks place
guards; the pipeline acts on their results.
"""

from tidegate.risk.guards.facts import (
    BalanceOf,
    Before,
    CodeOf,
    Hop,
    LendingFacts,
    LentFacts,
    LoanFacts,
    Question,
    Read,
    RunFacts,
    StepFacts,
    word,
)
from tidegate.risk.guards.feeds import feeds_of
from tidegate.risk.guards.interface import (
    PASSED,
    Guard,
    GuardContext,
    Parameter,
    ParameterKind,
    verdict,
)
from tidegate.risk.guards.onchain import OnChain, OnChainCheck, OnChainLine, Position
from tidegate.risk.guards.registry import ENTRY_POINT_GROUP, fill_parameters, find_guard, guards, judge

__all__ = [
    "ENTRY_POINT_GROUP",
    "PASSED",
    "BalanceOf",
    "Before",
    "CodeOf",
    "Guard",
    "GuardContext",
    "Hop",
    "LendingFacts",
    "LentFacts",
    "LoanFacts",
    "OnChain",
    "OnChainCheck",
    "OnChainLine",
    "Parameter",
    "ParameterKind",
    "Position",
    "Question",
    "Read",
    "RunFacts",
    "StepFacts",
    "feeds_of",
    "fill_parameters",
    "find_guard",
    "guards",
    "judge",
    "verdict",
    "word",
]
