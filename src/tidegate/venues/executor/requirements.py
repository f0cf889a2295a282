"""The smallest policy that lets a program run, and how it differs from the one on chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tidegate.chain import address
from tidegate.model import Address, ConfigError
from tidegate.venues.executor.changes import Change, ChangeKind, parse_loss_limit
from tidegate.venues.executor.policy import Permission, RuleKind, parse_policy
from tidegate.venues.executor.program import SELECTOR_BYTES, Approve, Call, Flash, Program, walk

PermissionBook: TypeAlias = Callable[[Address, bytes], Permission | None]
"""What the adapters say of (target, selector): its argument rules and result; None if unknown.

Whether it is called, read or sent value is taken from the program, not from the book.
"""


@dataclass(frozen=True, slots=True)
class Diff:
    """What turns one policy into another: ``schedule`` waits for the delay, ``tighten`` does not."""

    schedule: tuple[Change, ...]
    tighten: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether the two are the same."""
        return not (self.schedule or self.tighten)


def required_policy(
    program: Program, book: PermissionBook, *, caps: Mapping[int, int] | None = None
) -> tuple[Change, ...]:
    """Return the changes that a fresh executor needs to run ``program``, sorted, none twice.

    Parameters
    ----------
    program
        What is to run.
    book
        The argument rules of every function that it calls.
    caps
        The most that arguments under each cap key may be, in base units.

    Raises
    ------
    ConfigError
        If the book knows no rules for a call, or a cap that a rule names is not given.
    """
    changes: list[Change] = []
    for op in walk(program.ops):
        match op:
            case Call():
                changes += _of_call(op, book, caps or {})
            case Approve():
                changes += [Change.approval(op.token), Change.spender(op.spender)]
            case Flash():
                changes.append(Change.lender(op.lender, op.kind))
            case _:
                pass
    return merge_policies(changes)


def merge_policies(*parts: Iterable[Change]) -> tuple[Change, ...]:
    """Return one policy that serves several programs, sorted by kind and key.

    Uses of one function and kinds of one lender are joined, the higher cap stands.

    Raises
    ------
    ConfigError
        If two parts give one function different argument rules.
    """
    merged: dict[tuple[ChangeKind, bytes], Change] = {}
    for change in (item for part in parts for item in part):
        place = change.kind, change.key
        merged[place] = _joined(merged[place], change) if place in merged else change
    return tuple(merged[place] for place in sorted(merged))


def diff_policy(on_chain: Iterable[Change], wanted: Iterable[Change]) -> Diff:
    """Return what turns ``on_chain`` (entries in force) into ``wanted``.

    An entry that is not wanted is removed at once by ``tighten``; a loss limit that is not, by an
    UNGUARD through the delay. A treasury is replaced, never removed.
    """
    have = {(change.kind, change.key): change for change in on_chain}
    want = {(change.kind, change.key): change for change in wanted}
    schedule: list[Change] = []
    tighten: list[Change] = []
    for place, change in sorted(want.items()):
        now = have.get(place)
        if now is None or now.word != change.word:
            (tighten if now is not None and _is_lower(now, change) else schedule).append(change)
    for place, change in sorted(have.items()):
        if place in want or change.kind is ChangeKind.TREASURY or not change.word:
            continue
        if change.kind is ChangeKind.LOSS_LIMIT:
            schedule.append(Change.unguard(change.account))
        else:
            tighten.append(change.removed())
    return Diff(tuple(schedule), tuple(tighten))


def _of_call(op: Call, book: PermissionBook, caps: Mapping[int, int]) -> Iterable[Change]:
    known = book(op.target, op.selector)
    if known is None:
        raise ConfigError(
            f"no argument rules are known for step {op.tag}",
            code="policy",
            found=f"0x{op.selector.hex()} on {op.target}",
            allowed="functions of an adapter, or raw.call with its own policy",
            fix="state `policy:` and `because:` on the step",
        )
    permission = Permission(
        call=not op.is_read,
        read=op.is_read,
        value=op.value_register is not None,
        result_boolean=known.result_boolean,
        expires_at_s=known.expires_at_s,
        rules=known.rules,
    )
    yield Change.policy(op.target, op.selector, permission)
    patched = {patch.word for patch in op.patches}
    for rule in known.rules:
        if rule.kind is RuleKind.ASSET and rule.word not in patched:
            yield Change.asset(_argument(op, rule.word))
        if rule.kind is RuleKind.CAP:
            if rule.value not in caps:
                raise ConfigError(
                    f"step {op.tag} is under cap {rule.value}, which has no limit",
                    code="policy",
                    found=f"caps {sorted(caps) or 'none'}",
                    allowed="a limit for each cap that a rule names",
                    fix=f"give cap {rule.value} the most that argument {rule.word} may be",
                )
            yield Change.cap(rule.value, caps[rule.value])


def _argument(op: Call, word: int) -> Address:
    start = SELECTOR_BYTES + 32 * word
    return address(op.data[start : start + 32])


def _joined(one: Change, other: Change) -> Change:
    match one.kind:
        case ChangeKind.POLICY:
            word = parse_policy(one.word).merged(parse_policy(other.word)).word
        case ChangeKind.LENDER:
            word = one.word | other.word
        case ChangeKind.CAP:
            word = max(one.word, other.word)
        case _ if one.word == other.word:
            word = one.word
        case _:
            raise ConfigError(
                f"two {one.kind.name} entries for 0x{one.key.hex()} disagree",
                code="policy",
                found=hex(other.word),
                allowed=hex(one.word),
            )
    return Change(one.kind, one.key, word)


def _is_lower(now: Change, wanted: Change) -> bool:
    if now.kind is ChangeKind.CAP:
        return wanted.word < now.word
    if now.kind is ChangeKind.LOSS_LIMIT:
        (run, day), (run_now, day_now) = parse_loss_limit(wanted.word), parse_loss_limit(now.word)
        return run <= run_now and day <= day_now
    return wanted.word == 0
