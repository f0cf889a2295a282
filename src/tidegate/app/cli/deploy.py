"""``tidegate deploy``: executors onto chains, once each, owned by a Safe from their first block."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.config import ConfigFile
from tidegate.model import ConfigError

app = typer.Typer()

TERMINAL = "terminal"


@app.callback()
def _deploy() -> None:
    """Keep ``executor`` a verb of its own: a group of one command would swallow its name."""


@app.command()
def executor(
    owner: Annotated[str, typer.Option(help="safe:NAME or safe:0x…: the Safe that owns it for ever.")],
    treasury: Annotated[str, typer.Option(help="Where payouts and sweeps go: a name of the book, or 0x….")],
    guardian: Annotated[
        list[str], typer.Option(help="Who may pause and narrow: a name, or 0x…; up to four times.")
    ],
    chain: Annotated[list[str], typer.Option(help="On which chain; several times for several.")],
    desk: Annotated[
        str, typer.Option(help="atomic, liquidation or momentum: the desk that uses it.")
    ] = "atomic",
    delay: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds that a change waits; else 86400, on a devnet 0."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=2, help="2 makes a backup beside the main one.")] = 2,
    number: Annotated[int, typer.Option(min=1, max=99, help="Which pair: 1 is main1 and backup1.")] = 1,
    key: Annotated[
        str, typer.Option(help="The deployer's key: of a devnet, else of the signer.")
    ] = "deployer",
    password_from: Annotated[
        str, typer.Option("--password", help="Where a key file's password comes from, on a devnet.")
    ] = TERMINAL,
    signer: Annotated[bool, typer.Option("--signer", help="Sign by the signer also on a devnet.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent; send nothing.")
    ] = False,
    wait: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds to wait for each.")] = 180,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Deploy the executors of a desk: checked before, sent once, compared with the build, put in the book.

    Repeat the same command after anything: it goes on where it was cut off and never deploys twice.
    The deployer's key holds no power over what it creates, and is for nothing else.
    """
    from tidegate.app.cli.config import configured
    from tidegate.app.cli.deploy_view import render_deployed, render_plans
    from tidegate.app.deploying.run import Wanted, deploy_on, plan_on

    if desk not in ("atomic", "liquidation", "momentum"):
        raise ConfigError(
            "no desk of this name uses an executor", found=desk, allowed="atomic, liquidation, momentum"
        )
    loaded = configured(config, None)
    wanted = Wanted(
        desk=desk,
        owner=owner,
        treasury=treasury,
        guardians=tuple(guardian),
        delay_s=delay,
        count=count,
        number=number,
        key=key,
        password=password_from,
        uses_signer=signer,
        wait_s=float(wait),
    )
    chains = tuple(dict.fromkeys(chain))
    plans = [asyncio.run(plan_on(name, wanted, loaded, home())) for name in chains]
    ok = all(plan["ok"] for plan in plans)
    if dry_run or not ok:
        value: dict[str, Any] = {"ok": ok, "dry_run": dry_run, "chains": plans}
        emit(value, as_json=as_json, render=lambda out: render_plans(out, plans, sends=not dry_run))
        if not ok:
            raise typer.Exit(10)
        return
    deployed = [asyncio.run(deploy_on(name, wanted, loaded, home())) for name in chains]
    value = {"ok": all(one["ok"] for one in deployed), "chains": deployed}

    emit(value, as_json=as_json, render=lambda out: render_deployed(out, deployed))
    if not value["ok"]:
        raise typer.Exit(1)
