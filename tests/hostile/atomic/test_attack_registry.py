"""The attack pack is whole: each property and each mistake has an attack, or says that it waits for one."""

import ast
import re
from pathlib import Path

from tests.hostile.atomic.attacks import MISTAKES, NOT_PLAYED, PROPERTIES, RULES

from tidegate.app.drills.attack import ATTACKS
from tidegate.sim import checkout_root

ELSEWHERE = {"P15", "P25"}
"""The gas snapshot, which no attacker plays, and the pack itself."""


def marked() -> dict[str, tuple[str, ...]]:
    """Return the rules of every marked test, read from its decorator."""
    found = {}
    for place in ATTACKS:
        root = Path(str(checkout_root())) / place
        for path in sorted(root.glob("test_*.py")) if root.is_dir() else [root]:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "attack":
                    found[f"{path.name}:{node.lineno}"] = tuple(ast.literal_eval(node.args[0]).split())
    return found


def test_every_rule_is_attacked_but_for_those_that_wait():
    attacked = {rule for rules in marked().values() for rule in rules}
    assert attacked == RULES.keys() - set(NOT_PLAYED)


def test_the_registry_knows_every_property_of_the_specification():
    known = {f"P{number}" for number in range(1, 26)}
    assert known == PROPERTIES.keys() | ELSEWHERE
    assert [*MISTAKES] == [f"F{number}" for number in range(1, len(MISTAKES) + 1)]


def test_every_test_that_is_named_after_a_property_attacks_it():
    """``test_p7_…`` that is marked is marked as P7, among others."""
    for place in ATTACKS[:1]:
        for path in sorted((Path(str(checkout_root())) / place).glob("test_p*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.FunctionDef) or not (
                    match := re.match(r"test_p(\d+)_", node.name)
                ):
                    continue
                rules = [
                    ast.literal_eval(mark.args[0]).split()
                    for mark in node.decorator_list
                    if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "attack"
                ]
                assert not rules or any(rule in {f"P{match[1]}", *MISTAKES} for rule in rules[0]), node.name
