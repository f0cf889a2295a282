"""The demo when its journal was changed behind its back, and when its node ends under it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.demo import Options, Progress, run_demo
from tidegate.app.demo.place import Place, Settings, choose_place, open_journal
from tidegate.ledger import JournalReader
from tidegate.model import ConfigError, ManualClock, RecordKind, Tampered, TidegateError, Unavailable
from tidegate.sim import ExactWorld

from .test_demo import BLOCKS, killed_at

SETTINGS = Settings(version="1", seed=7, blocks=3, strategies={})


def begun(demo_home: Path, name: str, *, is_finished: bool = False) -> None:
    place = Place(demo_home / name, continues=False)
    with open_journal(place, SETTINGS, ManualClock()) as journal:
        if is_finished:
            journal.append(RecordKind.SUMMARY, {}, actor="demo")


def execute(ledger: Path, *statements: str) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a demo that was killed in its midst."""
    home = tmp_path_factory.mktemp("cut-off")
    killed_at(home, 40)
    return home


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_records SET body = replace(body, 'false', 'true') WHERE kind = 'decision'",
        "DELETE FROM journal_records WHERE seq = 10",
        "DELETE FROM journal_records WHERE seq = 1",
        "UPDATE journal_records SET body = '{}' WHERE seq = 1",
        "CREATE TRIGGER x AFTER INSERT ON journal_records BEGIN SELECT 1; END",
    ],
)
def test_a_journal_that_was_changed_is_not_gone_on_with(
    cut_off: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statement: str,
) -> None:
    home = tmp_path / "home"
    shutil.copytree(cut_off, home)
    execute(home / "demo" / "run-0001" / "ledger.sqlite", statement)
    monkeypatch.setenv("TIDEGATE_HOME", str(home))
    assert run(["demo", "--once", "--blocks", str(BLOCKS)]) == 13
    told = capsys.readouterr().err
    assert "run-0001" in told
    assert "--fresh" in told
    assert [path.name for path in (home / "demo").iterdir()] == ["run-0001"]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda ledger: ledger.write_bytes(b"garbage" * 99), Tampered),
        (lambda ledger: ledger.unlink(), Tampered),
        (lambda ledger: ledger.write_bytes(b""), Tampered),
        (lambda ledger: ledger.with_name("ledger.sqlite-head").unlink(), Unavailable),
        (lambda ledger: execute(ledger, "UPDATE ledger_schema SET version = 99"), ConfigError),
    ],
)
def test_a_run_that_can_not_be_read_is_said(
    tmp_path: Path, damage: object, kind: type[TidegateError]
) -> None:
    begun(tmp_path, "run-0001")
    assert choose_place(tmp_path, SETTINGS, fresh=False) == Place(tmp_path / "run-0001", continues=True)
    damage(tmp_path / "run-0001" / "ledger.sqlite")  # type: ignore[operator]
    with pytest.raises(kind, match="can not be continued") as caught:
        choose_place(tmp_path, SETTINGS, fresh=False)
    assert "run-0001" in caught.value.message
    assert "--fresh" in (caught.value.fix or "")
    assert choose_place(tmp_path, SETTINGS, fresh=True) == Place(tmp_path / "run-0002", continues=False)


def test_a_run_that_never_began_or_is_finished_is_followed_by_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "run-0001").mkdir()
    assert choose_place(tmp_path, SETTINGS, fresh=False).folder.name == "run-0002"
    begun(tmp_path, "run-0002", is_finished=True)
    assert choose_place(tmp_path, SETTINGS, fresh=False).folder.name == "run-0003"


def test_runs_are_counted_past_four_digits(tmp_path: Path) -> None:
    begun(tmp_path, "run-9999", is_finished=True)
    assert choose_place(tmp_path, SETTINGS, fresh=False).folder.name == "run-10000"
    begun(tmp_path, "run-10000")
    assert choose_place(tmp_path, SETTINGS, fresh=False) == Place(tmp_path / "run-10000", continues=True)
    begun(tmp_path, "run-10000-copy")
    assert choose_place(tmp_path, SETTINGS, fresh=True).folder.name == "run-10001"


def test_a_node_that_is_killed_is_said_and_the_run_goes_on_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    load = ExactWorld.load
    monkeypatch.setattr(
        ExactWorld, "load", lambda world, path: (pids.append(world.pid), load(world, path))[1]
    )

    def kill(progress: Progress) -> None:
        if progress.blocks == 3:
            os.kill(pids[0], signal.SIGKILL)

    options = Options(home=tmp_path, blocks=BLOCKS)
    with pytest.raises(Unavailable) as caught:
        asyncio.run(run_demo(options, kill, asyncio.Event()))
    assert caught.value.code == "node_ended"
    assert "ended by signal 9 (SIGKILL)" in (caught.value.found or "")
    assert "goes on" in (caught.value.fix or "")
    result = asyncio.run(run_demo(options, lambda _: None, asyncio.Event()))
    assert (result.summary["ended"], result.ledger.parent.name) == ("all blocks", "run-0001")
    with JournalReader.open(result.ledger) as reader:
        assert reader.attempts(open_only=True) == []
