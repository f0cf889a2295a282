"""The attack drill: its table, its verdict, its record; and that an attacker who gets through fails it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.drills import attack as drills
from tidegate.app.drills import drill_attack, shown
from tidegate.app.drills.attack import _Case, table
from tidegate.ledger import LEDGER, DrillBody, JournalReader
from tidegate.model import RecordKind

RULES = {"P1": "callbacks", "P2": "scopes", "F1": "a mistake"}
ONE_FILE = ("tests/hostile/atomic/test_p13_nesting.py",)
THROUGH = """
from tests.hostile.atomic.attacks import attack


@attack("F4", "walk in by the door")
def test_an_attacker_who_gets_in():
    assert False, "the door was open"
"""


def case(rule: str = "P1", *, test: str = "t", passed: bool = True, stops: str = "", **heard: int) -> _Case:
    return _Case(test, (rule,), "try", stops, passed, heard, "" if passed else "it got in")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    return tmp_path / "home"


def test_a_row_holds_all_cases_of_a_test_and_what_stopped_most_of_them() -> None:
    (row,) = table(RULES, [case(locked=1), case(locked=2, role=1), case(Simulated=9)])
    assert (row.id, row.cases, row.passed, row.stands_for) == ("P1.1", 3, True, ("callbacks",))
    assert row.stopped_by == ("locked", "role")  # a simulation that ends is no refusal
    assert shown(row) == "locked, role"


def test_one_case_that_gets_through_fails_its_row() -> None:
    (row,) = table(RULES, [case(locked=1), case(passed=False, locked=1)])
    assert not row.passed
    assert shown(row) == "NOT STOPPED: it got in"


def test_an_attack_that_nothing_was_seen_to_stop_is_not_passed() -> None:
    silent, said = table(RULES, [case(test="a"), case(test="b", stops="no such byte")])
    assert (silent.passed, silent.why) == (False, "nothing was seen to stop it")
    assert (said.passed, shown(said)) == (True, "no such byte")


def test_rows_stand_in_the_order_of_their_rules_and_long_lists_are_cut() -> None:
    rows = table(RULES, [case("F1", test="f", a=1), case("P1", test="p", a=4, b=3, c=2, d=1)])
    assert [row.id for row in rows] == ["P1.1", "F1.1"]
    assert shown(rows[0]) == "a, b, c and 1 more"


def test_the_attacks_are_played_filed_and_counted(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file of them: each of its rows holds, and the drill says which rules nobody attacked."""
    monkeypatch.setattr(drills, "ATTACKS", ONE_FILE)
    assert run(["drill", "attack", "--json"]) == 1
    shown_json = json.loads(capsys.readouterr().out)
    assert [row["passed"] for row in shown_json["attacks"]] == [True] * 2
    assert {row["rules"][0] for row in shown_json["attacks"]} == {"P13"}
    assert shown_json["not_played"] == {}, "every mistake of the field is played"
    assert shown_json["figures"]["cases"] == sum(row["cases"] for row in shown_json["attacks"])
    assert "no attack on P12" in shown_json["detail"]
    with JournalReader.open(home / LEDGER) as reader:
        (record,) = reader.records(kind=RecordKind.DRILL)
        body = DrillBody.from_body(record.body)
    assert (body.drill, body.passed, len(body.steps)) == ("attack", False, 2)


def test_an_attacker_who_gets_through_fails_the_drill(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "test_through.py"
    path.write_text(THROUGH)
    monkeypatch.setattr(drills, "ATTACKS", (*ONE_FILE, str(path)))
    assert run(["drill", "attack"]) == 1
    out = capsys.readouterr().out
    assert "NOT STOPPED" in out
    assert "DID NOT HOLD" in out


def test_without_a_checkout_it_says_where_the_attacks_are(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drills, "checkout_root", lambda: None)
    assert run(["drill", "attack", "--json"]) == 12
    assert "make attack" in capsys.readouterr().out
    assert not (home / LEDGER).exists()


@pytest.mark.slow
def test_no_attack_of_the_pack_succeeds() -> None:
    drill = drill_attack()
    assert drill.body.passed, drill.body.detail
    assert drill.body.figures["succeeded"] == 0
