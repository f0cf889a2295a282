"""The registry of attacks: what each stands for, and what is tried; the tests themselves are its rows.

``attack`` marks a test. ``table.py`` runs with the suite and reports, for each marked test, what the
attacker was answered; ``tidegate drill attack`` prints and files that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

PROPERTIES = {
    "P1": "no callback acts unless it is expected",
    "P2": "a scope acts at most once, on the terms that were planned",
    "P3": "whoever is called during a run gets in nowhere",
    "P4": "every call is in the policy when it is made",
    "P5": "no patch changes selector, target or length",
    "P6": "argument rules hold on the final data",
    "P7": "no allowance outlives a run",
    "P8": "balances change by no less than the bounds, and a gain alone is paid out",
    "P9": "each function is for its role, and an address has one",
    "P10": "while paused only changes, exits and the owner's unpause",
    "P11": "a program is consumed exactly, or not at all",
    "P12": "a result is what it is: no word more, none invented",
    "P13": "loans nest without knowing each other",
    "P14": "odd tokens harm those who use them, within the bounds",
    "P16": "lenders' own bytecode is held to the same terms",
    "P17": "nothing transient outlives a call",
    "P18": "two runs in a transaction do not know each other",
    "P19": "the bytecode is the one that was reviewed",
    "P20": "no program hides a loss from the limits",
    "P21": "nothing widens before its time, and tightening never loosens",
    "P22": "a simulation says what the run does",
    "P23": "bytes have one reading",
    "P24": "the contract is its model",
}
"""``specs/atomic.md`` 16. P15 is the gas snapshot (``tests/contracts/test_gas.py``), P25 this pack itself."""

MISTAKES = {
    "F1": "guards off chain alone, checks after mining",
    "F2": "a skip that starves later steps",
    "F3": "an allow-list by address, with an off switch",
    "F4": "a lender from user input: RouteProcessor2, 3.3 M USD",
    "F5": "a callback runs an unchecked payload: Dough, 1.8 M USD",
    "F6": "a flag as the proof of a loan: the f(x) finding",
    "F7": "a callback open to strangers: 0xbadc0de, 1,100 ETH",
    "F8": "attackers approved by bait: jaredfromsubway, over 7.5 M USD",
    "F9": "delegatecall through a listed proxy: Furucombo, 14 M USD",
    "F10": "standing approvals: Furucombo",
    "F11": "calls to empty addresses: Furucombo",
    "F12": "a later no-op resets the solvency flag: Abracadabra, 1.8 M USD",
    "F13": "a single flash source: the Balancer v2 loss, 116 M USD",
    "F14": "repayment by exact equality",
    "F15": "trusted spenders with unlimited approvals",
    "F16": "an error index that is always 0, reasons that are empty",
    "F17": "an extended command reads the wrong word",
    "F18": "quotes without tolerance can be executed",
    "F19": "cleanup that can be skipped, tokens stranded",
    "F20": "a dry run that differs from the run",
    "F21": "one heartbeat for two feeds",
    "F22": "a relay library that can not cancel",
    "F23": "piping through storage, 25,000 gas a word",
    "F24": "a flash scope that ends where nobody wrote it",
    "F25": "a gas alert that looks at the block's limit alone",
}
"""``specs/atomic.md`` 17, a mistake a row."""

RULES = PROPERTIES | MISTAKES
NOT_PLAYED: tuple[str, ...] = ()
"""Rules whose attack waits for what it attacks."""

_Test = TypeVar("_Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Attack:
    """What a marked test plays.

    ``stops`` says what stands in the way where no revert can: a byte that is not there, a type that
    does not exist.
    """

    rules: tuple[str, ...]
    tried: str
    stops: str = ""


def attack(rules: str, tried: str, *, stops: str = "") -> Callable[[_Test], _Test]:
    """Mark a test as an attack on ``rules``, named as above and divided by spaces."""
    named = tuple(rules.split())
    assert set(named) <= RULES.keys(), named

    def mark(test: _Test) -> _Test:
        test.attack = Attack(named, tried, stops)  # type: ignore[attr-defined]
        return test

    return mark
