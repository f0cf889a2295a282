"""``tidegate backup``, ``restore`` and ``journal migrate``: what they print and their exit codes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.ledger import LEDGER, SCHEMA_VERSION, Journal, JournalReader
from tidegate.model import ManualClock, RecordKind
from tidegate.risk import StopFolder

Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home whose ledger holds three records."""
    home = tmp_path / "home"
    monkeypatch.setenv("TIDEGATE_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    with Journal.open(home / LEDGER, clock=ManualClock(1)) as journal:
        for number in range(3):
            journal.append(RecordKind.EVENT, {"n": number}, actor="x")
    return home


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, dict[str, Any]]:
        code = run([*words, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


def test_a_backup_while_the_ledger_is_written_to(call: Call, home: Path) -> None:
    with Journal.open(home / LEDGER, clock=ManualClock(1)) as journal:
        code, value = call("backup")
        assert (code, value["seq"], value["hash"]) == (0, *journal.head())
    folder = Path(value["backup"])
    assert folder.parent == home / "backups"
    assert sorted(value["files"]) == [LEDGER, f"{LEDGER}-head"]
    assert json.loads((folder / "manifest.json").read_text())["files"] == value["files"]


def test_a_backup_for_people_says_what_to_keep_elsewhere(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", "--output", str(tmp_path / "b")]) == 0
    with JournalReader.open(home / LEDGER) as reader:
        seq, hash_ = reader.head()
    assert f"keep elsewhere: {seq}:{hash_}" in capsys.readouterr().out


def test_a_backup_with_stops_and_the_signers_journal(call: Call, home: Path, tmp_path: Path) -> None:
    assert call("backup", "--with", "signer")[1]["code"] == "no_ledger"
    StopFolder(home)
    (home / "stop.d" / "halt").write_text("desk:atomic")
    with Journal.open(home / "signer" / "journal.sqlite", clock=ManualClock(1)) as journal:
        journal.append(RecordKind.ANSWER, {}, actor="signer")
    (home / "signer" / "operator.json").write_text("a key that no backup holds")
    code, value = call("backup", "--with", "signer", "--with", "stops", "--output", str(tmp_path / "b"))
    assert code == 0
    assert set(value["files"]) >= {"signer/journal.sqlite", "stop.d/halt"}
    assert not any("operator" in name for name in value["files"])


def test_a_restored_home_is_whole_and_stopped(call: Call, home: Path, tmp_path: Path) -> None:
    _, made = call("backup", "--output", str(tmp_path / "b"))
    kept = f"{made['seq']}:{made['hash']}"
    code, value = call("restore", str(tmp_path / "b"), "--into", str(tmp_path / "new"), "--checkpoint", kept)
    assert (code, value["stopped"], value["seq"]) == (0, True, 3)
    folder = StopFolder(tmp_path / "new")
    (stop,) = (folder.read(dropped) for dropped in folder.listing())
    assert str(stop.scope) == "global"
    assert stop.until_ms is None
    assert call("journal", "verify", "--ledger", str(tmp_path / "new" / LEDGER))[1]["records"] == 3


def test_restoring_into_a_place_that_is_not_empty_is_a_wrong_argument(
    call: Call, home: Path, tmp_path: Path
) -> None:
    call("backup", "--output", str(tmp_path / "b"))
    code, value = call("restore", str(tmp_path / "b"), "--into", str(home))
    assert (code, value["code"]) == (3, "restore_place")


def test_a_backup_that_was_changed_exits_13(call: Call, tmp_path: Path) -> None:
    call("backup", "--output", str(tmp_path / "b"))
    with (tmp_path / "b" / LEDGER).open("ab") as file:
        file.write(b"x")
    code, value = call("restore", str(tmp_path / "b"), "--into", str(tmp_path / "new"))
    assert (code, value["error"], value["code"]) == (13, "Tampered", "backup_tampered")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", [("backup",), ("journal", "verify"), ("journal", "migrate")])
def test_a_password_on_the_command_line_is_refused_and_not_shown(call: Call, verb: tuple[str, ...]) -> None:
    url = "postgresql+psycopg://tidegate:hunter2@127.0.0.1/ledger"
    code, value = call(*verb, "--ledger", url)
    assert (code, value["code"]) == (3, "secret_reference")
    assert "hunter2" not in json.dumps(value)


def test_a_database_that_does_not_answer_is_named_without_its_password(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg://tidegate:hunter2@127.0.0.1:1/ledger"
    monkeypatch.setenv("LEDGER_URL", url)
    code, value = call("journal", "verify", "--ledger", "env:LEDGER_URL")
    assert (code, value["code"]) == (12, "ledger_unavailable")
    assert "postgresql://tidegate@127.0.0.1:1/ledger" in value["message"]
    assert "hunter2" not in json.dumps(value)


def test_migrate_says_where_the_copy_from_before_lies(call: Call, home: Path) -> None:
    code, value = call("journal", "migrate")
    assert (code, value["backup"], value["to_version"]) == (0, None, SCHEMA_VERSION)
    with closing(sqlite3.connect(home / LEDGER)) as connection:
        for statement in (
            "DROP TABLE positions",
            "DROP TABLE standing",
            "DROP TABLE alembic_version",
            "DROP INDEX attempts_by_block",
            "UPDATE ledger_schema SET version = 1",
        ):
            connection.execute(statement)
        connection.commit()
    code, value = call("journal", "verify")
    assert (code, value["code"]) == (3, "ledger_schema")
    assert "tidegate journal migrate" in value["next"]
    code, value = call("journal", "migrate")
    assert (code, value["from_version"], value["records"]) == (0, 1, 3)
    assert Path(value["backup"]).parent == home / "backups"
    assert call("journal", "verify")[0] == 0
