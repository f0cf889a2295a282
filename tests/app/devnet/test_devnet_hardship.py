"""``tidegate devnet`` when it is killed, when its records are damaged, and when its folder is none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.devnet import NodeRecord, cached_devnet, node_records, start_nodes, stop_nodes
from tidegate.app.devnet.interrupts import Interrupts
from tidegate.app.devnet.launch import take_ports
from tidegate.app.devnet.plans import parse_chains
from tidegate.app.devnet.processes import process_identity
from tidegate.app.devnet.records import replace_record
from tidegate.model import ConfigError

Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    yield tmp_path / "devnet"
    for chain in [path.parent.name for path in (tmp_path / "devnet").glob("*/node.json")]:
        stop_nodes(tmp_path / "devnet", [chain])


@pytest.fixture
def devnet(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: str) -> tuple[int, Any]:
        code = run(["devnet", *arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def running(command: str) -> list[int]:
    """Return who runs ``command``, or is about to."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (process_identity(pid) or "").endswith(f" {command}")]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks for processes as Linux lists them")
@pytest.mark.parametrize("moment", ["node.json", "node.pid"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_killed_at_its_first_spawn_it_leaves_nothing_that_is_not_found(
    folder: Path, devnet: Command, number: signal.Signals, moment: str
) -> None:
    cached_devnet()  # so that the first spawn is the node's
    command = [sys.executable, "-m", "tidegate", "devnet", "up", "--chains", "devnet:31337:12"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        deadline = time.monotonic() + 240
        while not (folder / "devnet" / moment).exists():
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        identity = json.loads((folder / "devnet" / "node.json").read_bytes())["identity"]
        child.send_signal(number)
        child.communicate()
    assert child.returncode in ({-number} if number is signal.SIGKILL else {130, 0})
    started = identity[identity.index("/") :]
    code, _ = devnet("down")
    assert code == 0
    assert running(started) == []
    assert devnet("status") == (0, {"ok": True, "chains": []})


def test_one_damaged_record_does_not_hide_the_others(folder: Path, devnet: Command) -> None:
    assert devnet("up")[0] == 0
    pid = node_records(folder)["devnet"].pid
    for broken in ("aaa", "zzz"):
        (folder / broken).mkdir()
        (folder / broken / "node.json").write_text("{")
    code, seen = devnet("status")
    assert code == 1
    assert {one["chain"]: one["health"] for one in seen["chains"]} == {
        "aaa": "unreadable",
        "devnet": "ok",
        "zzz": "unreadable",
    }
    assert devnet("export", "devnet")[0] == 0
    code, error = devnet("down")
    assert (code, error["code"]) == (3, "record")
    assert "stopped: devnet" in error["found"]
    assert process_identity(pid) is None
    for broken in ("aaa", "zzz"):
        (folder / broken / "node.json").unlink()


@pytest.mark.parametrize(
    "changes",
    [
        {"block_time_s": 0},
        {"block_time_s": -1},
        {"port": 99_999_999},
        {"pid": -1},
        {"pid": 10**30},
        {"chain": "../../elsewhere"},
        {"started_at_s": 1e300},
        {"first_height": -1},
        {"first_height": "x"},
    ],
)
def test_a_record_of_what_no_node_can_be_is_unreadable(
    folder: Path, devnet: Command, changes: dict[str, Any]
) -> None:
    record = msgspec.to_builtins(NodeRecord("devnet", 31_337, 12.0, 8_545, 1, "x", 1.0, 1))
    (folder / "devnet").mkdir(parents=True)
    (folder / "devnet" / "node.json").write_text(json.dumps(record))
    assert devnet("status")[1]["chains"][0]["health"] == "dead"
    (folder / "devnet" / "node.json").write_text(json.dumps({**record, **changes}))
    code, seen = devnet("status")
    assert (code, seen["chains"][0]["health"]) == (1, "unreadable")
    (folder / "devnet" / "node.json").unlink()


def test_an_id_that_another_chain_has_is_refused_until_that_one_is_gone(
    folder: Path, devnet: Command
) -> None:
    assert devnet("up")[0] == 0
    code, error = devnet("up", "--chains", "other:31337:12")
    assert (code, error["code"]) == (3, "chains")
    assert "devnet" in error["found"]
    record = node_records(folder)["devnet"]
    replace_record(folder, msgspec.structs.replace(record, pid=2**31 - 1))  # as if it had died
    with pytest.raises(ConfigError, match="not a port"):
        start_nodes(folder, parse_chains("other:31337:12"), first_port=1)
    replace_record(folder, record)


def test_a_chain_may_be_named_as_any_file_of_ours(devnet: Command) -> None:
    assert devnet("up", "--chains", "lock:31337:12")[0] == 0
    assert devnet("down") == (0, {"ok": True, "stopped": {"lock": True}})


@pytest.mark.parametrize("verb", ["up", "down"])
def test_a_home_that_is_a_file_is_refused(
    devnet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "file"))
    code, error = devnet(verb)
    assert (code, error["code"]) == (3, "place")
    assert error["next"]


def test_the_last_port_can_be_asked_for() -> None:
    with pytest.raises(ConfigError) as caught:
        take_ports(2, 65_535)
    assert caught.value.allowed == "1024 to 65534"
    assert take_ports(1, 65_535) == (65_535,)


def test_an_end_that_is_asked_for_waits_until_what_is_held_is_done() -> None:
    done = []

    def work() -> None:
        with Interrupts() as interrupts, interrupts.held():
            signal.raise_signal(signal.SIGTERM)
            done.append("the work")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the work"]
    before = signal.getsignal(signal.SIGHUP)  # under nohup it is ignored
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is before
