"""The atomic desk: a written strategy becomes one transaction that does all of it, or nothing.

Files of any author are read safely, refused with line and column, judged by the linter, explained
in sentences, and compiled to a program of the executor. Decides and builds; does no I/O but reading
the file it is given, holds no keys. The pipeline drives it; the command line and ``app/runtime`` call.
"""

from tidegate.desks.atomic.blind_values import complete_blinds, load_blinds
from tidegate.desks.atomic.explain import Explanation, explain
from tidegate.desks.atomic.findings import MEANINGS, UNREADABLE, Finding
from tidegate.desks.atomic.lint import check_file, lint
from tidegate.desks.atomic.loader import TokenTables, load_strategy, parse_strategy
from tidegate.desks.atomic.page import as_text
from tidegate.desks.atomic.schema import json_schema
from tidegate.desks.atomic.syntax import Strategy
from tidegate.desks.atomic.templates import TEMPLATES, new_strategy, template_text

__all__ = [
    "MEANINGS",
    "TEMPLATES",
    "UNREADABLE",
    "Explanation",
    "Finding",
    "Strategy",
    "TokenTables",
    "as_text",
    "check_file",
    "complete_blinds",
    "explain",
    "json_schema",
    "lint",
    "load_blinds",
    "load_strategy",
    "new_strategy",
    "parse_strategy",
    "template_text",
]
