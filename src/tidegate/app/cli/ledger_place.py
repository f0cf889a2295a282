"""Which ledger a command means: the one that was named, else the configured one, else the project's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tidegate.app.cli.common import home
from tidegate.app.config import LoadedConfig, Secret, find_config, load_config
from tidegate.ledger import LEDGER, Place, place_of
from tidegate.model import ConfigError

LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="FILE|URL",
        help="The ledger's file, a postgresql+psycopg URL without a password, or env:NAME, file:PATH for "
        "one with; else that of tidegate.toml, of $TIDEGATE_HOME or ./.tidegate.",
    ),
]
_REFERENCES = ("env:", "file:", "command:")


def ledger_place(given: str | None, loaded: LoadedConfig | None = None) -> Place:
    """Return the place of the ledger that a command line names, else that of the configuration.

    Parameters
    ----------
    loaded
        The configuration of a command that takes one (``--config``, ``--set``); else the usual file is read.

    Raises
    ------
    ConfigError
        If it holds a password, is a URL of something else, or a reference leads nowhere.
    """
    named = given or configured_ledger(loaded)
    if named is None:
        return place_of(home() / LEDGER)
    if named.startswith(_REFERENCES):
        return place_of(Secret(named).reveal(), notes=home())
    if named.startswith("postgresql"):
        _refuse_password(named)
        return place_of(named, notes=home())
    if "://" in named:
        raise ConfigError(
            "a ledger lies in a file or in PostgreSQL",
            code="not_a_ledger",
            found=f"a URL of {named.partition('://')[0][:20]!r}",
            allowed="a path, or postgresql+psycopg://USER@HOST/DATABASE",
            fix="name a file by its path alone",
        )
    return place_of(Path(named))


def configured_ledger(loaded: LoadedConfig | None = None) -> str | None:
    """Return the ledger's URL or reference of the configuration; None for the file in the home."""
    if loaded is None:
        path = find_config()
        if path is None:
            return None
        loaded = load_config(path)
    url = loaded.config.ledger.url
    return None if url == "sqlite" else url


def _refuse_password(url: str) -> None:
    try:
        has_password = make_url(url).password is not None
    except (ArgumentError, ValueError):
        return  # what is no URL is refused by whoever opens it, without showing it
    if has_password:
        raise ConfigError(
            "a URL with a password must not stand on a command line or in a file that others read",
            code="secret_reference",
            found="a URL with a password (not shown)",
            allowed="a URL without one, or env:NAME, file:PATH, command:WORDS",
            fix="leave the password to PGPASSFILE, or name the place of the whole URL",
        )
