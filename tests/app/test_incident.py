"""An incident's bundle holds what explains the moment, says its digests, and gives no secret away."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.app.atomic_runs import atomic_run, atomic_runs, atomic_strategies
from tidegate.app.cli import run_command
from tidegate.app.config import FILE_NAME, STRATEGY, TEXT
from tidegate.app.incident import Incident
from tidegate.desks.atomic import template_text
from tidegate.ledger import LEDGER, Journal, JournalReader, SignalBody
from tidegate.model import ConfigError, OutcomeKind, Placement, SystemClock

SECRET = "hunter2-is-not-here"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run eight blocks in paper and has an alert's input standing."""
    folder = tmp_path_factory.mktemp("incident")
    (folder / STRATEGY).parent.mkdir()
    endpoint = 'name = "rpc"\nurl = "env:INCIDENT_URL"\n'
    chain = f"\n[chains.ethereum]\nchain_id = 1\n\n[[chains.ethereum.endpoints]]\n{endpoint}"
    (folder / FILE_NAME).write_text(TEXT + chain, encoding="utf-8")
    (folder / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        _stand_in(folder, patch)
        assert run_command(["run", "--blocks", "8", "--json"]) == 0
    signal = SignalBody(
        desk="atomic",
        chain_id=31337,
        subject="v2-v3-arb",
        what="slippage",
        level="warning",
        value=150,
        bound=100,
        unit="bps",
    )
    with Journal.open(folder / "home" / LEDGER, clock=SystemClock()) as journal:
        journal.append(signal.KIND, signal, actor="test")
    return folder


def _stand_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("TIDEGATE_HOME", str(folder / "home"))
    patch.setenv("INCIDENT_URL", f"https://127.0.0.1:1/{SECRET}")
    patch.delenv("TIDEGATE_CONFIG", raising=False)


@pytest.fixture
def opened(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Path, dict[str, Any]]:
    _stand_in(project, monkeypatch)
    words = ["desk", "atomic", "incident", "open", "--reason", "it lost money", "--by", "ada"]
    assert run_command([*words, "--output", str(tmp_path / "pack"), "--json"]) == 0
    return tmp_path / "pack", json.loads(capsys.readouterr().out)


def test_a_bundle_holds_what_explains_the_moment(opened, project):
    folder, value = opened
    assert {path.name for path in folder.iterdir()} == {*value["files"], "manifest.json"}
    (run,) = json.loads((folder / "runs.json").read_bytes())
    assert (run["strategy"], run["outcome"]) == ("v2-v3-arb", "landed")
    assert json.loads((folder / "pending.json").read_bytes()) == []
    (signal,) = json.loads((folder / "signals.json").read_bytes())
    assert signal["body"]["what"] == "slippage"
    tail = (folder / "journal-tail.jsonl").read_bytes().splitlines()
    assert json.loads(tail[-1])["hash"] == value["hash"]
    with JournalReader.open(project / "home" / LEDGER) as reader:
        assert (value["seq"], value["hash"]) == reader.head()


def test_a_bundles_digests_are_those_of_its_files(opened):
    folder, value = opened
    for name, file in value["files"].items():
        content = (folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Incident)
    assert manifest.digest == value["digest"]
    assert (manifest.by, manifest.reason) == ("ada", "it lost money")
    assert msgspec.structs.replace(manifest, reason="nothing happened").digest != manifest.digest


def test_a_bundle_gives_no_secret_away(opened):
    folder, _ = opened
    assert b"env:INCIDENT_URL" in (folder / "config.json").read_bytes()
    assert not [path.name for path in folder.iterdir() if SECRET.encode() in path.read_bytes()]


def test_an_incident_needs_a_reason_and_a_new_folder(project, tmp_path, monkeypatch, capsys):
    _stand_in(project, monkeypatch)
    words = ["desk", "atomic", "incident", "open", "--output", str(tmp_path / "pack"), "--json"]
    assert run_command([*words, "--reason", " "]) == 3
    (tmp_path / "pack").mkdir()
    assert run_command([*words, "--reason", "why"]) == 3
    assert list(tmp_path.iterdir()) == [tmp_path / "pack"], "nothing half is left"
    assert not list((tmp_path / "pack").iterdir())


def test_a_run_is_told_whole_from_its_records(project):
    with JournalReader.open(project / "home" / LEDGER) as reader:
        (run,) = atomic_runs(reader, 50)
        assert atomic_run(reader, run.intent_id[:12]) == run
        assert atomic_runs(reader, 0) == ()
        for wrong in ("", "zz"):
            with pytest.raises(ConfigError, match="no single run"):
                atomic_run(reader, wrong)
        (strategy,) = atomic_strategies(reader)
    assert run.outcome is OutcomeKind.LANDED
    assert {"sell", "buy", "loan"} <= {step.step_id for step in run.steps}
    assert {"sell", "buy"} <= {name for name, _ in run.gas_by_step}
    assert {result.placement for result in run.guards} == {Placement.PRE, Placement.POST}
    assert all(int(one.margin) >= 0 for one in run.margins)
    assert dict(run.deltas)["WETH"] > "0"
    assert (strategy.name, strategy.decisions) == ("v2-v3-arb", 8)
