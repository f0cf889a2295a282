"""A pytest plugin that tells, attack by attack, what the attacker was answered.

``tidegate drill attack`` runs this folder with ``-p tests.hostile.atomic.table`` and reads a line of JSON
for every test, from the pipe whose number stands in ``TIDEGATE_ATTACK_FD``. What stopped an attack is no
claim of the test: it is every refusal that a world gave while it ran.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.hostile.atomic import house as doubles
from tests.hostile.atomic.attacks import NOT_PLAYED, RULES, Attack

from tidegate.sim import ExactWorld, FastWorld, WorldReverted
from tidegate.venues.executor import decode_error, executor_build

VARIABLE = "TIDEGATE_ATTACK_FD"


def pytest_configure(config: pytest.Config) -> None:
    """Listen to every world, if someone reads what is heard."""
    number = os.environ.get(VARIABLE)
    if number is not None:
        config.pluginmanager.register(_Table(os.fdopen(int(number), "w", buffering=1)))


class _Table:
    def __init__(self, out: Any) -> None:
        self._out = out
        self._heard: Counter[str] = Counter()
        for world in (FastWorld, ExactWorld):
            for name in ("transact", "call", "deploy"):
                setattr(world, name, self._listening(getattr(world, name)))
        for name in ("reasons", "outcomes"):
            setattr(doubles.House, name, self._overhearing(getattr(doubles.House, name)))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        marked = [item for item in session.items if _attack(item)]
        build = executor_build()
        self._tell(rules=RULES, not_played=NOT_PLAYED, cases=len(marked), runtime=build.runtime.hex())

    def pytest_runtest_setup(self) -> None:
        self._heard.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        marked = _attack(item)
        if marked is not None and (report.when == "call" or report.failed):
            crash = getattr(report.longrepr, "reprcrash", None)
            self._tell(
                test=item.nodeid.partition("[")[0],
                rules=marked.rules,
                tried=marked.tried,
                stops=marked.stops,
                passed=report.passed,
                heard=self._heard,
                why="" if report.passed else str(crash.message if crash else report.longrepr),
            )
        return report

    def _listening(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def heard(world: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return method(world, *arguments, **named)
            except WorldReverted as reverted:
                self._heard[refusal(reverted.data)] += 1
                raise

        return heard

    def _overhearing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Hear what a puppet was answered and swallowed: no world reverted there."""

        def heard(house: doubles.House) -> Any:
            answers = house.read(house.puppet, "all_reasons()", "bytes[]")
            made = house.read(house.puppet, "all_outcomes()", "bool[]")
            refused = [refusal(answer) for answer, done in zip(answers, made, strict=True) if not done]
            self._heard.update(refused)
            return method(house)

        return heard

    def _tell(self, **line: Any) -> None:
        self._out.write(json.dumps(line) + "\n")


def refusal(data: bytes) -> str:
    """Return what a revert says, without the figures that differ from case to case."""
    error = decode_error(data)
    root = error.root
    if root.revert.kind == "custom":
        return f"{root.revert.name} rule {root.rule}" if root.rule is not None else str(root.revert.name)
    if root is not error and root.revert.kind != "error":
        return f"{error.revert.name}: {'no reason' if root.revert.kind == 'empty' else 'its own reason'}"
    return root.meaning


def _attack(item: pytest.Item) -> Attack | None:
    test = getattr(item, "function", None)
    found = getattr(test, "attack", None) or getattr(getattr(item, "cls", None), "attack", None)
    return found if isinstance(found, Attack) else None
