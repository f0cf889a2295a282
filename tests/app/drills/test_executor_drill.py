"""The executor drill plays the emergency through on a node: every deed does what it says, and is undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.app.cli import run_command
from tidegate.app.drills.executor import _Deed, _is_in_time
from tidegate.ledger import LEDGER, DrillBody, JournalReader
from tidegate.model import RecordKind

DEEDS = ("pause", "revoke_protocol", "revoke_operator", "sweep")


def test_the_emergency_is_played_and_everything_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """How long it took is the drill's own verdict, and no assertion of a test on a busy machine."""
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    assert run_command(["drill", "executor", "--json"]) in (0, 1)
    value = json.loads(capsys.readouterr().out)
    assert value["detail"] in ("", "a deed took longer than its aim"), "nothing was left as it should not be"
    assert value["figures"]["packs_rehearsed"] == 8, "four packs for each of two executors"
    for deed in DEEDS:
        assert value["figures"][f"{deed}_blocks"] >= 1
        assert 0 < value["figures"][f"{deed}_broadcast_ms"] <= value["figures"][f"{deed}_ms"]
    names = [name for name, _ in value["steps"]]
    assert names[0] == "packs built and simulated"
    assert names[-2:] == ["restored", "compared"]
    with JournalReader.open(tmp_path / LEDGER) as reader:
        (record,) = reader.records(kind=RecordKind.DRILL)
        assert DrillBody.from_body(record.body).figures == value["figures"]


def test_the_drill_is_late_when_any_deed_is() -> None:
    good = {"pause": _Deed(4_999, 9_000, 3)}
    assert _is_in_time(999, good)
    assert not _is_in_time(1_000, good), "the stop"
    assert not _is_in_time(1, {**good, "sweep": _Deed(5_000, 9_000, 1)}), "the broadcast"
    assert not _is_in_time(1, {**good, "sweep": _Deed(1, 9_000, 4)}), "the block"
