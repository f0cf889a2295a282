"""``tidegate journal``: what each sub-verb prints and the exit codes that are its contract."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tidegate.app.cli import run_command as run
from tidegate.app.cli.journal_view import print_records
from tidegate.app.replay import REPLAYERS
from tidegate.ledger import Counted, DecisionBody, Journal, JournalReader, ReconciliationBody
from tidegate.model import ZERO_ADDRESS, ManualClock, Reason, RecordKind, Stage

from .conftest import DENIED, LANDED


def execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.fixture
def journal(ledger: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a sub-verb with --json and gives (exit code, object)."""

    def call(*words: str) -> tuple[int, dict[str, Any]]:
        code = run(["journal", *words, "--ledger", str(ledger), "--json"])
        lines = capsys.readouterr().out.splitlines()
        return code, json.loads(lines[-1])

    return call


def adder(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "result": {"sum": body["inputs"]["a"] + body["inputs"]["b"]}}


def test_tail_shows_the_newest_in_order(journal: Any) -> None:
    code, value = journal("tail", "-n", "3")
    assert code == 0
    assert [record["seq"] for record in value["records"]] == [6, 7, 8]
    assert value["head"] == {"seq": 8, "hash": value["records"][-1]["hash"]}


def test_tail_of_one_kind(journal: Any) -> None:
    _, value = journal("tail", "--kind", "decision")
    assert [record["seq"] for record in value["records"]] == [1, 5, 8]


def test_show_tells_the_story_from_the_decision_on(journal: Any) -> None:
    code, value = journal("show", LANDED[:6])
    assert code == 0
    assert value["attempt"]["outcome"] == "landed"
    assert [record["kind"] for record in value["records"]] == ["decision", "intent", "outcome", "booking"]


def test_show_and_replay_know_the_newest(journal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert journal("show", "newest")[1]["attempt"]["intent_id"] == DENIED
    monkeypatch.setitem(REPLAYERS, "adder", adder)
    assert journal("replay", "newest")[0] == 0


def test_show_for_people_has_a_line_an_arrow(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "show", LANDED, "--ledger", str(ledger)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "sums at block 7 acted" in shown
    assert "adder/sums on chain 31337, moves 3,000.00 USD (paper)" in shown
    assert "+0.03 WETH, gas 0.001 ETH; worth 87.00 USD" in shown


@pytest.mark.parametrize(("words", "code"), [((DENIED,), 0), (("ef",), 3), (("",), 3)])
def test_show_needs_one_intent(journal: Any, words: tuple[str, ...], code: int) -> None:
    assert journal("show", *words)[0] == code


def test_verify_says_what_it_checked(journal: Any) -> None:
    code, value = journal("verify")
    assert (code, value["ok"], value["records"]) == (0, True, 8)
    assert value["projections"] == {"attempts": 2, "pnl": 3, "positions": 2, "standing": 0}
    head = f"{value['head_seq']}:{value['head_hash']}"
    assert journal("verify", "--checkpoint", head)[0] == 0
    assert journal("verify", "--checkpoint", "8:" + "00" * 32)[0] == 13
    assert journal("verify", "--checkpoint", "eight")[0] == 3


def test_verify_names_the_changed_seq_with_exit_13(journal: Any, ledger: Path) -> None:
    execute(ledger, "UPDATE journal_records SET body = replace(body, 'WETH', 'WETI') WHERE seq = 4")
    code, value = journal("verify")
    assert code == 13
    assert (value["error"], value["code"]) == ("Tampered", "journal_tampered")
    assert value["message"] == "seq 4 was changed"


def test_verify_finds_a_projection_that_lies(journal: Any, ledger: Path) -> None:
    execute(ledger, "UPDATE attempts SET outcome = 'landed', reason = NULL WHERE outcome = 'denied'")
    code, value = journal("verify")
    assert (code, value["code"]) == (13, "projection_differs")
    assert value["found"] == f"attempts {DENIED}"


def test_rebuild_says_whether_equal(journal: Any, ledger: Path, tmp_path: Path) -> None:
    code, value = journal("rebuild")
    assert (code, value["equal"], value["rows"]) == (
        0,
        True,
        {"attempts": 2, "pnl": 3, "positions": 2, "standing": 0},
    )
    execute(ledger, "DELETE FROM pnl WHERE line = 1")
    copy = tmp_path / "copy.sqlite"
    code, value = journal("rebuild", "--output", str(copy))
    assert (code, value["equal"], value["differences"]) == (1, False, ["pnl 4 1"])
    assert run(["journal", "verify", "--ledger", str(copy), "--json"]) == 0


def test_export_to_a_file_and_to_standard_output(
    ledger: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    target = tmp_path / "out.jsonl"
    assert run(["journal", "export", "--output", str(target), "--ledger", str(ledger), "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["records"] == 8
    assert run(["journal", "export", "--ledger", str(ledger)]) == 0
    assert capfdbinary.readouterr().out == target.read_bytes()


def test_replay_recomputes_the_same_answer(journal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REPLAYERS, "adder", adder)
    assert journal("replay", LANDED) == (0, {"ok": True, "replayed": 1, "same": 1})
    assert journal("replay", "--all") == (0, {"ok": True, "replayed": 3, "same": 3})


def test_replay_of_another_answer_is_divergence(journal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REPLAYERS, "adder", lambda body: {**adder(body), "acted": body["block"] == 7})
    assert journal("replay", LANDED)[0] == 0
    monkeypatch.setitem(REPLAYERS, "adder", lambda body: {**adder(body), "result": {}})
    code, value = journal("replay", LANDED)
    assert (code, value["code"]) == (13, "replay_differs")
    assert "(other: result)" in value["found"]


def test_replay_of_something_that_no_desk_wrote_is_tampered(
    journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(body: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("not a decision of the adder desk")

    monkeypatch.setitem(REPLAYERS, "adder", refuse)
    code, value = journal("replay", LANDED)
    assert (code, value["error"]) == (13, "Tampered")
    assert value["message"].startswith("seq 1 is not a decision")


def test_replay_without_a_replayer_or_an_intent_says_so(journal: Any) -> None:
    code, value = journal("replay", LANDED)
    assert (code, value["code"]) == (3, "no_replayer")
    assert journal("replay")[0] == 3
    assert journal("replay", LANDED, "--all")[0] == 3


def test_no_ledger_is_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    for words in (("tail",), ("verify",), ("export",), ("rebuild",), ("show", "00"), ("replay", "--all")):
        assert run(["journal", *words, "--json"]) == 3


def test_the_ledger_of_the_home_is_the_default(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(ledger.parent))
    assert run(["journal", "verify", "--json"]) == 0


def test_without_a_ledger_of_its_own_the_newest_demos_is_read(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    for run_name in ("run-9999", "run-10000"):
        (tmp_path / "home" / "demo" / run_name).mkdir(parents=True)
        for name in ("ledger.sqlite", "ledger.sqlite-head"):
            shutil.copy(ledger.with_name(name), tmp_path / "home" / "demo" / run_name / name)
    assert run(["journal", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ledger"].endswith("run-10000/ledger.sqlite")


def test_after_nothing_but_refusals_newest_points_to_the_decisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.sqlite"
    refused = DecisionBody(desk="adder", subject="sums", block=9, acted=False, reason=Reason.NO_OPPORTUNITY)
    with Journal.open(path, clock=ManualClock(1)) as journal:
        journal.append(refused.KIND, refused, actor="adder")
    assert run(["journal", "show", "newest", "--ledger", str(path), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)
    assert (error["code"], error["message"]) == ("no_such_intent", "no decision has led to an intent yet")
    assert "tidegate journal tail --kind decision" in error["next"]


@pytest.mark.parametrize("words", [("tail",), ("show", LANDED), ("verify",), ("rebuild",)])
def test_every_answer_begins_with_ok(journal: Any, words: tuple[str, ...]) -> None:
    code, value = journal(*words)
    assert (code, next(iter(value.items()))) == (0, ("ok", True))


def test_a_rebuild_that_differs_is_not_ok(journal: Any, ledger: Path) -> None:
    execute(ledger, "DELETE FROM pnl WHERE line = 1")
    code, value = journal("rebuild")
    assert (code, value["ok"]) == (1, False)


def test_counts_and_their_nouns_agree(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(REPLAYERS, "adder", adder)
    assert run(["journal", "replay", LANDED, "--ledger", str(ledger)]) == 0
    assert "1 decision recomputed" in capsys.readouterr().out
    assert run(["journal", "replay", "--all", "--ledger", str(ledger)]) == 0
    assert "3 decisions recomputed" in capsys.readouterr().out


def test_people_learn_whose_clock_they_read(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "tail", "--ledger", str(ledger)]) == 0
    assert "journal UTC" in capsys.readouterr().out.splitlines()[0]
    assert run(["journal", "show", LANDED, "--ledger", str(ledger)]) == 0
    assert "begun at journal time 2023-11-14 22:13:20 UTC" in capsys.readouterr().out


def test_explain_takes_the_newest_difference_into_the_books(journal: Any, ledger: Path) -> None:
    def compared(verdict: str) -> ReconciliationBody:
        return ReconciliationBody(
            stage=Stage.PAPER,
            desk="adder",
            chain_id=31337,
            block_number=9,
            block_hash="0x" + "ab" * 32,
            verdict=verdict,
            counted=(Counted(ZERO_ADDRESS, ZERO_ADDRESS, "ETH", 18, booked=5, found=7),),
        )

    with Journal.open(ledger, clock=ManualClock(1)) as writer:
        seq = writer.append(RecordKind.RECONCILIATION, compared("different"), actor="x").seq
        assert journal("explain", str(seq), "--reason", "a top-up")[1]["code"] == "ledger_leased"
    assert journal("explain", "1", "--reason", "a top-up")[0] == 3
    code, value = journal("explain", str(seq), "--reason", "a top-up", "--person", "ada")
    assert code == 0
    body = value["record"]["body"]
    assert (body["verdict"], body["explains"], body["person"]) == ("explained", seq, "ada")
    assert journal("explain", str(seq), "--reason", "once more")[1]["code"] == "not_a_difference"
    assert journal("verify")[0] == 0


@pytest.mark.parametrize(("width", "shows"), [(80, False), (160, True)])
def test_on_a_narrow_terminal_what_happened_gets_the_room(ledger: Path, width: int, shows: bool) -> None:
    out = Console(width=width, file=io.StringIO())
    with JournalReader.open(ledger) as reader:
        print_records(out, reader.last_records(8, None), reader)
    lines = out.file.getvalue().splitlines()
    assert ("actor" in lines[0]) is shows
    assert "intent" in lines[0]
    assert width - lines[0].index("what") >= width // 2, "half of the line"
