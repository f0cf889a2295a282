"""``tidegate config show|check|explain``: what is configured, whether it holds, and who set it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit
from tidegate.app.config import (
    LoadedConfig,
    check_config,
    describe_keys,
    find_config,
    load_config,
    pattern_of,
    values_of,
)
from tidegate.app.findings import Finding, render_findings
from tidegate.model import ConfigError

app = typer.Typer()

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The file; else $TIDEGATE_CONFIG, else ./tidegate.toml.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A value on top of the file; may be repeated."),
]


def configured(path: Path | None, settings: list[str] | None) -> LoadedConfig:
    """Return the configuration that a command line names."""
    return load_config(find_config(path), dict(map(_setting, settings or [])))


@app.command()
def show(path: ConfigFile = None, settings: Settings = None, as_json: JsonFlag = False) -> None:
    """Print every key with its value and the layer that set it. Secrets show as references."""
    loaded = configured(path, settings)
    rows = [
        {"key": key, "value": value, "set_by": str(loaded.origin(key))}
        for key, value in values_of(loaded.config)
    ]

    def render(out: Console) -> None:
        table = Table(box=None)
        for heading in ("key", "value", "set by"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            style = "dim" if row["set_by"] == "default" else ""
            table.add_row(
                Text(row["key"], style), Text(_shown(row["value"]), style), Text(row["set_by"], "dim")
            )
        out.print(table)

    emit({"file": _file(loaded), "keys": rows}, as_json=as_json, render=render)


@app.command()
def check(path: ConfigFile = None, settings: Settings = None, as_json: JsonFlag = False) -> None:
    """Check keys, values, files and secret references; nothing is connected to. Exit 3 if one is wrong."""
    loaded = configured(path, settings)
    findings = check_config(loaded)
    well = all(finding.ok for finding in findings)

    emit(
        {"ok": well, "file": _file(loaded), "findings": [_finding(one) for one in findings]},
        as_json=as_json,
        render=lambda out: render_findings(out, findings),
    )
    if not well:
        raise typer.Exit(ConfigError.exit_code)


@app.command()
def explain(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Like run.stage or chains.NAME.confirmations.")],
    path: ConfigFile = None,
    settings: Settings = None,
    as_json: JsonFlag = False,
) -> None:
    """Print what a key means, its value, and the layer that set it."""
    loaded = configured(path, settings)
    rows = dict(values_of(loaded.config))
    pages = {page.key: page for page in describe_keys()}
    page = pages.get(pattern_of(key))
    if page is None:
        near = difflib.get_close_matches(pattern_of(key), pages, n=1, cutoff=0.5)
        raise ConfigError(
            f"{key} is not a key",
            code="config_unknown_key",
            found=key,
            allowed="a key of `tidegate config show`",
            fix=f"did you mean {near[0]}?" if near else "tidegate config show",
        )
    value = {
        "key": key,
        "means": page.meaning,
        "allowed": page.allowed,
        "value": rows.get(key),
        "set_by": str(loaded.origin(key)) if key in rows else "nobody: its table is not there",
        "default": page.default,
    }

    def render(out: Console) -> None:
        out.print(f"{key}: {page.meaning}")
        out.print(f"  value:   {_shown(value['value'])}")
        out.print(f"  set by:  {value['set_by']}")
        out.print(f"  default: {_shown(page.default)}")
        out.print(f"  allowed: {page.allowed}")

    emit(value, as_json=as_json, render=render)


def _setting(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark or not key.strip() or not text.isprintable():
        raise ConfigError("not a setting", found=repr(text), allowed="KEY=VALUE", fix="--set run.stage=fork")
    return key.strip(), value.strip()


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value in ("", {}) else str(value)


def _file(loaded: LoadedConfig) -> str | None:
    return None if loaded.path is None else str(loaded.path)


def _finding(finding: Finding) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(finding).items() if value != ""}
