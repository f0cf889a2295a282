"""Passwords: where they may come from, and a type that does not show them.

``fd:N`` a file descriptor that the parent opened · ``credential:NAME`` a systemd credential ·
``terminal`` asked, not echoed. Never an argument and never an environment variable: both can be
read in ``/proc`` and outlive the process in logs.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tidegate.model import ConfigError

SOURCES = "fd:N (a file descriptor), credential:NAME (systemd), terminal"
_BYTES_MAX = 4096
_SOURCE = re.compile(r"fd:(?P<fd>[0-9]{1,4})|credential:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,254})|terminal")


class Password:
    """A password. ``repr`` hides it, copies and pickles are refused."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def __repr__(self) -> str:
        return "Password(hidden)"

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and self._octets == other._octets

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not copied, pickled or sent to another process")

    def reveal(self) -> bytes:
        """Return the bytes, for the derivation of a key alone."""
        return self._octets


def check_source(source: str) -> str:
    """Return ``source`` if a password may come from it.

    Raises
    ------
    ConfigError
        ``password_source`` if not. The text is not repeated: it may be the password itself.
    """
    if _SOURCE.fullmatch(source) is None:
        raise ConfigError(
            "a password does not come from there",
            code="password_source",
            found="something else, not shown: it may be the password",
            allowed=SOURCES,
            fix="for example: --password fd:3 3< FILE",
        )
    return source


def read_password(
    source: str, *, what: str, repeat: bool = False, ask: Callable[[str], str] = getpass.getpass
) -> Password:
    """Read a password from where ``source`` says.

    Parameters
    ----------
    source
        One of ``SOURCES``.
    what
        What it opens, for the question on the terminal.
    repeat
        Ask twice on a terminal, because it is new.

    Raises
    ------
    ConfigError
        ``password_source`` if it can not be read from there; ``password_empty`` if it is empty.
    """
    check_source(source)
    kind, _, rest = source.partition(":")
    if kind == "fd":
        octets = _from_descriptor(int(rest))
    elif kind == "credential":
        octets = _from_credential(rest)
    else:
        octets = _from_terminal(what, repeat=repeat, ask=ask)
    octets = octets.removesuffix(b"\n").removesuffix(b"\r")
    if not octets:
        raise ConfigError(
            f"the password of {what} is empty",
            code="password_empty",
            found="no bytes",
            allowed="at least one",
            fix=f"give it through {SOURCES}",
        )
    return Password(octets)


def _from_descriptor(descriptor: int) -> bytes:
    """Read to the end and close: a descriptor gives its password once."""
    parts: list[bytes] = []
    try:
        while sum(map(len, parts)) <= _BYTES_MAX and (part := os.read(descriptor, _BYTES_MAX + 1)):
            parts.append(part)
        os.close(descriptor)
    except OSError as error:
        raise _unreadable(f"fd:{descriptor}", error, f"open it in the shell: {descriptor}< FILE") from None
    return _bounded(b"".join(parts))


def _from_credential(name: str) -> bytes:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise ConfigError(
            f"there is no credential {name!r}",
            code="password_source",
            found="$CREDENTIALS_DIRECTORY is not set: this is no systemd service",
            allowed="a unit with LoadCredentialEncrypted=",
            fix=f"add it to the unit as deploy/systemd shows, or use {SOURCES}",
        )
    try:
        with (Path(folder) / name).open("rb") as file:
            return _bounded(file.read(_BYTES_MAX + 1))
    except OSError as error:
        raise _unreadable(f"credential:{name}", error, "add LoadCredentialEncrypted= to the unit") from None


def _from_terminal(what: str, *, repeat: bool, ask: Callable[[str], str]) -> bytes:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"the password of {what} can not be asked for",
            code="password_source",
            found="standard input is no terminal",
            allowed=SOURCES,
            fix="for example: --password fd:3 3< FILE",
        )
    first = ask(f"Password of {what}: ")
    if repeat and ask("Again: ") != first:
        raise ConfigError(
            "the two passwords differ",
            code="password_source",
            found="two texts",
            allowed="the same text twice",
        )
    return _bounded(first.encode())


def _bounded(octets: bytes) -> bytes:
    if len(octets) > _BYTES_MAX:
        raise ConfigError(
            "this is too long for a password",
            code="password_source",
            found=f"more than {_BYTES_MAX} bytes",
            allowed=f"at most {_BYTES_MAX}",
        )
    return octets


def _unreadable(source: str, error: OSError, fix: str) -> ConfigError:
    return ConfigError(
        f"no password can be read from {source}",
        code="password_source",
        found=error.strerror or "no answer",
        allowed=SOURCES,
        fix=fix,
    )
