"""``tidegate safe``: what a Safe is, and proposals on their way: proposed, signed, executed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.config import ConfigFile, configured
from tidegate.app.cli.safe_view import (
    findings_record,
    proposal_record,
    render_findings,
    render_proposal,
    render_show,
    state_record,
)
from tidegate.app.places import Place, place_of
from tidegate.app.safes import (
    emergency_packs,
    followed,
    judged,
    key_of,
    look_at,
    safe_address,
    simulated,
)
from tidegate.app.safes import (
    execute as execute_proposal,
)
from tidegate.app.story import counted
from tidegate.chain import ChainReads, address, hex_data, octets
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.custody.multisig import (
    Proposal,
    SafeFinding,
    SafeState,
    export_batch,
    import_batch,
    read_proposal,
    write_proposal,
)
from tidegate.model import ConfigError, TidegateError
from tidegate.venues.safe import SafeCall, SafeTransaction, encode_batch

app = typer.Typer()

TERMINAL = "terminal"
Result = TypeVar("Result")
ChainName = Annotated[
    str, typer.Option("--chain", help="A chain of the configuration, or a devnet that is up.")
]
SafeName = Annotated[
    str | None, typer.Option("--safe", help="The Safe: an address or a name of the book; else safe.owner.")
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A proposal.")]
Out = Annotated[Path | None, typer.Option("--output", help="Where to write the proposal.")]
PasswordSource = Annotated[
    str,
    typer.Option(
        "--password", help="Where a key file's password comes from: fd:N, credential:NAME, terminal."
    ),
]


@app.command()
def show(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A proposal.")] = None,
    chain: ChainName = "devnet",
    safe: SafeName = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a Safe as it is on chain, or a proposal with its calls and signatures."""
    proposal = None if file is None else read_proposal(file)
    place = _place(chain, config)
    where = safe_address(place, safe) if proposal is None else proposal.transaction.safe
    state, findings = _reading(place, lambda reads: look_at(reads, where))
    if proposal is not None and file is not None:
        proposal = _reading(place, partial(_followed, proposal))
        write_proposal(proposal, file)
    value = {"safe": state_record(state), "findings": findings_record(findings)}
    if proposal is not None:
        value["proposal"] = proposal_record(proposal, state)
    emit(value, as_json=as_json, render=lambda out: render_show(out, value, findings))


@app.command()
def propose(
    chain: ChainName = "devnet",
    safe: SafeName = None,
    to: Annotated[str | None, typer.Option(help="Whom to call.")] = None,
    data: Annotated[str, typer.Option(help="Call data in hex.")] = "0x",
    value_wei: Annotated[int, typer.Option(min=0, help="What to send along.")] = 0,
    builder: Annotated[
        Path | None, typer.Option(help="A file of the Transaction Builder instead of --to and --data.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for those who sign.")] = "",
    nonce: Annotated[int | None, typer.Option(min=0, help="Another nonce than the Safe's next.")] = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a proposal for the owners to sign. Nothing is sent."""
    place = _place(chain, config)
    where = safe_address(place, safe)
    if (to is None) == (builder is None):
        raise ConfigError(
            "what is proposed?", found="--to and --builder" if to else "neither", allowed="--to or --builder"
        )
    if builder is not None:
        calls: Sequence[SafeCall] = import_batch(builder, chain_id=place.network.chain_id, safe=where)
    else:
        calls = (SafeCall(address(to or ""), _hex(data), value_wei),)
    call = calls[0] if len(calls) == 1 else encode_batch(calls)
    state, _ = _reading(place, lambda reads: look_at(reads, where))
    transaction = SafeTransaction.of(
        where, place.network.chain_id, state.nonce if nonce is None else nonce, call
    )
    proposal = Proposal(transaction=transaction, reason=reason)
    path = out or Path(f"safe-{transaction.nonce}-{proposal.hash.hex()[:8]}.json")
    write_proposal(proposal, path)
    told = proposal_record(proposal, state)
    emit(
        {"file": str(path), "proposal": told},
        as_json=as_json,
        render=lambda screen: render_proposal(screen, told, str(path)),
    )


@app.command()
def sign(
    file: File,
    key: Annotated[
        str | None, typer.Option(help="A key file's name; on a devnet also owner1 to owner5.")
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="A signature made elsewhere (65 bytes, hex): a wallet, hardware.")
    ] = None,
    password_from: PasswordSource = TERMINAL,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Add an owner's signature, after the proposal is judged against the chain."""
    proposal = read_proposal(file)
    place = _place(chain, config)
    if (key is None) == (signature is None):
        raise ConfigError("who signs?", found="both or neither", allowed="--key or --signature")
    findings = _reading(place, partial(_judged, place, proposal))
    _require(findings, "nothing is signed")
    state, _ = _reading(place, partial(_look_at, proposal))
    if key is not None:
        made = key_of(place, key, keys=home() / "keys", password=password_from).sign_digest(proposal.hash)
        given = made[:64] + bytes([27 + made[64]])
    else:
        given = _hex(signature or "")
    proposal = proposal.signed(given, state.owners)
    write_proposal(proposal, file)
    told = proposal_record(proposal, state)
    emit(
        {"file": str(file), "proposal": told},
        as_json=as_json,
        render=lambda out: render_proposal(out, told, str(file)),
    )


@app.command()
def simulate(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Proposals; with --packs all packs.")
    ] = None,
    packs: Annotated[bool, typer.Option("--packs", help="The emergency packs that are kept ready.")] = False,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Run proposals on a fork of the newest block, by the Safe's own bytecode. Exit 10 if one fails."""
    place = _place(chain, config)
    paths = [*(files or []), *(sorted(_packs_folder(chain).glob("*.json")) if packs else [])]
    if not paths:
        raise ConfigError(
            "nothing to simulate", found="no file", allowed="a proposal", fix="tidegate safe packs"
        )
    results = []
    for path in paths:
        proposal = read_proposal(path)
        state, _ = _reading(place, partial(_look_at, proposal))
        ran = simulated(place, proposal, state)
        results.append(
            {
                "file": str(path),
                "ok": ran.succeeded,
                "at_block": ran.at_block,
                "gas_used": ran.gas_used,
                "logs": len(ran.logs),
                "why": ran.why,
            }
        )
    well = all(result["ok"] for result in results)

    def render(out: Console) -> None:
        for result in results:
            mark = Text("succeeds", "green") if result["ok"] else Text("fails   ", "bold red")
            told = (
                f"{result['gas_used']:,} gas at block {result['at_block']}" if result["ok"] else result["why"]
            )
            out.print(mark, Text(f"{result['file']}: {told}"))
        if not well:
            out.print("next: tidegate safe packs builds packs anew; tidegate safe propose another proposal")

    emit({"ok": well, "simulations": results}, as_json=as_json, render=render)
    if not well:
        raise typer.Exit(10)


@app.command()
def execute(
    file: File,
    key: Annotated[str, typer.Option(help="Who pays the gas: a key file, on a devnet also an account.")],
    password_from: PasswordSource = TERMINAL,
    chain: ChainName = "devnet",
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a proposal that enough owners have signed, and wait for its receipt."""
    proposal = read_proposal(file)
    place = _place(chain, config)
    done = _reading(place, partial(_followed, proposal)).executed_in
    if done:
        raise ConfigError(
            "the proposal is executed already",
            code="safe_executed",
            found=done,
            allowed="a proposal that is not",
            fix=f"tidegate safe show {file}",
        )
    _require(_reading(place, partial(_judged, place, proposal)), "nothing is sent")
    sender = key_of(place, key, keys=home() / "keys", password=password_from)

    async def work() -> tuple[SafeState, Any]:
        async with place.pool() as pool:
            state, _ = await look_at(_reads(pool), proposal.transaction.safe)
            return state, await execute_proposal(pool, proposal, state, sender)

    state, receipt = asyncio.run(work())
    if receipt.status == 1:
        proposal = proposal.executed(receipt.transaction_hash)
        write_proposal(proposal, file)
    value = {
        "ok": receipt.status == 1,
        "transaction": hex_data(receipt.transaction_hash),
        "block": receipt.block_number,
        "gas_used": receipt.gas_used,
        "proposal": proposal_record(proposal, state),
    }

    def render(out: Console) -> None:
        done = "executed" if value["ok"] else "reverted"
        out.print(f"{done} in block {receipt.block_number}, {receipt.gas_used:,} gas, {value['transaction']}")

    emit(value, as_json=as_json, render=render)
    if not value["ok"]:
        raise typer.Exit(1)


@app.command()
def verify(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...", help="Proposals.")] = None,
    chain: ChainName = "devnet",
    safe: SafeName = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the Safe and proposals against the rules and the chain. Exit 10 if a demand fails."""
    place = _place(chain, config)
    results: dict[str, Iterable[SafeFinding]] = {}
    for path in files or []:
        proposal = read_proposal(path)
        results[str(path)] = _reading(place, partial(_judged, place, proposal))
    if not files:
        where = safe_address(place, safe)
        results[where] = _reading(place, lambda reads: look_at(reads, where))[1]
    well = all(finding.ok for findings in results.values() for finding in findings)

    def render(out: Console) -> None:
        for name, findings in results.items():
            out.print(name)
            render_findings(out, findings)

    checked = {name: findings_record(findings) for name, findings in results.items()}
    emit({"ok": well, "checked": checked}, as_json=as_json, render=render)
    if not well:
        raise typer.Exit(10)


@app.command()
def packs(
    chain: ChainName = "devnet",
    safe: SafeName = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Build the emergency packs anew: pause, revoke operators, revoke pairs, sweep. Then simulate them."""
    place = _place(chain, config)
    where = safe_address(place, safe)
    found = _reading(place, lambda reads: emergency_packs(place, reads, where))
    folder = _packs_folder(chain)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, proposal in found.items():
        write_proposal(proposal, folder / f"{name}.json")
    value = {
        "folder": str(folder),
        "packs": {
            name: {
                "hash": hex_data(one.hash),
                "calls": len(one.transaction.calls),
                "nonce": one.transaction.nonce,
            }
            for name, one in found.items()
        },
    }

    def render(out: Console) -> None:
        for name, proposal in found.items():
            out.print(f"{folder / name}.json: nonce {proposal.transaction.nonce}, 0x{proposal.hash.hex()}")
        out.print("next: tidegate safe simulate --packs")

    emit(value, as_json=as_json, render=render)


@app.command("export")
def export_command(
    file: File,
    out: Annotated[Path, typer.Option("--output", help="Where to write the Transaction Builder's file.")],
    as_json: JsonFlag = False,
) -> None:
    """Write a proposal's calls as a file for the Transaction Builder of the Safe web interface."""
    proposal = read_proposal(file)
    transaction = proposal.transaction
    content = export_batch(
        transaction.calls,
        chain_id=transaction.chain_id,
        safe=transaction.safe,
        name=proposal.reason or file.stem,
        created_at_ms=int(time.time() * 1000),
    )
    out.write_bytes(content)
    emit(
        {"file": str(out), "calls": len(transaction.calls)},
        as_json=as_json,
        render=lambda screen: screen.print(f"wrote {out}: {counted(len(transaction.calls), 'call')}"),
    )


def _place(chain: str, config: Path | None) -> Place:
    return place_of(chain, configured(config, None), home())


def _reading(place: Place, work: Callable[[ChainReads], Awaitable[Result]]) -> Result:
    async def inside() -> Result:
        async with place.pool() as pool:
            return await work(_reads(pool))

    return asyncio.run(inside())


async def _look_at(proposal: Proposal, reads: ChainReads) -> tuple[SafeState, tuple[SafeFinding, ...]]:
    return await look_at(reads, proposal.transaction.safe)


async def _followed(proposal: Proposal, reads: ChainReads) -> Proposal:
    return (await followed(reads, proposal))[1]


async def _judged(place: Place, proposal: Proposal, reads: ChainReads) -> tuple[SafeFinding, ...]:
    return await judged(place, reads, proposal)


def _reads(pool: RpcPool) -> ChainReads:
    return pool.reads(pool.policy_for_value, keep=Keep.NOTHING)


def _require(findings: Iterable[SafeFinding], consequence: str) -> None:
    for finding in findings:
        if not finding.ok:
            error = TidegateError(
                f"{finding.check} does not hold: {consequence}",
                code="safe_judged",
                found=finding.found,
                allowed=finding.allowed,
                fix="tidegate safe verify FILE shows every demand",
            )
            error.exit_code = 10
            raise error


def _packs_folder(chain: str) -> Path:
    return home() / "packs" / chain


def _hex(text: str) -> bytes:
    try:
        return octets(text)
    except ValueError as error:
        raise ConfigError("not hex", found=text[:80], allowed="0x and pairs of hex digits") from error
