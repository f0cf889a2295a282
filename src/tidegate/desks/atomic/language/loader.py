"""The loader: a file of any author becomes a ``Strategy``, or findings that say why not.

It reads in three passes, each of which reports all that it finds: the document (malformed, too
large), its form (``schema``), then names, units and ranges. Nothing is built from a file that has
an error. What needs the order of steps or the catalogue of actions is the linter's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from tidegate.desks.atomic.language.build_blinds import build_blinds
from tidegate.desks.atomic.language.build_settings import (
    build_addresses,
    build_bounds,
    build_gas,
    build_limits,
    build_relay,
    build_trigger,
    default_order,
)
from tidegate.desks.atomic.language.build_steps import build_guards, build_steps
from tidegate.desks.atomic.language.document import (
    Content,
    Scalar,
    Table,
    parse_document,
    plain,
    read_document,
)
from tidegate.desks.atomic.language.findings import Finding, in_order
from tidegate.desks.atomic.language.reading import Keys, Reading
from tidegate.desks.atomic.language.schema import check_form
from tidegate.desks.atomic.language.syntax import (
    CombinedTrigger,
    Cooldown,
    FlashStep,
    Limits,
    ManualTrigger,
    Relay,
    ScheduleTrigger,
    StepNode,
    Strategy,
    Trigger,
    walk,
)
from tidegate.model import ConfigError, SourcePosition, digest

TokenTables: TypeAlias = Mapping[str, Mapping[str, int]]
"""For each chain, the decimals of its tokens by symbol."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Read a file as if it named another chain, another executor, or both; empty leaves the file's own.

    What it would then say is what its digest is of.
    """

    chain: str = ""
    executor: str = ""


AS_WRITTEN = Elsewhere()


def load_strategy(path: Path, tables: TokenTables, elsewhere: Elsewhere = AS_WRITTEN) -> Strategy:
    """Return the strategy of a file.

    Raises
    ------
    ConfigError
        The first finding of the file, with its position, what was found and what is allowed.
    """
    return _only_strategy(*_build(read_document(path), tables, elsewhere))


def parse_strategy(raw: bytes, file: str, tables: TokenTables) -> Strategy:
    """Return the strategy that ``raw`` writes; ``file`` names it in positions.

    Raises
    ------
    ConfigError
        The first finding, with its position, what was found and what is allowed.
    """
    return _only_strategy(*_build(parse_document(raw, file), tables))


def examine_strategy(
    path: Path, tables: TokenTables, elsewhere: Elsewhere = AS_WRITTEN
) -> tuple[Strategy | None, tuple[Finding, ...]]:
    """Return the strategy of a file, or every finding that keeps it from being one."""
    try:
        content = read_document(path)
    except ConfigError as error:
        return None, (Finding.of(error, SourcePosition(str(path), 1, 1)),)
    return _build(content, tables, elsewhere)


def _only_strategy(strategy: Strategy | None, findings: tuple[Finding, ...]) -> Strategy:
    if strategy is None:
        raise findings[0].as_error()
    return strategy


def _build(
    content: Content, tables: TokenTables, elsewhere: Elsewhere = AS_WRITTEN
) -> tuple[Strategy | None, tuple[Finding, ...]]:
    findings = check_form(content)
    if findings:
        return None, in_order(findings)
    assert isinstance(content, Table)
    content = _placed(content, elsewhere)
    chain = _chain(content)
    reading = Reading(decimals_of={}, on_chain=tables.get(chain, {}), chain=chain)
    strategy = _strategy(Keys(content, reading), chain)
    return (None, in_order(reading.findings)) if reading.findings else (strategy, ())


def _placed(content: Table, elsewhere: Elsewhere) -> Table:
    others = {key: name for key, name in asdict(elsewhere).items() if name}
    if not others:
        return content
    written = {key: Scalar(name, name, content.entries[key].position) for key, name in others.items()}
    return replace(content, entries={**content.entries, **written})


def _chain(content: Table) -> str:
    chain = content.entries["chain"]
    assert isinstance(chain, Scalar)
    return chain.text


def _strategy(keys: Keys, chain: str) -> Strategy:
    reading = keys.reading
    _declare_tokens(keys)
    reading.blinds = set(keys.keys("blinds").table.entries) if keys.has("blinds") else set()
    where = keys.table.position
    trigger, cooldown = (
        build_trigger(keys.keys("trigger"))
        if keys.has("trigger")
        else (ManualTrigger(position=where), Cooldown())
    )
    steps = build_steps(keys.items("steps"), reading)
    _check_ids(steps, reading)
    return Strategy(
        position=where,
        value_positions=keys.places(),
        name=keys.text("name"),
        chain=chain,
        executor=keys.text("executor"),
        tokens=keys.texts("tokens"),
        addresses=build_addresses(keys.keys("addresses")) if keys.has("addresses") else {},
        blinds=build_blinds(keys.keys("blinds")) if keys.has("blinds") else {},
        trigger=trigger,
        cooldown=cooldown,
        gas=build_gas(keys.keys("gas")),
        deadline_s=keys.measure("deadline", 0, 2, 3_600, "2 s to 1 h"),
        relay=(
            build_relay(keys.keys("relay"), chain)
            if keys.has("relay")
            else Relay(position=where, order=default_order(chain))
        ),
        bounds=build_bounds(keys.items("bounds"), reading),
        limits=build_limits(keys.keys("limits")) if keys.has("limits") else Limits(position=where),
        once=keys.flag("once", otherwise=_runs_once(trigger, steps)),
        guards=build_guards(keys.items("guards"), reading),
        steps=steps,
        note=keys.text("note"),
        digest=digest(_hashable(plain(keys.table))),
    )


def _declare_tokens(keys: Keys) -> None:
    reading = keys.reading
    for item in keys.items("tokens"):
        assert isinstance(item, Scalar)
        if item.text not in reading.on_chain:
            reading.unknown_token(item.text, item.position)
            continue
        if item.text in reading.decimals_of:
            reading.report(
                "ATM002", item.position, f"{item.text} is declared twice", item.text, "each token once",
                "remove one",
            )  # fmt: skip
        reading.decimals_of[item.text] = reading.on_chain[item.text]


def _check_ids(steps: tuple[StepNode, ...], reading: Reading) -> None:
    # Steps and blinds share one space of names: $name must mean one thing.
    seen: Counter[str] = Counter(reading.blinds)
    for step in walk(steps):
        if seen[step.id]:
            taken = "a blind" if step.id in reading.blinds else "another step"
            reading.report(
                "ATM002", step.at("id"), f"the id {step.id} is taken", f"{step.id}, also {taken}",
                "one id for one thing", "rename one of them",
            )  # fmt: skip
        seen[step.id] += 1


def _runs_once(trigger: Trigger, steps: tuple[StepNode, ...]) -> bool:
    # A loop that only moves borrowed funds is made harmless by its profit bound; all else could
    # spend twice if the same bytes landed twice.
    return _is_by_hand_or_clock(trigger) or not any(isinstance(step, FlashStep) for step in walk(steps))


def _is_by_hand_or_clock(trigger: Trigger) -> bool:
    if isinstance(trigger, CombinedTrigger):
        return any(_is_by_hand_or_clock(inner) for inner in trigger.triggers)
    return isinstance(trigger, ManualTrigger | ScheduleTrigger)


def _hashable(value: Any) -> Any:
    # Integers as text: canonical JSON must hold a whole uint256.
    if isinstance(value, dict):
        return {key: _hashable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hashable(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
