"""The linter: every finding of a strategy that can be judged without a chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tidegate.desks.atomic.language.findings import Finding, in_order
from tidegate.desks.atomic.language.loader import AS_WRITTEN, Elsewhere, TokenTables, examine_strategy
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.syntax import Strategy
from tidegate.desks.atomic.review.dry_compile import compile_dry
from tidegate.desks.atomic.review.rules import RULES


def lint(strategy: Strategy, decimals_of: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return every finding of a strategy, in the order of the file.

    A strategy that no rule refuses is compiled once against stand-in addresses, so that what only
    the compiler knows (live registers, approvals, program size) is found here and not at plan time.
    """
    scene = Scene.of(strategy)
    findings = [finding for rule in RULES for finding in rule(scene)]
    if not any(finding.is_error for finding in findings):
        findings += compile_dry(strategy, decimals_of)
    return in_order(findings)


def check_files(
    paths: Iterable[Path], tables: TokenTables, elsewhere: Elsewhere = AS_WRITTEN
) -> list[tuple[Path, Strategy | None, tuple[Finding, ...]]]:
    """Return, for each file, what it says and every finding; no two may have the same name."""
    results: list[tuple[Path, Strategy | None, tuple[Finding, ...]]] = []
    first: dict[str, Path] = {}
    for path in paths:
        strategy, findings = check_file(path, tables, elsewhere)
        if strategy is not None and first.setdefault(strategy.name, path) != path:
            findings = in_order((*findings, _name_taken(strategy, first[strategy.name])))
        results.append((path, strategy, findings))
    return results


def _name_taken(strategy: Strategy, first: Path) -> Finding:
    return Finding(
        "ATM002",
        strategy.at("name"),
        "two strategies have the same name",
        f"{strategy.name}, also in {first}",
        "one name for one strategy",
        "rename one of them",
    )


def check_file(
    path: Path, tables: TokenTables, elsewhere: Elsewhere = AS_WRITTEN
) -> tuple[Strategy | None, tuple[Finding, ...]]:
    """Return what a file says and every finding; the strategy is None if it could not be read."""
    strategy, findings = examine_strategy(path, tables, elsewhere)
    if strategy is None:
        return None, findings
    return strategy, lint(strategy, tables[strategy.chain])
