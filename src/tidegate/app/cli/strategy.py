"""``tidegate strategy``: write, check and explain atomic strategies. No network, no keys."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit
from tidegate.app.cli.strategy_place import (
    Account,
    AtBlock,
    Chain,
    Executor,
    Moves,
    Seed,
    Where,
    tables_named,
)
from tidegate.app.cli.strategy_policy import policy
from tidegate.app.cli.strategy_profile import profile_command
from tidegate.app.cli.strategy_run import (
    BlindsFile,
    File,
    RunFiles,
    plan_command,
    planned,
    run_command,
    simulate_command,
)
from tidegate.desks.atomic import (
    TEMPLATES,
    UNREADABLE,
    Elsewhere,
    Finding,
    Strategy,
    as_text,
    check_file,
    check_files,
    explain,
    json_schema,
    new_strategy,
)
from tidegate.model import ConfigError, Stage

app = typer.Typer()

_SUFFIXES = (".yaml", ".yml", ".json")
_SLUG = re.compile(r"[a-z](?:[a-z0-9]|[_-](?=[a-z0-9])){0,63}")

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Strategy files, or folders of them.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The strategy's name, a slug.")],
    template: Annotated[str, typer.Option(help=f"One of {', '.join(TEMPLATES)}.")] = "flash-arb",
    output: Annotated[Path | None, typer.Option(help="Where to write; by default NAME.yaml.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a commented strategy that runs in paper without keys."""
    if not _SLUG.fullmatch(name):
        raise ConfigError(
            "a strategy's name is a slug",
            found=name,
            allowed="small letters, digits, - and _, at most 64",
            fix="such as weth-usdc-arb",
        )
    path = output or Path(f"{name}.yaml")
    text = new_strategy(name, template)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            f"{path} can not be written: {error.strerror}",
            found=str(path),
            allowed="a new file in a folder that exists",
            fix="choose another name or --output",
        ) from error
    value = {"ok": True, "file": str(path), "name": name, "template": template}
    emit(value, as_json=as_json, render=lambda out: out.print(f"wrote {path}"))


@app.command()
def check(files: Files, chain: Chain = None, executor: Executor = None, as_json: JsonFlag = False) -> None:
    """Find what is wrong with strategies. Exit 0 if nothing is, 1 on an error, 3 if unreadable."""
    results = check_files(_found(files), tables_named(chain), Elsewhere(chain or "", executor or ""))
    findings = [finding for _, _, found in results for finding in found]
    value = {
        "ok": not any(finding.is_error for finding in findings),
        "files": [_record(*result) for result in results],
    }
    emit(value, as_json=as_json, render=lambda out: _print_results(out, results))
    raise typer.Exit(_exit_code(findings))


@app.command("explain")
def explain_command(
    file: File,
    is_planned: Annotated[
        bool, typer.Option("--planned", help="Also plan a run, and say which bytes it is.")
    ] = False,
    blinds: BlindsFile = None,
    chain: Chain = None,
    executor: Executor = None,
    block: AtBlock = None,
    as_json: JsonFlag = False,
) -> None:
    """Say in sentences what a strategy does, what reverts it, what it may skip, and the worst it can do."""
    tables = tables_named(chain)
    strategy, findings = check_file(file, tables, Elsewhere(chain or "", executor or ""))
    errors = [finding for finding in findings if finding.is_error]
    if strategy is None or errors:
        raise errors[0].as_error()
    page = explain(strategy, tables[strategy.chain])
    if is_planned or block is not None:
        page = page.with_plan(planned(file, blinds, Where(chain, executor, block)))
    emit(page.as_record(), as_json=as_json, render=lambda out: out.print(Text(as_text(page)), end=""))


@app.command()
def schema(as_json: JsonFlag = False) -> None:
    """Print the JSON Schema of strategy files, for editors and tools."""
    sys.stdout.write(json.dumps(json_schema(), indent=None if as_json else 2) + "\n")


@app.command()
def plan(
    file: File,
    blinds: BlindsFile = None,
    chain: Chain = None,
    executor: Executor = None,
    block: AtBlock = None,
    account: Account = None,
    seed: Seed = None,
    moves: Moves = None,
    as_json: JsonFlag = False,
) -> None:
    """Plan a strategy: lenders, quotes, floors, bytes, what is at risk. Sends nothing, records nothing.

    On --chain, else on the strategy's devnet if that is up, else in a paper world of its own.
    """
    plan_command(file, blinds, Where(chain, executor, block, account, seed, moves), as_json)


@app.command()
def simulate(
    file: File,
    blinds: BlindsFile = None,
    chain: Chain = None,
    executor: Executor = None,
    block: AtBlock = None,
    account: Account = None,
    seed: Seed = None,
    moves: Moves = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a plan's very bytes without sending them: changes, margins, gas by step.

    On --chain, else on the strategy's devnet if that is up, else in a paper world of its own.
    """
    simulate_command(file, blinds, Where(chain, executor, block, account, seed, moves), as_json)


@app.command()
def run(
    files: RunFiles,
    stage: Annotated[Stage, typer.Option(help="Where to run; live stages are refused.")] = Stage.PAPER,
    blinds: BlindsFile = None,
    chain: Chain = None,
    executor: Executor = None,
    seed: Seed = None,
    moves: Moves = None,
    as_json: JsonFlag = False,
) -> None:
    """Walk strategies down the whole street, in order. Exit 0 if the last one landed, 10 if denied.

    On a devnet that is up (--chain, else the strategies' own) what was done before stands. Without one each
    run starts a new paper world: name several files to run them in order in it, such as one that opens a
    position and one that closes it.
    """
    run_command(files, blinds, Where(chain, executor, seed=seed, moves=moves), stage, as_json)


app.command()(policy)
app.command("profile")(profile_command)


def _found(files: list[Path]) -> list[Path]:
    paths: list[Path] = []
    for path in files:
        if path.is_dir():
            paths += sorted(item for item in path.rglob("*") if item.suffix in _SUFFIXES)
        else:
            paths.append(path)
    if not paths:
        raise ConfigError(
            "there is no strategy file",
            found="nothing",
            allowed=f"files that end in {', '.join(_SUFFIXES)}",
            fix="tidegate strategy new NAME writes one",
        )
    return paths


def _record(path: Path, strategy: Strategy | None, findings: tuple[Finding, ...]) -> Mapping[str, Any]:
    return {
        "file": str(path),
        "name": None if strategy is None else strategy.name,
        "ok": not any(finding.is_error for finding in findings),
        "findings": [finding.as_record() for finding in findings],
    }


def _exit_code(findings: list[Finding]) -> int:
    if any(finding.code in UNREADABLE for finding in findings):
        return ConfigError.exit_code
    return int(any(finding.is_error for finding in findings))


def _print_results(out: Console, results: list[tuple[Path, Strategy | None, tuple[Finding, ...]]]) -> None:
    for path, _, findings in results:
        if not findings:
            out.print(Text.assemble((f"{path}", "bold"), (" no findings", "green")))
        for finding in findings:
            colour = "red" if finding.is_error else "yellow"
            out.print(
                Text.assemble((f"{finding.position} ", "bold"), (f"{finding.code} ", colour), finding.message)
            )
            for label, text in (
                ("found", finding.found),
                ("allowed", finding.allowed),
                ("next", finding.fix),
            ):
                if text is not None:
                    out.print(Text(f"    {label + ':':<9}{text}"))
