"""What is wrong with a strategy file, as data: one finding, one code, one place, one way out.

Codes are stable. ATM001 to ATM004 mean that the file could not be read as a strategy, ATM005 that the
chain is not what the address book says; ATM1nn are errors of a file that was read; W2nn are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from tidegate.model import ConfigError, SourcePosition

MEANINGS: dict[str, str] = {
    "ATM001": "malformed file",
    "ATM002": "the file breaks the format",
    "ATM003": "unknown version of the format",
    "ATM004": "file too large",
    "ATM005": "code differs from the address book, when a run is planned",
    "ATM101": "swap without a slippage rule",
    "ATM102": "supply, withdraw or borrow without a health-factor rule",
    "ATM103": "no gas block",
    "ATM104": "no deadline",
    "ATM105": "flash loan without a positive or net bound, or that nothing repays",
    "ATM106": "slippage 0",
    "ATM107": "slippage above 300 bps without a written reason",
    "ATM108": "skip outside an optional group",
    "ATM109": "output of an optional group used elsewhere",
    "ATM110": "warn placed in the transaction, or skip placed after it",
    "ATM111": "unknown token, adapter, guard or lender",
    "ATM112": "unit or type mismatch",
    "ATM113": "blind missing, untyped or out of range",
    "ATM114": "flash amount that no lender can serve now, when a run is planned",
    "ATM115": "more than 16 live registers",
    "ATM116": "beyond the limits of steps, nesting, program or lines",
    "ATM117": "second approval of one token and spender in a frame",
    "ATM118": "opaque wrapper without a written reason",
    "ATM119": "recipient neither executor nor treasury",
    "ATM120": "output that is not there, or not yet there",
    "ATM121": "zero amount",
    "ATM122": "flash pool also swapped in its own scope",
    "W201": "literal where the previous output was probably meant",
    "W202": "price guard only off chain",
    "W203": "raw call",
    "W204": "large program: consider splitting",
}
"""Every code with its meaning; ``docs/reference`` lists them from here."""

UNREADABLE = frozenset({"ATM001", "ATM002", "ATM003", "ATM004"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth a second look, at one place of a file."""

    code: str
    position: SourcePosition
    message: str
    found: str | None = None
    allowed: str | None = None
    fix: str | None = None

    def __post_init__(self) -> None:
        if self.code not in MEANINGS:
            raise ValueError(f"no finding has the code {self.code}")

    @classmethod
    def of(cls, error: ConfigError, otherwise: SourcePosition, code: str | None = None) -> Finding:
        """Return the finding that an error states; ``otherwise`` is its place if it names none.

        ``code`` replaces the error's own, where a room below has none of ours.
        """
        return cls(
            code or error.code,
            error.position or otherwise,
            error.message,
            error.found or "what stands there",
            error.allowed or "see the message",
            error.fix or "write what is allowed",
        )

    @property
    def is_error(self) -> bool:
        """Say whether the strategy must not be built; warnings only ask for a second look."""
        return self.code.startswith("ATM")

    def as_error(self) -> ConfigError:
        """Return the finding as the error that refuses the file."""
        return ConfigError(
            self.message,
            code=self.code,
            found=self.found,
            allowed=self.allowed,
            fix=self.fix,
            position=self.position,
        )

    def as_record(self) -> dict[str, str | int]:
        """Return the finding as a flat mapping for machines, absent parts left out."""
        parts: dict[str, str | int | None] = {
            "code": self.code,
            "level": "error" if self.is_error else "warning",
            "file": self.position.file,
            "line": self.position.line,
            "column": self.position.column,
            "message": self.message,
            "found": self.found,
            "allowed": self.allowed,
            "next": self.fix,
        }
        return {key: value for key, value in parts.items() if value is not None}


def unseen(findings: Iterable[Finding]) -> str:
    """Return what a person should know of findings that are not all there are; empty if they are.

    A file is read in passes (its form, its names and ranges, its meaning, a trial compilation), and each
    begins only once the one before has nothing against it.
    """
    codes = {finding.code for finding in findings if finding.is_error}
    if not codes:
        return ""
    if codes & UNREADABLE:
        return "The file was read no further: more may follow once this is mended."
    return "More may follow once this is mended: the strategy was not compiled to its end."


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of the file, each once."""
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda finding: (finding.position.line, finding.position.column, finding.code),
        )
    )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``word`` probably meant, or None if none is near."""
    names = list(known)
    by_lower = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return the advice that names the nearest known name, or ``otherwise``."""
    name = nearest(word, known)
    return otherwise if name is None else f"did you mean {name}?"
