"""The names that other rooms may use."""

from __future__ import annotations

import tidegate.desks.atomic as room


def test_exported_names() -> None:
    assert room.__all__ == [
        "MEANINGS",
        "TEMPLATES",
        "UNREADABLE",
        "Assignment",
        "AtomicDesk",
        "Closed",
        "Decision",
        "DeskConfig",
        "DeskInputs",
        "Draft",
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
        "compile_program",
        "compile_quote",
        "complete_blinds",
        "configure",
        "decide",
        "decision_body",
        "draft_plan",
        "explain",
        "finish_plan",
        "json_schema",
        "lint",
        "load_blinds",
        "load_strategy",
        "new_strategy",
        "parse_strategy",
        "quote",
        "refuse_reverted",
        "replay",
        "search_size",
        "strategy_policy",
        "template_text",
    ]
    assert all(hasattr(room, name) for name in room.__all__)
