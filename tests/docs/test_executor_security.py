"""The security page names every property and mistake of the registry, with a test that attacks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.hostile.atomic.attacks import MISTAKES, NOT_PLAYED, PROPERTIES
from tests.hostile.atomic.test_attack_registry import ELSEWHERE, marked

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "executor-security.md").read_text()
ROWS = dict(re.findall(r"^\| ([PF]\d+) \| (.+) \|$", PAGE, re.MULTILINE))


def test_every_rule_has_its_row_in_order() -> None:
    properties = sorted({*PROPERTIES, *ELSEWHERE}, key=lambda rule: int(rule[1:]))
    assert list(ROWS) == [*properties, *MISTAKES]


@pytest.mark.parametrize("rule", [rule for rule in PROPERTIES if rule not in ELSEWHERE])
def test_the_file_of_a_property_attacks_it(rule: str) -> None:
    linked = {Path(place).name for place in re.findall(r"\]\(([^)]+)\)", ROWS[rule])}
    attacked = {place.partition(":")[0] for place, rules in marked().items() if rule in rules}
    assert linked & attacked


def test_what_is_not_played_yet_is_said_to_be() -> None:
    assert {rule for rule, row in ROWS.items() if "not played yet" in row} == set(NOT_PLAYED)
