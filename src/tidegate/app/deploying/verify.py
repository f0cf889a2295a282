"""Hold an executor against its build, the book and the strategies: one finding for each demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from tidegate.app.deploying.reading import Reading
from tidegate.app.findings import Finding
from tidegate.chain import Network, NetworkKind
from tidegate.custody.multisig import SafeFinding
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.venues import AddressBook, Entry, glossary_of
from tidegate.venues.executor import (
    PRODUCTION_DELAY_S,
    Change,
    ChangeKind,
    Construction,
    Role,
    change_text,
    diff_policy,
    parse_policy,
)

TAMPERED = frozenset({"code", "events", "owner", "delay", "weth"})
"""Demands whose failure says that it is not, or no longer, the contract we deployed."""

ROLES = {Role.OPERATOR: "operators", Role.GUARDIAN: "guardians", Role.RESCUER: "rescuers"}
"""Under which word the book's ``about`` lists who holds a role."""


def judge_executor(
    reading: Reading,
    entry: Entry,
    book: AddressBook,
    network: Network,
    *,
    safe: tuple[SafeFinding, ...] | None,
    wanted: Collection[Change] | None = None,
    announced: Collection[bytes] = (),
) -> tuple[Finding, ...]:
    """Return a finding for every demand, also for those that hold.

    Parameters
    ----------
    safe
        What was found of the owner as a Safe; None if no Safe answers there.
    wanted
        What the strategies need, with their loss limits; None if no strategies were named.
    announced
        Ids of scheduled changes that a plan file of ours announced.
    """
    return tuple(_demands(reading, entry, book, network, safe, wanted, announced))


def recorded(reading: Reading) -> dict[str, str]:
    """Return what the book's ``about`` says of an executor as it is read: who owns, holds, is paid."""
    state = reading.state
    return {
        "owner": state.owner,
        "treasury": state.treasury,
        "weth": state.weth,
        "delay_s": str(state.delay_s),
        **{word: ", ".join(state.holders(role)) for role, word in ROLES.items()},
    }


def _demands(
    reading: Reading,
    entry: Entry,
    book: AddressBook,
    network: Network,
    safe: tuple[SafeFinding, ...] | None,
    wanted: Collection[Change] | None,
    announced: Collection[bytes],
) -> Iterator[Finding]:
    state, about = reading.state, entry.about
    glossary = glossary_of(book)
    yield _code(reading, entry)
    yield Finding(
        "events",
        not reading.differences,
        "; ".join(reading.differences) or f"{len(reading.history.events)} agree with what it says of itself",
        "ask other endpoints: logs are kept back, or the chain was reorganised"
        if reading.differences
        else "",
    )
    yield _owner(state.owner, about.get("owner"), network, safe)
    yield Finding(
        "pending owner",
        state.pending_owner == ZERO_ADDRESS,
        "nobody" if state.pending_owner == ZERO_ADDRESS else state.pending_owner,
        "" if state.pending_owner == ZERO_ADDRESS else "the owner takes the offer back: offer_ownership(0)",
    )
    yield _delay(state.delay_s, about.get("delay_s"), network)
    expected_weth = book.token("WETH").address if "WETH" in book.tokens else None
    yield _same("weth", state.weth, expected_weth)
    yield _same("treasury", state.treasury, about.get("treasury"))
    for role, word in ROLES.items():
        yield _holders(word, state.holders(role), about)
    yield _policy(reading, wanted)
    yield _expiring(reading)
    yield Finding(
        "running",
        not state.is_paused,
        "paused" if state.is_paused else "not paused",
        "the owner unpauses it: tidegate safe propose" if state.is_paused else "",
    )
    strangers = [one for one in state.scheduled if one.change.id not in announced]
    told = [f"{change_text(one.change, glossary)} ({one.state(reading.time_s)})" for one in strangers] or [
        f"{len(state.scheduled)} waiting, all announced" if state.scheduled else "nothing"
    ]
    yield Finding(
        "scheduled",
        not strangers,
        "; ".join(told),
        "tidegate desk atomic changes shows them; a guardian cancels" if strangers else "",
    )


def _code(reading: Reading, entry: Entry) -> Finding:
    state = reading.state
    built = Construction(
        owner=state.owner, treasury=state.treasury, weth=state.weth, delay_s=state.delay_s
    ).runtime
    if reading.code != built:
        return Finding("code", False, f"{reading.code_hash}, {len(reading.code)} bytes: not our build's")
    if entry.is_verified and entry.code_hash != reading.code_hash:
        return Finding("code", False, f"{reading.code_hash}, the book says {entry.code_hash}")
    return Finding("code", True, f"{reading.code_hash}, byte for byte the recorded build's")


def _owner(
    owner: Address, expected: str | None, network: Network, safe: tuple[SafeFinding, ...] | None
) -> Finding:
    if expected is not None and expected != owner:
        return Finding("owner", False, f"{owner}, the book says {expected}")
    is_live = network.kind is not NetworkKind.DEVNET
    if safe is None:
        return Finding(
            "owner", not is_live, f"{owner} is no Safe", "hand over to a Safe of 3 of 5" if is_live else ""
        )
    wrong = "; ".join(
        f"{finding.check}: {finding.found} ({finding.allowed})" for finding in safe if not finding.ok
    )
    return Finding("owner", not wrong or not is_live, f"Safe {owner}" + (f": {wrong}" if wrong else ""))


def _delay(delay_s: int, expected: str | None, network: Network) -> Finding:
    if expected is not None and expected != str(delay_s):
        return Finding("delay", False, f"{delay_s} s, the book says {expected}")
    if network.kind is NetworkKind.MAINNET and delay_s < PRODUCTION_DELAY_S:
        return Finding("delay", False, f"{delay_s} s, at least {PRODUCTION_DELAY_S} in production")
    return Finding("delay", True, f"{delay_s} s")


def _same(check: str, found: Address, expected: str | None) -> Finding:
    if expected is None:
        return Finding(check, False, f"{found}, the book does not say", _CONFIRM)
    return Finding(
        check, found == expected, found if found == expected else f"{found}, the book says {expected}"
    )


_CONFIRM = "a person compares and records it: tidegate verify executor NAME --confirm --by WHO"


def _holders(word: str, found: Iterable[Address], about: dict[str, str]) -> Finding:
    holding = set(found)
    if word not in about:
        told = ", ".join(sorted(holding)) or "nobody"
        return Finding(word, not holding, f"{told}, the book does not say", _CONFIRM if holding else "")
    expected = {one.strip() for one in about[word].split(",") if one.strip()}
    if holding == expected:
        return Finding(word, True, ", ".join(sorted(holding)) or "nobody")
    more, missing = sorted(holding - expected), sorted(expected - holding)
    told = "; ".join(
        f"{what} {', '.join(who)}" for what, who in (("not in the book:", more), ("missing:", missing)) if who
    )
    return Finding(word, False, told, _CONFIRM)


def _policy(reading: Reading, wanted: Collection[Change] | None) -> Finding:
    counts = Counter(change.kind.name.lower() for change in reading.state.permissions)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing is allowed"
    if wanted is None:
        return Finding("policy", True, f"{told}; not compared: --strategies names none")
    diff = diff_policy(reading.state.permissions, wanted)
    if diff.is_empty:
        return Finding("policy", True, f"{told}: exactly what the strategies need")
    return Finding(
        "policy",
        False,
        f"{len(diff.schedule)} missing or wider wanted, {len(diff.tighten)} to remove or lower",
        "tidegate strategy policy FILES --executor NAME --diff",
    )


def _expiring(reading: Reading) -> Finding:
    over = [
        change
        for change in reading.state.entries
        if change.kind is ChangeKind.POLICY and 0 < parse_policy(change.word).expires_at_s < reading.time_s
    ]
    return Finding(
        "expiry",
        not over,
        f"{len(over)} entries have expired" if over else "no entry has expired",
        "schedule them anew, or tighten them away" if over else "",
    )
