"""The error tree: an error is named by what the operator must do about it.

::

    TidegateError
    ├── ConfigError    mend the file, key or argument that is named      exit 3
    ├── Denied         our own rules said no; nothing left the house     exit 10
    ├── Rejected       a node refused the bytes for good                 exit 1
    ├── Ambiguous      unknown whether it landed; ask the chain          exit 12
    ├── Unavailable    transient: something needed does not answer       exit 12
    ├── Divergence     our state and the chain's differ: stop and look   exit 13
    ├── Tampered       a digest, hash or signature does not match        exit 13
    └── Halted         a stop or pause is in force; a person resumes     exit 20
"""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model.reasons import Reason


class TidegateError(Exception):
    """An error that says what was found, what is allowed and what to do next.

    Parameters
    ----------
    message
        The smallest true statement, with the number.
    code
        Stable code, for machines. Defaults to the class's own.
    found, allowed, fix
        What was found, what is allowed, and the next step for a person.
    """

    exit_code = 1
    default_code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        found: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.found = found
        self.allowed = allowed
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.message]
        if self.found is not None:
            parts.append(f"found: {self.found}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        if self.fix is not None:
            parts.append(f"next: {self.fix}")
        return "; ".join(parts)

    def as_record(self) -> dict[str, str]:
        """Return the error as a flat mapping, absent parts left out."""
        parts = {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "found": self.found,
            "allowed": self.allowed,
            "next": self.fix,
        }
        return {key: value for key, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A place in a file that a user wrote. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ConfigError(TidegateError):
    """A file, key or argument is wrong; it must be mended before anything runs."""

    exit_code = 3
    default_code = "config"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        found: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
        position: SourcePosition | None = None,
    ) -> None:
        super().__init__(message, code=code, found=found, allowed=allowed, fix=fix)
        self.position = position

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.position is None else f"{self.position}: {text}"

    def as_record(self) -> dict[str, str]:
        """Return the error as a flat mapping with its ``position``, if it has one."""
        record = super().as_record()
        if self.position is not None:
            record["position"] = str(self.position)
        return record


class Denied(TidegateError):
    """Our own rules refused; nothing left the house.

    Parameters
    ----------
    reason
        The stable reason; also the error's code.
    """

    exit_code = 10

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        found: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, code=reason.value, found=found, allowed=allowed, fix=fix)
        self.reason = reason


class Rejected(TidegateError):
    """A node refused the bytes for good; asking another node would not help."""

    default_code = "rejected"


class Ambiguous(TidegateError):
    """It is unknown whether the transaction landed. Never turned into a failure."""

    exit_code = 12
    default_code = "ambiguous"


class Unavailable(TidegateError):
    """Something needed does not answer just now."""

    exit_code = 12
    default_code = "unavailable"


class Divergence(TidegateError):
    """Our state and the chain's differ. Classify and stop; never heal silently."""

    exit_code = 13
    default_code = "divergence"


class Tampered(TidegateError):
    """A digest, code hash or signature does not match what it must be."""

    exit_code = 13
    default_code = "tampered"


class Halted(TidegateError):
    """A stop, pause or latched breaker is in force. A person releases it."""

    exit_code = 20
    default_code = "halted"
