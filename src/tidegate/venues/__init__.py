"""Protocol adapters as data plus thin code, a folder each. No I/O of their own, no loops, no state.

Each folder is a room of its own with its own front door. What they share stands here: the
catalogue of actions, the address book, and the view of a pinned state that quotes are read from.
Desks, risk, custody and the pipeline may import them; a venue imports only rooms below.
"""

from tidegate.venues.action_files import catalogue, parse_action, parse_rule
from tidegate.venues.actions import (
    ActionKind,
    ActionSpec,
    Input,
    InputType,
    Limit,
    LimitKind,
    Output,
    Spend,
    Word,
    WordSource,
)
from tidegate.venues.book import EDITION, NATIVE, AddressBook, Entry, Token, load_book
from tidegate.venues.editions import edition_of
from tidegate.venues.exits import (
    BESIDE,
    HEALTH_AFTER_EXIT_E18,
    HEALTH_FACTOR,
    REDUCING,
    ExitFunctions,
    Verdict,
    exit_functions,
    judge_operation,
    reducing_action,
)
from tidegate.venues.glossary import glossary_of
from tidegate.venues.permissions import permissions
from tidegate.venues.probes import Probe, parse_probe
from tidegate.venues.shipped import SHIPPED, shipped_book
from tidegate.venues.view import StateView

__all__ = [
    "BESIDE",
    "EDITION",
    "HEALTH_AFTER_EXIT_E18",
    "HEALTH_FACTOR",
    "NATIVE",
    "REDUCING",
    "SHIPPED",
    "ActionKind",
    "ActionSpec",
    "AddressBook",
    "Entry",
    "ExitFunctions",
    "Input",
    "InputType",
    "Limit",
    "LimitKind",
    "Output",
    "Probe",
    "Spend",
    "StateView",
    "Token",
    "Verdict",
    "Word",
    "WordSource",
    "catalogue",
    "edition_of",
    "exit_functions",
    "glossary_of",
    "judge_operation",
    "load_book",
    "parse_action",
    "parse_probe",
    "parse_rule",
    "permissions",
    "reducing_action",
    "shipped_book",
]
