"""``tidegate desk atomic``: the desk's executors: pairs kept equal, changes that wait, first help."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.config import ConfigFile, configured
from tidegate.app.cli.desk_view import render_changes, render_diff, render_done, render_state
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.model import ConfigError

app = typer.Typer()

TERMINAL = "terminal"
Result = TypeVar("Result")
ChainName = Annotated[
    str, typer.Option("--chain", help="A chain of the configuration, or a devnet that is up.")
]
ExecutorName = Annotated[str, typer.Option("--executor", help="An executor of the book.")]
Key = Annotated[
    str | None, typer.Option("--key", help="Whose key sends it: a key file, on a devnet also an account.")
]
PasswordSource = Annotated[
    str,
    typer.Option(
        "--password", help="Where a key file's password comes from: fd:N, credential:NAME, terminal."
    ),
]
SafeFile = Annotated[
    Path | None, typer.Option("--safe", metavar="FILE", help="Write the owner's proposal instead of sending.")
]
First = Annotated[str, typer.Argument(metavar="MAIN", help="The executor whose state is wanted.")]
Second = Annotated[str, typer.Argument(metavar="BACKUP", help="The executor that is to be equal.")]


@app.command()
def state(
    executor: ExecutorName = "main1",
    chain: ChainName = "devnet",
    ledger: LedgerOption = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Read an executor, write its state and its new events down. Exit 1 if one was not announced."""
    from tidegate.app.deploying.operating import look

    loaded = configured(config, None)
    value = _run(look(chain, executor, loaded, home(), ledger_place(ledger, loaded)))
    emit(value, as_json=as_json, render=lambda out: render_state(out, value))
    if not value["ok"]:
        raise typer.Exit(13 if value["differences"] else 1)


@app.command()
def changes(
    executor: ExecutorName = "main1",
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List the changes that wait: since which plan, until when. Exit 1 if nobody announced one."""
    from tidegate.app.deploying.operating import waiting

    value = _run(waiting(chain, executor, configured(config, None), home()))
    emit(value, as_json=as_json, render=lambda out: render_changes(out, value))
    if not value["ok"]:
        raise typer.Exit(1)


@app.command("apply")
def apply_command(
    executor: ExecutorName = "main1",
    unannounced: Annotated[
        bool, typer.Option("--unannounced", help="Also what no plan file of ours announced.")
    ] = False,
    key: Key = "guardian",
    password_from: PasswordSource = TERMINAL,
    safe: SafeFile = None,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Put ripe changes in force, by a guardian's key or a proposal. Only what was announced."""
    from tidegate.app.deploying.operating import apply_ripe

    value = _run(
        apply_ripe(
            chain,
            executor,
            configured(config, None),
            home(),
            also_unannounced=unannounced,
            key=_who(key, safe),
            password=password_from,
            safe=safe,
        )
    )
    emit(value, as_json=as_json, render=lambda out: render_done(out, value))


@app.command()
def cancel(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Changes, by their id or its first digits.")
    ] = None,
    unannounced: Annotated[
        bool, typer.Option("--unannounced", help="Everything that no plan file of ours announced.")
    ] = False,
    executor: ExecutorName = "main1",
    key: Key = "guardian",
    password_from: PasswordSource = TERMINAL,
    safe: SafeFile = None,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Forget changes that wait, by a guardian's key or a proposal."""
    from tidegate.app.deploying.operating import cancel_waiting

    value = _run(
        cancel_waiting(
            chain,
            executor,
            ids or [],
            configured(config, None),
            home(),
            all_unannounced=unannounced,
            key=_who(key, safe),
            password=password_from,
            safe=safe,
        )
    )
    emit(value, as_json=as_json, render=lambda out: render_done(out, value))


@app.command()
def revoke(
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET[:SELECTOR]", help="A contract of the book, or 0x….")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Everything of a protocol, such as uniswap_v3.")
    ] = None,
    operator: Annotated[str | None, typer.Option(help="The role of an operator: a name, or 0x….")] = None,
    executor: ExecutorName = "main1",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed.")] = False,
    key: Key = "guardian",
    password_from: PasswordSource = TERMINAL,
    safe: SafeFile = None,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove entries at once: a function, a contract, a protocol, an operator. By a guardian or the Safe."""
    from tidegate.app.deploying.operating import Named, revoke_entries

    if sum(one is not None for one in (target, protocol, operator)) != 1:
        raise ConfigError(
            "what is revoked?", found="none of them, or several", allowed="TARGET, --protocol or --operator"
        )
    value = _run(
        revoke_entries(
            chain,
            executor,
            Named(target=target, protocol=protocol, operator=operator),
            configured(config, None),
            home(),
            key=None if dry_run else _who(key, safe),
            password=password_from,
            safe=safe,
        )
    )
    emit(value, as_json=as_json, render=lambda out: render_done(out, value))


@app.command()
def sweep(
    executor: ExecutorName = "main1",
    key: Key = "rescuer",
    password_from: PasswordSource = TERMINAL,
    safe: SafeFile = None,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Send every token of the book that the executor holds, and its ETH, to its treasury."""
    from tidegate.app.deploying.operating import sweep_all

    value = _run(
        sweep_all(
            chain,
            executor,
            configured(config, None),
            home(),
            key=_who(key, safe),
            password=password_from,
            safe=safe,
        )
    )
    emit(value, as_json=as_json, render=lambda out: render_done(out, value))


@app.command()
def diff(
    main: First = "main1",
    backup: Second = "backup1",
    safe: SafeFile = None,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare two executors. Exit 0 if they are equal, 1 with what makes the backup equal."""
    from tidegate.app.deploying.operating import diff_pair

    value = _run(diff_pair(chain, main, backup, configured(config, None), home(), safe=safe))
    emit(value, as_json=as_json, render=lambda out: render_diff(out, value))
    if not value["ok"] and safe is None:
        raise typer.Exit(1)


@app.command()
def switch(
    main: First = "main1",
    backup: Second = "backup1",
    key: Key = "guardian",
    password_from: PasswordSource = TERMINAL,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Let the backup take over: pause the main one, then give each the other's name in the book.

    Refused unless the two are equal and the backup runs. Strategies stay as they are; a desk that runs is
    started again, under a capability for the other address.
    """
    from tidegate.app.deploying.operating import switch_pair

    value = _run(
        switch_pair(chain, main, backup, configured(config, None), home(), key=key, password=password_from)
    )
    emit(value, as_json=as_json, render=lambda out: render_done(out, value))


def _run(work: Awaitable[Result]) -> Result:
    async def inside() -> Result:
        return await work

    return asyncio.run(inside())


def _who(key: str | None, safe: Path | None) -> str | None:
    """Return whose key sends; nobody's where a proposal is written instead."""
    return None if safe is not None else key
