"""Why a program is refused: by which rule, and where in its bytes."""

from __future__ import annotations

from tidegate.model import Denied, Reason


class ProgramRefused(Denied):
    """A program, or bytes offered as one, breaks a rule of the format. It is never signed.

    Parameters
    ----------
    offset
        Byte of the packed program where the rule is broken.
    rule
        Short stable name of the rule.
    """

    def __init__(self, offset: int, rule: str, *, found: str, allowed: str) -> None:
        super().__init__(
            Reason.PROGRAM_REFUSED,
            f"program refused at byte {offset}: {rule}",
            found=found,
            allowed=allowed,
            fix="rebuild the program from its strategy; foreign bytes are never signed",
        )
        self.offset = offset
        self.rule = rule
