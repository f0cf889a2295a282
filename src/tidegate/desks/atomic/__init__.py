"""The atomic desk: a written strategy becomes one transaction that does all of it, or nothing.

Files of any author are read safely, refused with line and column, judged by the linter, explained
in sentences, and compiled to a program of the executor. Decides and builds; does no I/O but reading
the file it is given, holds no keys. The pipeline drives it; the command line and ``app/runtime`` call.
"""

from tidegate.desks.atomic.language.blind_values import complete_blinds, load_blinds
from tidegate.desks.atomic.language.findings import MEANINGS, UNREADABLE, Finding, unseen
from tidegate.desks.atomic.language.loader import Elsewhere, TokenTables, load_strategy, parse_strategy
from tidegate.desks.atomic.language.schema import json_schema
from tidegate.desks.atomic.language.syntax import Strategy
from tidegate.desks.atomic.language.templates import TEMPLATES, new_strategy, template_text
from tidegate.desks.atomic.machine.compiler import (
    QuoteProgram,
    SignableProgram,
    compile_program,
    compile_quote,
)
from tidegate.desks.atomic.machine.configure import configure
from tidegate.desks.atomic.machine.decide import (
    Decision,
    DeskConfig,
    DeskInputs,
    Event,
    decide,
    decision_body,
    replay,
)
from tidegate.desks.atomic.machine.desk import AtomicDesk, Look, Situation
from tidegate.desks.atomic.machine.measures import DeskMeasures
from tidegate.desks.atomic.machine.permission import role_refusal
from tidegate.desks.atomic.machine.planner import Draft, draft_plan, finish_plan, refuse_reverted
from tidegate.desks.atomic.machine.policy import joint_policy, loss_limits, strategy_policy
from tidegate.desks.atomic.machine.prospect import Prospect, quote
from tidegate.desks.atomic.machine.quoting import Assignment, Quoted
from tidegate.desks.atomic.machine.search import SearchResult, Tried, search_size
from tidegate.desks.atomic.machine.terms import Closed, Loan, Quote
from tidegate.desks.atomic.review.explain import Explanation, explain
from tidegate.desks.atomic.review.lint import check_file, check_files, lint
from tidegate.desks.atomic.review.page import as_text

__all__ = [
    "MEANINGS",
    "TEMPLATES",
    "UNREADABLE",
    "Assignment",
    "AtomicDesk",
    "Closed",
    "Decision",
    "DeskConfig",
    "DeskInputs",
    "DeskMeasures",
    "Draft",
    "Elsewhere",
    "Event",
    "Explanation",
    "Finding",
    "Loan",
    "Look",
    "Prospect",
    "Quote",
    "QuoteProgram",
    "Quoted",
    "SearchResult",
    "SignableProgram",
    "Situation",
    "Strategy",
    "TokenTables",
    "Tried",
    "as_text",
    "check_file",
    "check_files",
    "compile_program",
    "compile_quote",
    "complete_blinds",
    "configure",
    "decide",
    "decision_body",
    "draft_plan",
    "explain",
    "finish_plan",
    "joint_policy",
    "json_schema",
    "lint",
    "load_blinds",
    "load_strategy",
    "loss_limits",
    "new_strategy",
    "parse_strategy",
    "quote",
    "refuse_reverted",
    "replay",
    "role_refusal",
    "search_size",
    "strategy_policy",
    "template_text",
    "unseen",
]
