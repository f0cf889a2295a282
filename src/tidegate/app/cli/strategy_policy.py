"""``tidegate strategy policy``: the smallest allow-list of strategies, against a deployed executor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.config import ConfigFile, configured
from tidegate.venues import AddressBook, glossary_of
from tidegate.venues.executor import Change, Diff

_SHOWN_DELAY = "apply once it is ripe: tidegate desk atomic apply, or this file by the Safe"


def policy(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Strategies that share an executor.")
    ],
    executor: Annotated[str, typer.Option("--executor", help="An executor of the book.")],
    chain: Annotated[
        str, typer.Option(help="A chain of the configuration, or a devnet that is up.")
    ] = "devnet",
    operator: Annotated[
        str | None, typer.Option(help="Who is to operate, too: a name of the book, or 0x….")
    ] = None,
    blinds: Annotated[
        list[str] | None,
        typer.Option("--blinds", metavar="STRATEGY=FILE", help="Values of blinds; repeatable."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Compare with what the executor allows now.")] = False,
    safe: Annotated[
        Path | None,
        typer.Option("--safe", metavar="FILE", help="Write the owner's proposal that makes it so."),
    ] = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what an executor must allow for these strategies, and nothing else.

    With --diff exit 1 if the executor allows more or less. --safe writes a proposal for the Safe that owns
    it: what narrows and what is scheduled; what waits for the delay goes into FILE.apply.json beside it.
    """
    loaded = configured(config, None)
    value, changes = asyncio.run(
        _work(chain, files, executor, operator, _blinds(blinds or []), safe, diff or safe is not None, loaded)
    )
    emit(value, as_json=as_json, render=lambda out: _render(out, value, changes))
    if diff and safe is None and not value["ok"]:
        raise typer.Exit(1)


async def _work(
    chain: str,
    files: Sequence[Path],
    executor: str,
    operator: str | None,
    blinds: dict[str, Path],
    safe: Path | None,
    compares: bool,
    loaded: Any,
) -> tuple[dict[str, Any], Diff | None]:
    from tidegate.app.deploying.announced import Announcements
    from tidegate.app.deploying.needs import needs_of
    from tidegate.app.deploying.owners import account_of
    from tidegate.app.deploying.proposing import steps_of, write_proposals
    from tidegate.app.deploying.reading import read_executor
    from tidegate.app.places import place_of
    from tidegate.venues.executor import Role, diff_policy

    place = place_of(chain, loaded, home())
    book = place.require_book()
    account = None if operator is None else account_of(operator, place)
    needs = await asyncio.to_thread(
        needs_of, place, files, executor, blinds=blinds, **({} if account is None else {"operator": account})
    )
    role = () if account is None else (Change.role(account, Role.OPERATOR),)
    wanted = (*needs.changes, *role)
    value: dict[str, Any] = {
        "ok": True,
        "chain": chain,
        "executor": executor,
        "strategies": list(needs.names),
        "entries": [change_record(one, book) for one in needs.permissions],
        "limits": [change_record(one, book) for one in needs.limits],
        "roles": [change_record(one, book) for one in role],
    }
    if not compares:
        return value, None
    async with place.pool() as pool:
        reading = await read_executor(pool, book.executor(executor))
        held = [one for one in reading.state.entries if account is not None and one in role]
        found = diff_policy([*reading.state.permissions, *held], wanted)
        value |= {
            "ok": found.is_empty,
            "at_block": reading.at_block,
            "delay_s": reading.state.delay_s,
            "schedule": [change_record(one, book) for one in found.schedule],
            "tighten": [change_record(one, book) for one in found.tighten],
        }
        if safe is not None:
            reason = f"policy of {', '.join(needs.names)} on {executor}"
            announcements = Announcements(home(), place.name, executor)
            value["proposals"] = await write_proposals(
                pool, reading.state, steps_of(reading.state, found), safe, reason, announcements
            )
            value["ok"] = True
    return value, found


def change_record(change: Change, book: AddressBook) -> dict[str, Any]:
    """Return a change as plain data, with its words."""
    from tidegate.venues.executor import change_text

    return {
        "kind": change.kind.name.lower(),
        "key": "0x" + change.key.hex(),
        "word": hex(change.word),
        "id": "0x" + change.id.hex(),
        "text": change_text(change, glossary_of(book)),
    }


def _blinds(given: Sequence[str]) -> dict[str, Path]:
    from tidegate.model import ConfigError

    found = {}
    for item in given:
        name, separator, path = item.partition("=")
        if not separator:
            raise ConfigError("blinds are named by their strategy", found=item, allowed="STRATEGY=FILE")
        found[name] = Path(path)
    return found


def _render(out: Console, value: dict[str, Any], diff: Diff | None) -> None:
    out.print(f"{', '.join(value['strategies'])} need of {value['executor']} on {value['chain']}:")
    for part in ("entries", "limits", "roles"):
        for one in value[part]:
            out.print(f"  {one['text']}")
    if diff is None:
        return
    out.print(f"against {value['executor']} at block {value['at_block']}:")
    for word, part in (("add   ", "schedule"), ("remove", "tighten")):
        for one in value[part]:
            out.print(f"  {word} {one['text']}")
    if diff.is_empty:
        out.print("  no difference")
    for index, one in enumerate(value.get("proposals", [])):
        out.print(f"wrote {one['file']}: {one['calls']} calls, nonce {one['nonce']}, {one['hash']}")
        if index:
            out.print(f"  {_SHOWN_DELAY}")
    if "proposals" not in value and not diff.is_empty:
        out.print("next: --safe FILE writes the owner's proposal; then tidegate safe sign and execute")
