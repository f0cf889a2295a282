"""``tidegate doctor``: find what is missing or wrong before the user does."""

from __future__ import annotations

import msgspec
import typer

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.config import ConfigFile, Settings, configured
from tidegate.app.cli.ledger_place import ledger_place
from tidegate.app.config import check_config
from tidegate.app.doctor import (
    look_at_chains,
    look_at_custody,
    look_at_machine,
    look_at_roles,
    look_at_state,
)
from tidegate.app.findings import Finding, render_findings, wrong
from tidegate.ledger import LEDGER, place_of
from tidegate.model import SystemClock, TidegateError


def command(config: ConfigFile = None, settings: Settings = None, as_json: JsonFlag = False) -> None:
    """Check machine, configuration, chains, clock, keys, signer, ledger; exit 1 if anything is wrong."""
    findings = look_at_everything(config, settings)
    well = all(finding.ok for finding in findings)
    emit(
        {"ok": well, "findings": [msgspec.to_builtins(finding) for finding in findings]},
        as_json=as_json,
        render=lambda out: render_findings(out, findings),
    )
    if not well:
        raise typer.Exit(1)


def look_at_everything(config: ConfigFile, settings: Settings) -> list[Finding]:
    """Return every finding; a configuration that can not be read is one, and the rest is still looked at."""
    place, clock = home(), SystemClock()
    findings = look_at_machine(place)
    try:
        loaded = configured(config, settings)
    except TidegateError as error:
        ledger = place_of(place / LEDGER)
        return [*findings, wrong("configuration", error), *look_at_state(place, ledger, clock)]
    if loaded.path is not None:
        findings += check_config(loaded)
    findings += look_at_chains(loaded, place, clock)
    findings += look_at_custody(loaded, place, clock)
    findings += look_at_roles(loaded, place)
    try:
        ledger = ledger_place(None, loaded)
    except TidegateError as error:
        return [*findings, wrong("ledger", error)]
    return findings + look_at_state(place, ledger, clock)
