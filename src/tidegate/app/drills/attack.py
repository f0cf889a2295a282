"""The attack drill: every hostile case of the executor, played against the bytecode that is built.

The attacks are tests of the checkout (``tests/hostile/atomic``); each says what it stands for and what is
tried. Here they run in a process of their own, and what the attackers were answered comes back by a pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tidegate.chain import keccak256
from tidegate.ledger import DrillBody
from tidegate.model import Unavailable
from tidegate.sim import checkout_root

ATTACKS = ("tests/hostile/atomic", "tests/contracts/test_canonical_lenders.py")
_PLUGIN = "tests.hostile.atomic.table"
_VARIABLE = "TIDEGATE_ATTACK_FD"
_SHOWN = 3
_SIMULATED = "Simulated"
"""How a dry run ends: no refusal."""


class AttackRow(msgspec.Struct, frozen=True, kw_only=True):
    """An attack and what came of it. ``stands_for`` says what each of its rules is about.

    ``stopped_by`` are the refusals that were given while it ran, the most frequent first; ``why`` is
    what its test found, if the attacker got anywhere.
    """

    id: str
    rules: tuple[str, ...]
    stands_for: tuple[str, ...]
    tried: str
    stopped_by: tuple[str, ...]
    cases: int
    passed: bool
    test: str
    why: str = ""


class AttackDrill(msgspec.Struct, frozen=True):
    """The record of the drill, and its table."""

    body: DrillBody
    rows: tuple[AttackRow, ...]
    not_played: tuple[tuple[str, str], ...]


class _Plan(msgspec.Struct, frozen=True):
    rules: dict[str, str]
    not_played: tuple[str, ...]
    cases: int
    runtime: str


class _Case(msgspec.Struct, frozen=True):
    test: str
    rules: tuple[str, ...]
    tried: str
    stops: str
    passed: bool
    heard: dict[str, int]
    why: str


_AGAIN = f".venv/bin/pytest {' '.join(ATTACKS)}"


def drill_attack(*, tell: Callable[[int, int], None] = lambda _done, _cases: None) -> AttackDrill:
    """Play every attack; ``tell`` hears how many cases of how many are done.

    Raises
    ------
    Unavailable
        Without a checkout or the tools for its tests; and if the attacks could not be played at all.
    """
    root = checkout_root()
    if root is None or not all((root / path).exists() for path in ATTACKS) or find_spec("pytest") is None:
        raise Unavailable(
            "the attacks are tests of the checkout: they are not in this installation",
            fix="clone the repository, then: make attack",
        )
    started_ms, started = time.time_ns() // 10**6, time.monotonic_ns()
    plan: _Plan | None = None
    cases: list[_Case] = []
    ends: dict[str, int] = {}
    with _playing(root) as (process, lines):
        for line in lines:
            if plan is None:
                plan = msgspec.json.decode(line, type=_Plan)
            else:
                cases.append(msgspec.json.decode(line, type=_Case))
                ends[cases[-1].test] = (time.monotonic_ns() - started) // 10**6
                tell(len(cases), plan.cases)
        is_whole = process.wait() == 0
    if plan is None:
        raise Unavailable("the attacks did not begin", fix=f"see what is wrong: {_AGAIN}")
    rows = table(plan.rules, cases)
    missing = plan.rules.keys() - plan.not_played - {rule for row in rows for rule in row.rules}
    lost = plan.cases - len(cases)
    succeeded = [row for row in rows if not row.passed]
    problems = [f"no attack on {rule}" for rule in sorted(missing)]
    problems += [f"{lost} cases were not played to their end"] if lost else []
    problems += [f"{row.id}: {row.why}" for row in succeeded]
    if not problems and not is_whole:
        problems = [f"what should work does not; see: {_AGAIN}"]
    code = bytes.fromhex(plan.runtime)
    body = DrillBody(
        drill="attack",
        world="fast",
        passed=not problems,
        started_ms=started_ms,
        steps=tuple((f"{row.id} {row.tried}: {shown(row)}", ends[row.test]) for row in rows),
        figures={
            "attacks": len(rows),
            "cases": len(cases),
            "succeeded": len(succeeded),
            "not_played": len(plan.not_played),
            "runtime_bytes": len(code),
        },
        detail="; ".join(problems) or f"runtime 0x{keccak256(code).hex()}",
    )
    return AttackDrill(body, rows, tuple((rule, plan.rules[rule]) for rule in plan.not_played))


def table(rules: dict[str, str], cases: list[_Case]) -> tuple[AttackRow, ...]:
    """Return a row for each attack, in the order of the rules, with all its cases."""
    tests: dict[str, list[_Case]] = {}
    for case in cases:
        tests.setdefault(case.test, []).append(case)
    order = list(rules)
    counts: Counter[str] = Counter()
    rows = []
    for test, played in sorted(tests.items(), key=lambda item: order.index(item[1][0].rules[0])):
        first = played[0]
        counts[first.rules[0]] += 1
        heard: Counter[str] = Counter()
        for case in played:
            heard.update(case.heard)
        stopped = [first.stops] if first.stops else []
        stopped += [refusal for refusal, _ in heard.most_common() if refusal != _SIMULATED]
        failed = next((case.why for case in played if not case.passed), "")
        why = failed or ("" if stopped else "nothing was seen to stop it")
        rows.append(
            AttackRow(
                id=f"{first.rules[0]}.{counts[first.rules[0]]}",
                rules=first.rules,
                stands_for=tuple(rules[rule] for rule in first.rules),
                tried=first.tried,
                stopped_by=tuple(stopped),
                cases=len(played),
                passed=not why,
                test=test,
                why=why,
            )
        )
    return tuple(rows)


def shown(row: AttackRow) -> str:
    """Return what stopped an attack in a few words, or what it got."""
    if not row.passed:
        return f"NOT STOPPED: {row.why}"
    more = len(row.stopped_by) - _SHOWN
    return ", ".join(row.stopped_by[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def _playing(root: Path) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[str]]]:
    """Start the attacks; give their process and its lines. It is ended with the block."""
    read, write = os.pipe()
    with os.fdopen(read) as lines:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and tests
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", _PLUGIN, *ATTACKS],
            cwd=root,
            env={**os.environ, _VARIABLE: str(write)},
            pass_fds=(write,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        try:
            yield process, lines
        finally:
            process.terminate()
            process.wait()
