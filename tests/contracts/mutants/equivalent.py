"""Mutants that are the same contract: no program, caller or state can tell them from it, and why.

Each entry names one mutant or, by a pattern, a family of them; a test asks that none has become idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.contracts.mutants.rules import Mutant


@dataclass(frozen=True)
class Equivalence:
    """A pattern over mutants' names (whole, by regular expression) and the proof that they change nothing."""

    pattern: str
    proof: str

    def covers(self, mutant: Mutant) -> bool:
        """Return whether the proof is about this mutant."""
        return re.fullmatch(self.pattern, mutant.name) is not None


def proof_of(mutant: Mutant) -> Equivalence | None:
    """Return why a mutant can not be killed; none if it must be."""
    return next((entry for entry in EQUIVALENT if entry.covers(mutant)), None)


def idle(mutants: Iterable[Mutant]) -> list[str]:
    """Return the patterns that no mutant has any more."""
    known = list(mutants)
    return [entry.pattern for entry in EQUIVALENT if not any(entry.covers(mutant) for mutant in known)]


EQUIVALENT = (
    Equivalence(
        r"size · OPS · 128 → 12[79]",
        "No op is shorter than 32 bytes and a program has 4,096, of which header and one line take 96: at"
        " most 125 ops, fewer than any of the three bounds.",
    ),
    Equivalence(
        r"size · TRACE · 16 → 17|boundary · _trace · index < TRACE \* 8 → index <= TRACE \* 8",
        "A trace has an entry for the outermost frame, one for each op and one for each scope entered. A loan"
        " takes 96 bytes for its two entries, every other op 32 for one, so the 4,000 bytes behind header and"
        " line give at most 126 entries, and each scope is entered once: the bound of 128 is never met.",
    ),
    Equivalence(
        r"bits · FLAGS · 31 → \d+|boundary · _run · permission > FLAGS → permission >= FLAGS",
        "FLAGS is only the short cut past expiry and rules. Both lie above bit 7: with a word of at most 31"
        " the block reads an expiry of 0 and no rules, and does nothing.",
    ),
    Equivalence(
        r"drop clause · apply · ripe != 0 and .* → \(block\.timestamp >= ripe and .*\)",
        "With ripe = 0 the last clause asks for a time of at most GRACE, 15 January 1970: it refuses, in the"
        " same words.",
    ),
    Equivalence(
        r"drop clause · tighten · limit != 0 and .* → \(change\.word & LIMIT_SET != 0 and .*\)",
        "With limit = 0 the third clause compares the upper half of a word with bit 255 set to 0: it refuses,"
        " in the same words.",
    ),
    Equivalence(
        r"boundary · _run · left > right → left >= right",
        "Where left = right, the difference that is taken is 0, which is what the other branch leaves.",
    ),
    Equivalence(
        r"drop statement · _run · self\._malformed\(\) → pass #10",
        "The last branch of the ops. Without it an unknown op leaves the cursor where it is; the loop comes"
        " round to it until its 128 turns are over, and `cursor != stop` then reverts with the same words."
        " What a simulation has traced meanwhile is reverted with it.",
    ),
)
