"""Write the generated pages of docs/reference anew, from the code that they describe."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from typer.main import get_command

from tidegate.app.cli import application
from tidegate.app.config import REQUIRED, KeyPage, describe_keys
from tidegate.app.metrics import BEYOND, SECONDS_BUCKETS, SERIES_MAX
from tidegate.app.remedies import EXIT_CODES, FINDINGS, REASONS
from tidegate.chain import NETWORKS, TRANSITIONS
from tidegate.desks.atomic import MEANINGS, TEMPLATES, json_schema, template_text
from tidegate.model import Metric, Placement, Reason, errors, format_units
from tidegate.pipeline import MAY_DIFFER, STAGES
from tidegate.risk import Breaker, chain_breakers, desk_breakers, drawdown_breaker, oracle_breaker
from tidegate.risk.guards import Guard, Parameter, ParameterKind, guards
from tidegate.risk.limits import LIMITS, PAPER_DEFAULTS, RUN_LIMITS
from tidegate.risk.limits.rows import LEAST_ATTEMPTS
from tidegate.risk.limits.table import CAPITAL_SHARES_BPS, COUNTS
from tidegate.venues import ActionSpec, Input, InputType, LimitKind, Output, catalogue

EXAMPLE_SCENES = {
    "flash-arb": "WETH dearer on the v2 pair than in the v3 pool",
    "flash-arb-reverse": "WETH dearer in the v3 pool than on the v2 pair",
    "triangle": "WETH cheap on the v2 pair with DAI",
    "flash-mint": "the same",
    "leverage-open": "a person; 1 WETH of the executor's own",
    "leverage-close": "a person; the position of leverage-open",
    "collateral-swap": "a person; a position with WETH as collateral",
    "debt-swap": "a person; a debt in USDC against WETH",
    "deleverage": "a health factor below 1.35",
    "funds-swap": "a person; WETH of the executor's own",
    "dust-sweep": "a person; whatever is left over",
}
REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTICE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"


def reasons() -> str:
    """Return the page of reason codes."""
    rows = "\n".join(f"| `{reason.value}` | {reason.meaning} |" for reason in Reason)
    return (
        "# Reasons for not acting\n\n"
        "Every refusal carries one of these codes, in the journal, in `--json` and in metrics. "
        "One condition has one code.\n\n"
        f"| code | meaning |\n|---|---|\n{rows}\n"
    )


def troubleshooting() -> str:
    """Return the page that says what to do about every exit code, finding and refusal."""
    exits = "\n".join(f"| {code} | {name} | {line} |" for code, (name, line) in EXIT_CODES.items())
    findings = "\n".join(f"| {code} | {MEANINGS[code]} | {line} |" for code, line in FINDINGS.items())
    refusals = "\n".join(
        f"| `{reason.value}` | {reason.meaning} | {line} |" for reason, line in REASONS.items()
    )
    return (
        "# Troubleshooting\n\n"
        "Begin where you are: a command ended with an exit code, `strategy check` shows a finding, or a run "
        "was refused with a reason. What happened stands in the journal, whatever the screen says:\n\n"
        "| you want to know | command |\n|---|---|\n"
        "| what is wrong with this installation, its files and endpoints | `tidegate doctor` |\n"
        "| why the last run ended as it did, arrow by arrow | `tidegate journal show newest` |\n"
        "| why a strategy does not act | `tidegate journal tail --kind decision` |\n"
        "| what a strategy would do now, and where it fails | `tidegate strategy simulate FILE` |\n"
        "| whether the executor allows what a strategy needs "
        "| `tidegate strategy policy FILE --executor NAME --diff` |\n"
        "| who may do what on the executor, and whether it is paused | `tidegate desk atomic state` |\n"
        "| whether anything in the past was changed | `tidegate journal verify` |\n\n"
        f"## Exit codes\n\n| code | name | what to do |\n|---|---|---|\n{exits}\n\n"
        "## Findings of `strategy check`\n\n"
        "A finding also shows the line and column, what was found and what is allowed.\n\n"
        f"| code | meaning | what to do |\n|---|---|---|\n{findings}\n\n"
        "## Reasons for not acting\n\n"
        "With exit code 10. Those that say *stop* are no ordinary day: nothing is lost by waiting, and the "
        "journal is the evidence.\n\n"
        f"| reason | meaning | what to do |\n|---|---|---|\n{refusals}\n"
    )


def examples() -> str:
    """Return the page of the strategies that ship: their own first comments, and what they wait for."""
    sections = []
    for template, (name, does) in TEMPLATES.items():
        text = template_text(template)
        comment = text[: text.index("strategy: 1")].splitlines()
        prose = "\n".join(line.removeprefix("#").strip() for line in comment).strip()
        file = f"../../src/tidegate/desks/atomic/language/templates/{name}.yaml"
        sections.append(f"## {template}\n\n[{name}.yaml]({file}): {does}.\n\n{prose}\n")
    listed = "\n".join(
        f"| [{template}](#{template}) | {does} | {EXAMPLE_SCENES[template]} |"
        for template, (_, does) in TEMPLATES.items()
    )
    return (
        "# Example strategies\n\n"
        "Each is a template: `tidegate strategy new NAME --template TEMPLATE` writes it under your own name, "
        "with its comments.\nEach lands in a test on the protocols' own bytecode, in the scene that it waits "
        "for, with its outcome checked.\n\n"
        f"| template | what it does | what it waits for |\n|---|---|---|\n{listed}\n\n"
        "What needs a position runs behind what opens it, in one world:\n\n"
        "```console\n"
        "$ tidegate strategy new open --template leverage-open\n"
        "$ tidegate strategy new swap --template collateral-swap\n"
        "$ tidegate strategy new move --template debt-swap\n"
        "$ tidegate strategy run open.yaml swap.yaml\nopen landed\nswap landed\n"
        "$ tidegate strategy run open.yaml move.yaml\nopen landed\nmove landed\n```\n\n"
        "What waits for a gap finds one in some markets and none in others:\n\n"
        "```console\n"
        "$ tidegate strategy new cycle --template triangle\n"
        "$ tidegate strategy run cycle.yaml --seed 8\ncycle landed\n```\n\n" + "\n".join(sections)
    )


def transactions() -> str:
    """Return the page of the sender's state table."""
    merged: dict[tuple[str, str, str, str], list[str]] = {}
    for row in TRANSITIONS:
        following = "as before" if row.next is row.state else row.next.value
        key = (row.event.value, following, row.record.value, row.effect)
        merged.setdefault(key, []).append(row.state.value)
    rows = "\n".join(
        f"| {', '.join(states)} | {event} | {following} | `{record}` | {effect} |"
        for (event, following, record, effect), states in merged.items()
    )
    return (
        "# What can become of a transaction\n\n"
        "The sender of a key moves a transaction by this table alone; what it does not hold can not happen. "
        "Every transition is one record of the intent in the journal, written before its effect: "
        "a process that is killed anywhere goes on from there.\n\n"
        "| state | event | next | record | effect |\n"
        f"|---|---|---|---|---|\n{rows}\n"
    )


def stages() -> str:
    """Return the page of the stage table."""
    rows = "\n".join(
        f"| {row.stage.value} | {row.events_from} | {row.plans_run_on} | {row.signs_with} | {row.sends_to} "
        f"| {row.to_enter} |"
        for row in STAGES.values()
    )
    differing = "\n".join(
        f"| {kind.value} | {', '.join(f'`{field}`' for field in sorted(fields))} |"
        for kind, fields in MAY_DIFFER.items()
    )
    return (
        "# Stages\n\n"
        "The same desk code and the same street in every stage; this table is all that differs. "
        "A live stage is refused to every key but one that signs under a capability.\n\n"
        "| stage | events from | plans run on | signs with | sends to | to enter |\n"
        f"|---|---|---|---|---|---|\n{rows}\n\n"
        "What a backtest assumes, and why paper earns less: "
        "[what a backtest knows](../explanation/backtest.md).\n\n"
        "## Paper and fork\n\n"
        "For the same market and strategies the walks of paper and of fork differ in these fields, and in no "
        "other: a test compares their journals. A fork's blocks have other parents, and so other hashes.\n\n"
        f"| record | fields |\n|---|---|\n{differing}\n"
    )


def limits() -> str:
    """Return the page of the street's limits."""
    rows = "\n".join(
        f"| `{name}` | {', '.join(limit.over.value for limit in same)} | {same[0].measure.value} "
        f"| {_window(same[0].window_s)} | {_allowance(name)} |"
        for name in dict.fromkeys(limit.name for limit in LIMITS)
        for same in [[limit for limit in LIMITS if limit.name == name]]
    )
    own = "\n".join(
        f"| `{limit.name}` | {limit.measure.value} | {_window(limit.window_s)} |" for limit in RUN_LIMITS
    )
    return (
        "# Limits\n\n"
        "Every intent is held against all of these at once, before anything is planned and again with "
        "its plan, and takes its place in each or in none. Counts roll by the time of each event and are "
        "made again from the journal at a start. What an exit does is counted and never refused. Units are "
        "the last part of a name: millionths of a dollar, gwei, hundredths of a percent; a count where "
        "there is none.\n\n"
        "| limit | kept for each | counts | window | allowed by default |\n"
        f"|---|---|---|---|---|\n{rows}\n\n"
        "Exposure and losses are shares of the capital that is allotted to the desk "
        "(`desk.NAME.capital_usd`). Outside paper nothing is allowed until the configuration says so. A "
        "plan counts as lost with all that it may lose until it has ended, marked losses stand beside "
        "realised ones, and gains give nothing back. A failure is an attempt that was rejected or "
        "reverted; one that was denied or dropped is none.\n\n"
        "Beside them stand each strategy's own, out of its file:\n\n"
        f"| limit | counts | window |\n|---|---|---|\n{own}\n"
    )


def _window(seconds: int) -> str:
    names = {0: "-", 60: "a minute", 3_600: "an hour", 86_400: "a day", 604_800: "a week"}
    return names[seconds]


def _allowance(name: str) -> str:
    if name in COUNTS:
        after = f", from {LEAST_ATTEMPTS} attempts on" if name == "failed_share_bps" else ""
        return f"{COUNTS[name]}{after}"
    if name in CAPITAL_SHARES_BPS:
        return f"{CAPITAL_SHARES_BPS[name] / 100:g} % of the capital"
    return f"{getattr(PAPER_DEFAULTS, name):,} in paper, 0 elsewhere"


def breakers() -> str:
    """Return the page of the breakers that ship."""
    shipped = (
        *desk_breakers("NAME"),
        drawdown_breaker("NAME"),
        oracle_breaker("desk:NAME", heartbeat_s=3_600),
        *chain_breakers(NETWORKS[1]),
    )
    rows = "\n".join(
        f"| `{one.name}` | {one.scope} | `{one.input}` | {_levels(one)} | {_clear(one)} | {one.min_hold_s} s "
        f"| {one.cooldown_s} s | {one.max_input_age_s} s |"
        for one in shipped
    )
    return (
        "# Breakers\n\n"
        "A breaker watches one measure. It goes to a higher level at once, and steps down one level at a "
        "time, only after the measure was clear of the level for the whole hold. A measure that is "
        "missing, not a number, too old, or raises an error trips it to its highest level "
        "(`breaker_blind`); so does silence for fifteen seconds (`breaker_silent`). A level that is "
        "latched is left by a person alone: [stop and resume](../how-to/stop-and-resume.md). "
        "No breaker can mask an exit.\n\n"
        "Figures of a chain are Ethereum's. Levels that mask nothing are there for alerts.\n\n"
        "| breaker | scope | measure | levels | clear below | hold | cool-down | oldest measure |\n"
        f"|---|---|---|---|---|---|---|---|\n{rows}\n"
    )


def _levels(breaker: Breaker) -> str:
    return "<br>".join(
        f"{number}: {level.threshold:,} "
        + (f"masks {', '.join(sorted(level.masks))}" if level.masks else "masks nothing")
        + (", latched" if breaker.is_latched(number) else "")
        for number, level in enumerate(breaker.levels, start=1)
    )


def _clear(breaker: Breaker) -> str:
    return "<br>".join(f"{breaker.clear_of(number):,}" for number in range(1, breaker.highest + 1))


def error_tree() -> str:
    """Return the page of the error tree and the exit codes."""
    drawing = (errors.__doc__ or "").split("::", 1)[1].rstrip()
    lines = "\n".join(line[4:] for line in drawing.splitlines() if line.strip())
    return (
        "# Errors and exit codes\n\n"
        "An error is named by what the operator must do about it. With `--json` it is one object: "
        "`error`, `code`, `message`, and where they add something `found`, `allowed`, `next`, "
        "`position`.\n\n"
        f"```text\n{lines}\n```\n\n"
        "Exit codes of every command: 0 done, 1 failed, 2 usage, 3 config, 10 blocked, 11 stale, "
        "12 unknown, 13 tampered, 20 halted; 130 interrupted.\n"
    )


def command_line() -> str:
    """Return the page of every verb, with its arguments, options and defaults."""
    root = get_command(application([]))
    sections = "\n".join(_verb(path, command) for path, command in _leaves("tidegate", root))
    return (
        "# Command line\n\n"
        "No command asks a question. Every one below takes `--json` and then prints one JSON object\n"
        "(`journal export` one a line, `journal tail --follow` one more for each new record); an error is\n"
        "an object too, see [errors](errors.md). But for schemas, records and exports, `ok` stands first.\n"
        "`tidegate --version` prints the version.\n\n"
        "State lies in `$TIDEGATE_HOME`, else in `./.tidegate`.\n\n"
        f"| exit code | means |\n|---|---|\n{_exit_codes()}\n\n"
        f"{sections}"
    )


def _exit_codes() -> str:
    meanings = {
        0: ["done"],
        1: ["failed, or the answer is no"],
        2: ["the command was typed wrongly"],
        130: ["interrupted"],
    }
    for line in (errors.__doc__ or "").splitlines():
        name, _, rest = line.strip(" ├└│─").partition(" ")
        meaning, found, code = rest.rpartition(" exit ")
        if found:
            meanings.setdefault(int(code), []).append(f"{name}: {meaning.strip()}")
    return "\n".join(f"| {code} | {'<br>'.join(parts)} |" for code, parts in sorted(meanings.items()))


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name in command.list_commands(None) if children else ():
        yield from _leaves(f"{path} {name}", children[name])


def _verb(path: str, command: Any) -> str:
    options = {name for item in command.params for name in item.opts}
    assert "--json" in options, f"{path} has no --json"
    arguments = [_argument(item) for item in command.params if item.param_type_name == "argument"]
    usage = " ".join([path, *arguments, "[OPTIONS]"])
    rows = "".join(
        f"| {_typed(item)} | {_default(item)} | {_prose(item.help)} |\n"
        for item in command.params
        if "--json" not in item.opts
    )
    table = f"\n| | default | |\n|---|---|---|\n{rows}" if rows else ""
    return f"## {path}\n\n{_prose(command.help)}\n\n```text\n{usage}\n```\n{table}"


def _argument(item: Any) -> str:
    return item.metavar if item.required else f"[{item.metavar}]"


def _typed(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{item.metavar}`"
    value = "" if item.is_flag else f" {_value_type(item)}"
    return ", ".join(f"`{name}{value}`" for name in item.opts)


def _value_type(item: Any) -> str:
    if item.metavar:
        return str(item.metavar)
    kind = item.type_descriptor.annotation
    if isinstance(kind, UnionType) or get_origin(kind) is not None:
        kind = next(one for one in get_args(kind) if one is not type(None))
    if issubclass(kind, Enum):
        return r"\|".join(str(one.value) for one in kind)
    return {int: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _default(item: Any) -> str:
    value = item.default.value if isinstance(item.default, Enum) else item.default
    shown = "required" if item.required else "" if value is None or value is False else f"`{value}`"
    limits = [
        f"{name} {limit:,}" for name, limit in (("from", item.min), ("to", item.max)) if limit is not None
    ]
    return ", ".join(part for part in (shown, " ".join(limits)) if part)


def guard_pages() -> str:
    """Return the page of every guard that ships, its parameters and placements."""
    sections = "\n".join(_guard(guard) for guard in guards().values())
    return (
        "# Guards\n\n"
        "A guard stands on the strategy, a group or a step. `place` says where it is judged: `pre` before\n"
        "sending, `in` on chain inside the transaction, `post` after inclusion. `on_failure` says what\n"
        "follows: `revert` (at `pre`: nothing is sent), `warn` (not with `in`), `skip` (in optional groups,\n"
        "not with `post`). A guard that can not be judged has failed.\n\n"
        "`deadline`, `max_base_fee` and `max_gas` stand in every strategy by themselves, with the bounds\n"
        "that its `deadline` and `gas` give; so does `slippage` on every step that has a `slippage`.\n"
        "`code_hash` stands in every strategy, `reserve_active` where a step uses a lending market, and\n"
        "`sequencer_up` on every layer 2.\n\n"
        f"{sections}\n"
        "Packages may bring more, by the entry point group `tidegate.guards`.\n"
    )


def _guard(guard: Guard) -> str:
    places = ", ".join(f"`{place.value}`" for place in Placement if place in guard.placements)
    text = f"## {guard.name}\n\n{_prose(inspect.getdoc(type(guard)))}\n\nPlacements: {places}.\n"
    if not guard.parameters:
        return f"{text}\nNo parameters.\n"
    rows = "\n".join(_parameter(name, parameter) for name, parameter in guard.parameters.items())
    return f"{text}\n| parameter | written as | default | range |\n|---|---|---|---|\n{rows}\n"


def _parameter(name: str, parameter: Parameter) -> str:
    written = {
        ParameterKind.BPS: "a rate, `100 bps`",
        ParameterKind.SECONDS: "a time, `20 min`",
        ParameterKind.RATIO_E18: "a bare decimal, `1.3`",
        ParameterKind.GAS: "a bare integer",
        ParameterKind.WEI: "a fee, `40 gwei`",
        ParameterKind.TICKS: "a bare integer",
        ParameterKind.AMOUNT: "an amount of `{of}`, `0.5 WETH`",
        ParameterKind.PRICE: "a price in the second token of `{of}`, `3000 USDC`",
        ParameterKind.PAIR: "two tokens, `WETH/USDC`",
        ParameterKind.TOKEN: "a token, `WETH`",
        ParameterKind.NAME: "a word",
    }[parameter.kind].format(of=parameter.of)
    default = "required" if parameter.is_required else "by the feed's heartbeat, and a tenth"
    if parameter.default is not None:
        default = _quantity(parameter.kind, parameter.default)
    limits = ", ".join(f"`{choice}`" for choice in parameter.choices)
    if parameter.kind in (ParameterKind.AMOUNT, ParameterKind.PRICE):
        limits = "above 0" if parameter.low else "0 or more"
    elif parameter.low is not None and parameter.high is not None:
        low, high = (_quantity(parameter.kind, limit) for limit in (parameter.low, parameter.high))
        limits = f"{low} to {high}"
    return f"| `{name}` | {written} | {default} | {limits} |"


def _quantity(kind: ParameterKind, value: int | str) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    if kind is ParameterKind.RATIO_E18:
        return format_units(value, 18)
    unit = {
        ParameterKind.BPS: " bps",
        ParameterKind.SECONDS: " s",
        ParameterKind.WEI: " wei",
        ParameterKind.TICKS: " ticks",
    }
    return f"{value:,}{unit.get(kind, '')}"


def actions() -> str:
    """Return the page of what a step may ``use``."""
    by_protocol: dict[str, list[ActionSpec]] = {}
    for spec in catalogue().values():
        by_protocol.setdefault(spec.name.partition(".")[0], []).append(spec)
    sections = "\n".join(
        f"## {protocol}\n\n" + "\n".join(_action(spec) for spec in specs)
        for protocol, specs in by_protocol.items()
    )
    return (
        "# Actions\n\n"
        "What a step may `use`, what it takes under `in`, and what later steps may name as `$step.output`.\n"
        "An amount is of the token that is named beside it. The price limit of a swap follows from\n"
        "the quote and the step's `slippage`; executor, deadline and constants are filled in.\n\n"
        "The policy is what the executor contract asks of the call's arguments, counted in words from 0:\n"
        "`self@3`, word 3 is the executor; `recipient`, executor or treasury; `asset`, a token on its list;\n"
        "`cap@1=64`, at most what its owner set as cap 64; `pin@2=0xa0`, exactly 0xa0.\n\n"
        f"{sections}"
    )


def _action(spec: ActionSpec) -> str:
    inputs = "\n".join(f"| `{item.name}` | in | {_input(item)} |" for item in spec.inputs.values())
    outputs = "\n".join(f"| `{item.name}` | out | {_output(item)} |" for item in spec.outputs.values())
    limits = {
        LimitKind.MINIMUM_OUT: "at least the quote less the slippage",
        LimitKind.MAXIMUM_IN: "at most the quote and the slippage",
    }
    called = spec.inputs.get(spec.target)
    where = spec.target if called is None else str(called.default or spec.target)
    facts = [f"Kind {spec.kind.value}, calls `{spec.signature}` of `{where}`."]
    facts += [
        f"In the edition `{name}` it calls `{edition.signature}`." for name, edition in spec.editions.items()
    ]
    if spec.limit is not None:
        facts.append(f"`{spec.limit.of}` is {limits[spec.limit.kind]}.")
    facts.append(f"Policy: {', '.join(f'`{rule}`' for rule in spec.policy) or 'no rules on arguments'}.")
    table = "\n".join(part for part in (inputs, outputs) if part)
    return f"### {spec.name}\n\n{' '.join(facts)}\n\n| name | | |\n|---|---|---|\n{table}\n"


def _output(item: Output) -> str:
    measured = ": what the executor's balance grew by" if item.gained else ""
    return f"amount of `{item.of}`{measured}"


def _input(item: Input) -> str:
    kinds = {
        InputType.TOKEN: "a token",
        InputType.TOKENS: f"a list of at most {item.most} tokens",
        InputType.AMOUNT: f"amount of `{item.of}`",
        InputType.RECIPIENT: "`executor` or `treasury`",
        InputType.UINTS: f"a list of integers, each at most {item.most or 0:,}",
        InputType.FLAG: "`true` or `false`",
        InputType.ACCOUNT: "`executor`, or an address",
        InputType.CONTRACT: f"a contract of the address book{f' like `{item.like}`' if item.like else ''}",
        InputType.UINT: "an integer" + (f", at most {item.most:,}" if item.most is not None else ""),
    }
    usual = f" (`{item.default}`)" if item.type is InputType.CONTRACT and item.default else ""
    return kinds[item.type] + ("" if item.required else f", may be left out{usual}")


def _prose(text: str | None) -> str:
    """Return a docstring or help text as Markdown, one line a paragraph."""
    paragraphs = inspect.cleandoc(text or "").replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("|", "\\|")


def strategy_schema() -> str:
    """Return the JSON Schema of strategy files, as ``tidegate strategy schema`` prints it."""
    return json.dumps(json_schema(), indent=2) + "\n"


def configuration() -> str:
    """Return the page of every key of ``tidegate.toml``."""
    rows = "\n".join(map(_key_row, describe_keys()))
    return (
        "# Configuration\n\n"
        "One file, `tidegate.toml`: `--config PATH`, else `$TIDEGATE_CONFIG`, else the one in this folder;\n"
        "on top of it `--set KEY=VALUE`. `tidegate init` writes one, `tidegate config explain KEY` says\n"
        "which layer set a value. An unknown key is an error. A quantity's unit stands in its key. `*`\n"
        "stands for a name of yours, `[]` for one of several.\n\n"
        "A secret is a reference, never a value: `env:NAME`, `file:PATH` (readable by its owner alone) or\n"
        "`command:WORDS` (first line of its output, without a shell). Only the URL of this machine may\n"
        "stand in the clear.\n\n"
        f"| key | meaning | allowed | default |\n|---|---|---|---|\n{rows}\n"
    )


def _key_row(key: KeyPage) -> str:
    allowed = key.allowed.replace("|", "&#124;")
    if key.default == REQUIRED:
        default = REQUIRED
    elif key.default in (None, "", [], {}):
        default = "-"
    else:
        default = f"`{json.dumps(key.default)}`"
    return f"| `{key.key}` | {key.meaning} | {allowed} | {default} |"


def page(make: Callable[[], str]) -> str:
    """Return a Markdown page under the notice that it is generated."""
    return f"{NOTICE}{make()}"


def metrics() -> str:
    """Return the page of metrics."""
    rows = "\n".join(
        f"| `{metric.metric_name}` | {metric.kind.value} "
        f"| {', '.join(f'`{label}`' for label in metric.labels) or 'none'} | {metric.meaning} |"
        for metric in Metric
    )
    bounds = ", ".join(f"{bound:g}" for bound in SECONDS_BUCKETS)
    return (
        "# Metrics\n\n"
        "In the Prometheus text format. A metric has exactly these labels, each from a bounded set: names\n"
        f"from the configuration and stable codes. After {SERIES_MAX:,} label sets of a metric the rest is\n"
        f"recorded with `{BEYOND}` for every label. A desk does not count again what is counted here.\n\n"
        f"| name | kind | labels | meaning |\n|---|---|---|---|\n{rows}\n\n"
        f"Distributions are in seconds, with the bounds {bounds}.\n"
    )


FILES: dict[str, Callable[[], str]] = {
    "reasons.md": lambda: page(reasons),
    "../how-to/troubleshooting.md": lambda: page(troubleshooting),
    "examples.md": lambda: page(examples),
    "stages.md": lambda: page(stages),
    "transactions.md": lambda: page(transactions),
    "limits.md": lambda: page(limits),
    "breakers.md": lambda: page(breakers),
    "errors.md": lambda: page(error_tree),
    "command-line.md": lambda: page(command_line),
    "configuration.md": lambda: page(configuration),
    "guards.md": lambda: page(guard_pages),
    "actions.md": lambda: page(actions),
    "metrics.md": lambda: page(metrics),
    "strategy.schema.json": strategy_schema,
}


def main() -> None:
    """Write every file."""
    for name, content in FILES.items():
        (REFERENCE / name).write_text(content(), encoding="utf-8")


if __name__ == "__main__":
    main()
