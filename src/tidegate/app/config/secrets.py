"""Secrets as references: a configuration says where a secret is, never what it is."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from tidegate.model import ConfigError

_COMMAND_TIMEOUT_S = 10
_LONGEST = 65_536
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SCHEMES = ("env", "file", "command")


class Secret:
    """A reference such as ``env:NODE_URL``, ``file:secrets/node`` or ``command:pass show node``.

    Nothing but ``reveal`` gives the value: ``repr``, ``str``, errors and logs show the reference.

    Parameters
    ----------
    reference
        ``env:NAME``, ``file:PATH`` (readable by its owner alone) or ``command:WORDS`` (its first line
        of output; run without a shell).

    Raises
    ------
    ConfigError
        If it is no reference: a value that stands in a file in the clear is no secret any more.
    """

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        scheme, _, rest = reference.partition(":")
        if scheme not in SCHEMES or not rest.strip():
            raise ConfigError(
                "a secret must be a reference",
                code="secret_reference",
                found="something else (not shown)",
                allowed="env:NAME, file:PATH or command:WORDS",
                fix="put the value where only its owner reads it, and name that place here",
            )
        self.reference = reference

    def __repr__(self) -> str:
        return f"Secret({self.reference})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    def reveal(self) -> str:
        """Return the value, without surrounding white space.

        Raises
        ------
        ConfigError
            If there is none, it is empty, or others may read its file.
        """
        scheme, _, rest = self.reference.partition(":")
        value = _SOURCES[scheme](rest.strip(), self.reference).strip()
        if not value:
            raise _missing(self.reference, "it is empty", "a value that is not empty")
        return value


class Url:
    """Where a service is. A plain URL may name this machine alone; any other is a ``Secret``."""

    __slots__ = ("_plain", "_secret")

    def __init__(self, text: str) -> None:
        self._plain: str | None = None
        self._secret: Secret | None = None
        if text.partition(":")[0] in SCHEMES:
            self._secret = Secret(text)
            return
        parts = _parts(text)
        if parts is None or parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ConfigError(
                "not a URL",
                code="url",
                found="nothing" if not text else "something else (not shown: it may hold a key)",
                allowed="http(s)://host or ws(s)://host, or a reference: env:NAME, file:PATH, command:WORDS",
            )
        if parts.hostname not in _LOOPBACK or parts.username or parts.password:
            raise ConfigError(
                "the URL of another machine must be a reference: such URLs carry keys",
                code="secret_reference",
                found=f"a URL in the clear ({parts.scheme})",
                allowed="env:NAME, file:PATH or command:WORDS; in the clear only a host of this machine",
                fix="put the URL into a file that only you can read and write file:PATH here",
            )
        self._plain = text

    def __repr__(self) -> str:
        return f"Url({self})"

    def __str__(self) -> str:
        return self._plain if self._secret is None else self._secret.reference  # type: ignore[return-value]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    def reveal(self) -> str:
        """Return the URL itself. Raises ``ConfigError`` as ``Secret.reveal``."""
        if self._secret is None:
            assert self._plain is not None
            return self._plain
        value = self._secret.reveal()
        parts = _parts(value)
        if parts is None or parts.scheme not in ("http", "https", "ws", "wss"):
            raise _missing(self._secret.reference, "what it holds is no URL", "an http(s) or ws(s) URL")
        return value


def _parts(text: str) -> SplitResult | None:
    """Return a URL's parts, or None if it is none: an address or a port may be what no host can have."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 (it is read to have it checked)
    except ValueError:
        return None
    return parts


def _from_environment(name: str, reference: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise _missing(reference, "no such variable in the environment", f"export {name} before the start")
    return value


def _from_file(path: str, reference: str) -> str:
    place = Path(path).expanduser()
    try:
        with place.open("r", encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise _missing(
                    reference, f"others may read it (mode {stat.S_IMODE(mode):o})", f"chmod 600 {place}"
                )
            return file.read(_LONGEST)
    except (OSError, ValueError) as error:  # no text, or a zero byte in the name
        raise _missing(reference, type(error).__name__, "a text file that this user may read") from error


def _from_command(words: str, reference: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (the person's own command, without a shell)
            shlex.split(words), capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _missing(reference, type(error).__name__, "a command that answers in 10 s") from error
    if done.returncode:
        raise _missing(reference, f"it ended with {done.returncode}", "a command that ends with 0")
    return done.stdout.partition("\n")[0]


_SOURCES: dict[str, Callable[[str, str], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "command": _from_command,
}


def _missing(reference: str, found: str, allowed: str) -> ConfigError:
    return ConfigError(
        f"the secret {reference} can not be had",
        code="secret_missing",
        found=found,
        allowed=allowed,
        fix="put the value there, or name another place in tidegate.toml",
    )
