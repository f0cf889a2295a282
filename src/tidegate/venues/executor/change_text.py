"""Changes in a person's words: one line each, with the names that a glossary knows."""

from __future__ import annotations

from tidegate.model import ConfigError
from tidegate.venues.executor.changes import Change, ChangeKind, Role, parse_loss_limit
from tidegate.venues.executor.errors import NO_NAMES, Glossary
from tidegate.venues.executor.policy import explain_policy, parse_policy, parse_policy_key
from tidegate.venues.executor.program import FlashKind


def change_text(change: Change, glossary: Glossary = NO_NAMES) -> str:
    """Return what a change says; one whose word is zero removes. Amounts are base units."""
    match change.kind:
        case ChangeKind.POLICY:
            target, function = parse_policy_key(change.key)
            name = glossary.call(target, function)
            return f"{name}: {_permission(change.word)}" if change.word else f"{name}: nothing any more"
        case ChangeKind.CAP:
            return f"cap {int.from_bytes(change.key)}: at most {change.word}"
        case ChangeKind.LOSS_LIMIT:
            run, day = parse_loss_limit(change.word)
            return f"losses of {glossary.account(change.account)}: {run} a run, {day} a day"
    who = glossary.account(change.account)
    match change.kind:
        case ChangeKind.LENDER:
            kinds = [kind.name.lower() for kind in FlashKind if change.word >> kind & 1]
            return f"lender {who}: {', '.join(kinds) or 'no more'}"
        case ChangeKind.ROLE:
            return f"role of {who}: {Role(change.word).name.lower() if change.word else 'none any more'}"
        case ChangeKind.TREASURY:
            return f"treasury: {who}"
        case ChangeKind.UNGUARD:
            return f"losses of {who}: without limit"
        case _:
            return f"{change.kind.name.lower()} {who}" + ("" if change.word else ": no more")


def _permission(word: int) -> str:
    try:
        return explain_policy(parse_policy(word))
    except ConfigError:
        return f"the inadmissible word {word:#x}"
