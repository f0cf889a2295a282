"""``tidegate devnet grant``: a capability for a devnet, signed by this project's devnet issuer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.devnet_life import running
from tidegate.app.devnet import read_book
from tidegate.model import ConfigError, Stage, format_usd

_USD_E6 = 10**6
_GWEI = 10**9
_HOUR_S = 3_600

MARK = "devnet grant: worth nothing on any chain but a devnet, and in stage fork on throw-away keys"


def grant(
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="A devnet that is up.")],
    strategies: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Strategies that it is for.")],
    key: Annotated[str, typer.Option("--key", help="The key that is to sign; tidegate keys list.")],
    stage: Annotated[Stage, typer.Option(help="canary, production, or fork.")] = Stage.CANARY,
    is_exit: Annotated[bool, typer.Option("--exit", help="For closing alone; lives on in a freeze.")] = False,
    notional_usd: Annotated[
        int, typer.Option("--notional", min=0, help="Dollars that one transaction may move.")
    ] = 100_000,
    at_risk_usd: Annotated[
        int, typer.Option("--at-risk", min=0, help="Dollars that one transaction may lose, with its gas.")
    ] = 100,
    per_day: Annotated[int, typer.Option(min=0, help="Transactions in 24 h.")] = 100,
    gas_limit: Annotated[int, typer.Option(min=21_000, help="The most gas of a transaction.")] = 3_000_000,
    max_fee_gwei: Annotated[int, typer.Option(min=1, help="The highest max fee per gas.")] = 200,
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long it lives.")] = 24,
    blinds: Annotated[Path | None, typer.Option(help="A file with the values of the blinds.")] = None,
    output: Annotated[Path | None, typer.Option(help="Where to write it; else the signer's folder.")] = None,
    load: Annotated[bool, typer.Option("--load", help="Hand it to the signer that runs here.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Issue a capability for strategies on a devnet that is up. The gate issues for everything else.

    Functions, lenders and spenders are those that the strategies need; limits are what you say. A day's
    limits are those of a transaction times the transactions of a day, at most a billion dollars.
    """
    from tidegate.app.devnet.tables import token_tables
    from tidegate.app.granting import Holder, Limits, devnet_grant
    from tidegate.app.runtime import Job
    from tidegate.app.signer import devnet_issuer
    from tidegate.custody import Purpose, sign_capability
    from tidegate.custody.keys import Curve, KeyFile, KeyKind
    from tidegate.desks.atomic import load_blinds, load_strategy

    record = running(chain, otherwise="; for every other chain a capability comes from the gate")
    file = KeyFile.read(home() / "keys" / f"{key}.json")
    if file.tidegate.curve is not Curve.SECP256K1:
        raise ConfigError(f"key {key} is not for EVM chains", found=file.tidegate.curve.value)
    tables = token_tables()
    jobs = []
    for path in strategies:
        strategy = load_strategy(path, tables)
        given = {} if blinds is None else load_blinds(blinds, strategy, tables[strategy.chain])
        jobs.append(Job(strategy, given))
    day = max(per_day, 1)
    limits = Limits(
        notional_tx_usd_e6=notional_usd * _USD_E6,
        notional_day_usd_e6=min(notional_usd * day, 10**9) * _USD_E6,
        at_risk_tx_usd_e6=at_risk_usd * _USD_E6,
        at_risk_day_usd_e6=min(at_risk_usd * day, 10**9) * _USD_E6,
        tx_day=per_day,
        gas_limit_max=gas_limit,
        max_fee_wei=max_fee_gwei * _GWEI,
        deadline_max_s=_HOUR_S,
        life_s=hours * _HOUR_S,
    )
    issuer_key = devnet_issuer(home())
    capability = devnet_grant(
        record,
        read_book(home() / "devnet", chain),
        jobs,
        holder=Holder(file.shown_address, file.tidegate.kind is KeyKind.THROW_AWAY),
        stage=stage,
        purpose=Purpose.EXIT if is_exit else Purpose.ACT,
        limits=limits,
        issuer_key=issuer_key,
        now_ms=time.time_ns() // 1_000_000,
    )
    envelope = sign_capability(capability, issuer_key)
    path = output or home() / "signer" / f"{capability.desk}-{chain}-{capability.purpose.value}.capability"
    _write(path, envelope)
    if load:
        _load(envelope)
    value = {
        "capability_id": capability.id,
        "written": str(path),
        "loaded": load,
        "mark": MARK,
        "capability": msgspec.to_builtins(capability),
    }

    def render(out: Console) -> None:
        out.print(f"written: {path}")
        out.print(f"id:      {capability.id}")
        out.print(f"allows:  {capability.desk} on {chain} in {stage.value} for {hours} h")
        out.print(
            f"         {per_day} transactions a day, each moves at most "
            f"{format_usd(limits.notional_tx_usd_e6)} and loses {format_usd(limits.at_risk_tx_usd_e6)}"
        )
        out.print(MARK)
        if not load:
            out.print(f"next:    tidegate signer load {path}")

    emit(value, as_json=as_json, render=render)


def _write(path: Path, envelope: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_bytes(envelope + b"\n")
        new.replace(path)
    except OSError as error:
        raise ConfigError("the file can not be written", code="output", found=str(error)) from error


def _load(envelope: bytes) -> None:
    from tidegate.app.signer import read_signer_settings
    from tidegate.custody import SignerConnection

    async def handed_over() -> None:
        settings = read_signer_settings(home() / "signer" / "signer.toml")
        async with SignerConnection(settings.socket) as signer:
            await signer.load_capability(envelope)

    asyncio.run(handed_over())
