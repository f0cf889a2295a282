"""``tidegate resume --endpoint``: a person ends an endpoint's quarantine, and it is asked who it is."""

from __future__ import annotations

import time

from tidegate.app.cli.common import emit, home
from tidegate.app.stopping.known import journaled_now, known_now, until_gone
from tidegate.app.stopping.lifting import note_for
from tidegate.ledger import EndpointBody, Place
from tidegate.model import ConfigError, Halted
from tidegate.risk.stops.order import RESUMES, drop_note

_WAIT_S = 10.0


def let_go(endpoint: str, ledger: Place, *, who: str, reason: str, evidence: str, as_json: bool) -> None:
    """Let go of an endpoint in quarantine, and wait for the process that runs to act on it.

    Raises
    ------
    ConfigError
        If nothing of this name is in quarantine.
    Halted
        If nobody has acted yet, or the endpoint was asked and is in quarantine again.
    """
    if _quarantine_of(endpoint, ledger) is None:
        held = (one.name for one in known_now(home(), ledger).endpoints)
        raise ConfigError(
            "no such endpoint is in quarantine",
            code="nothing_stopped",
            found=endpoint,
            allowed=", ".join(sorted(held)) or "none is",
            fix="tidegate stop --list",
        )
    at_ms = time.time_ns() // 1_000_000
    note = note_for(
        scope="", endpoint=endpoint, who=who, reason=reason.strip(), evidence=evidence.strip(), at_ms=at_ms
    )
    path = home() / RESUMES / drop_note(home(), note)
    written = journaled_now(home(), ledger)
    if not until_gone(lambda: not path.exists(), seconds=0 if written else _WAIT_S):
        raise Halted(
            f"the word that {endpoint} may be asked again is on disk, and nobody has acted on it yet",
            code="resume_noted",
            allowed="a running process acts within a second, else the next start does",
            fix="tidegate stop --list",
        )
    again = _quarantine_of(endpoint, ledger)
    if again is not None:
        raise Halted(
            f"{endpoint} was asked again, and is in quarantine again",
            code="quarantined_again",
            found=again.detail,
            fix="correct its URL, or leave it out of the configuration",
        )
    value = {"endpoint": endpoint, "by": who, "asked_again": not written}
    when = "at the next start" if written else "and was asked again"
    emit(value, as_json=as_json, render=lambda out: out.print(f"let go: {endpoint}, by {who}, {when}"))


def _quarantine_of(endpoint: str, ledger: Place) -> EndpointBody | None:
    return next((one for one in known_now(home(), ledger).endpoints if one.name == endpoint), None)
