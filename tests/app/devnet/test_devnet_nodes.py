"""``tidegate devnet``: nodes that stay, and how they are found and stopped again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.devnet import (
    ChainPlan,
    NodeRecord,
    cached_devnet,
    launch,
    node_records,
    node_status,
    stop_nodes,
)
from tidegate.app.devnet.launch import node_command, spawn_node
from tidegate.app.devnet.processes import (
    identity_of_command,
    process_identity,
    spawn_detached,
    stop_process,
)
from tidegate.app.devnet.records import locked, write_record
from tidegate.chain import Connection, encode_call, integer, keccak256, octets
from tidegate.model import Unavailable
from tidegate.venues import load_book

Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    yield tmp_path / "devnet"
    for path in (tmp_path / "devnet").glob("*/node.json"):
        record = json.loads(path.read_bytes())
        stop_process(record["pid"], record["identity"])


@pytest.fixture
def devnet(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``tidegate devnet …`` and return its exit code and what it printed, read if it is JSON."""

    def call(*arguments: str, as_json: bool = True) -> tuple[int, Any]:
        code = run(["devnet", *arguments, *(["--json"] if as_json else [])])
        printed = capsys.readouterr().out
        return code, json.loads(printed) if as_json else printed

    return call


def free_port() -> int:
    """Return a port at which nobody listens just now, whoever else tests on this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_chains_come_up_tick_are_exported_and_go_down(folder: Path, devnet: Command, tmp_path: Path) -> None:
    code, up = devnet("up", "--chains", "devnet:31337:12,base-dev:31338:0.1")
    assert (code, up["ok"]) == (0, True)
    assert [(one["chain"], one["chain_id"], one["health"]) for one in up["chains"]] == [
        ("devnet", 31_337, "ok"),
        ("base-dev", 31_338, "ok"),
    ]
    urls = {one["chain"]: one["url"] for one in up["chains"]}
    assert all(url.startswith("http://127.0.0.1:") for url in urls.values())

    fast = Connection(urls["base-dev"])
    first = integer(fast.request("eth_blockNumber"))
    eventually(lambda: integer(fast.request("eth_blockNumber")) > first + 2)
    head = fast.request("eth_getBlockByNumber", "latest", False)
    # the chain's clock goes on from where the cached one's stopped
    assert 0 <= integer(head["timestamp"]) - cached_devnet().timestamp_s < 3_600

    code, exported = devnet("export")
    assert code == 0
    base = exported["chains"]["base-dev"]
    assert (base["rpc_url"], base["chain_id"], base["block_time_ms"]) == (urls["base-dev"], 31_338, 100)
    router = base["contracts"]["uniswap_v3.router"]
    assert router["abi"] == "SwapRouter"
    assert any(entry.get("name") == "exactInputSingle" for entry in exported["abis"]["SwapRouter"])
    assert octets(fast.request("eth_getCode", router["address"], "latest"))
    quote = {
        "to": base["tokens"]["USDC"]["address"],
        "data": "0x" + encode_call("balanceOf(address)", base["accounts"]["trader"]).hex(),
    }
    assert integer(fast.request("eth_call", quote, "latest")) == 100_000_000 * 10**6

    book = load_book((folder / "base-dev" / "addresses.toml").read_text())
    assert (book.chain, book.chain_id) == ("base-dev", 31_338)
    code_hash = keccak256(octets(fast.request("eth_getCode", router["address"], "latest"))).hex()
    assert book.entry("uniswap_v3.router").code_hash == router["code_hash"] == code_hash
    fast.close()

    written = tmp_path / "out.toml"
    code, told = devnet("export", "devnet", "--output", str(written))
    assert (code, told["format"], told["chains"]) == (0, "toml", ["devnet"])
    read_back = tomllib.loads(written.read_text())
    assert read_back["chains"]["devnet"]["contracts"] == exported["chains"]["devnet"]["contracts"]
    assert json.loads(read_back["abis"]["SwapRouter"]) == exported["abis"]["SwapRouter"]

    records = node_records(folder)
    assert devnet("down", "base-dev") == (0, {"ok": True, "stopped": {"base-dev": True}})
    assert [one["chain"] for one in devnet("status")[1]["chains"]] == ["devnet"]
    assert devnet("down") == (0, {"ok": True, "stopped": {"devnet": True}})
    assert all(process_identity(record.pid) is None for record in records.values())
    assert devnet("status") == (0, {"ok": True, "chains": []})


def test_what_is_up_is_not_started_twice(devnet: Command) -> None:
    assert devnet("up")[0] == 0
    code, error = devnet("up")
    assert (code, error["code"]) == (1, "already_up")
    assert error["next"] == "tidegate devnet down devnet"
    assert devnet("status")[1]["chains"][0]["health"] == "ok"


def test_a_port_that_is_taken_is_refused_and_nothing_starts(folder: Path, devnet: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, error = devnet("up", "--port", str(port))
    assert (code, error["code"]) == (3, "port_taken")
    assert str(port) in error["message"]
    assert node_records(folder) == {}


@pytest.mark.parametrize("is_asked_for", [False, True], ids=["any port", "a port that was asked for"])
def test_a_port_that_another_devnet_takes_at_the_same_moment_is_not_called_ours(
    folder: Path, devnet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_asked_for: bool
) -> None:
    port = free_port() if is_asked_for else None
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "neighbour"))
    assert devnet("up", *([] if port is None else ["--port", str(port)]))[0] == 0
    neighbour = node_records(tmp_path / "neighbour" / "devnet")["devnet"]
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    real, asked = launch._is_free, []

    def free_when_first_asked(number: int) -> bool:
        """Answer as before the neighbour's node listened, once."""
        if number == neighbour.port and number not in asked:
            asked.append(number)
            return True
        return real(number)

    monkeypatch.setattr(launch, "_is_free", free_when_first_asked)
    try:
        code, up = devnet("up", *([] if port is None else ["--port", str(port)]))
        assert asked == [neighbour.port]
        if port is None:
            record = node_records(folder)["devnet"]
            assert (code, up["chains"][0]["health"]) == (0, "ok")
            assert record.port != neighbour.port
            assert node_status(record).health == "ok"
        else:
            assert (code, up["code"]) == (3, "port_taken")
            assert node_records(folder) == {}
        assert node_status(neighbour).health == "ok"
    finally:
        stop_nodes(tmp_path / "neighbour" / "devnet")


@pytest.mark.parametrize("port", ["0", "80", "65536", "-1"])
def test_a_port_that_can_not_be_is_refused(devnet: Command, port: str) -> None:
    code, error = devnet("up", "--port", port)
    assert (code, error["code"]) == (3, "port")


@pytest.mark.parametrize("verb", ["down", "export"])
def test_a_chain_that_was_never_started_is_named(devnet: Command, verb: str) -> None:
    code, error = devnet(verb, "nope")
    assert (code, error["code"], error["found"]) == (3, "chain", "nope")


def test_there_is_nothing_to_export_when_nothing_is_up(devnet: Command) -> None:
    code, error = devnet("export")
    assert (code, error["code"], error["next"]) == (12, "node_down", "tidegate devnet up")
    assert devnet("down") == (0, {"ok": True, "stopped": {}})


def test_a_format_that_is_not_there_is_refused(devnet: Command, tmp_path: Path) -> None:
    code, error = devnet("export", "--format", "yaml")
    assert (code, error["code"], error["allowed"]) == (3, "format", "toml, json")


@pytest.mark.parametrize("name", ["out.yaml", "out"])
def test_an_ending_that_names_no_format_is_refused(devnet: Command, tmp_path: Path, name: str) -> None:
    code, error = devnet("export", "--output", str(tmp_path / name))
    assert (code, error["code"]) == (3, "format")
    assert name in error["found"]
    assert not (tmp_path / name).exists()
    code, error = devnet("export", "--output", str(tmp_path / name), "--format", "toml")
    assert error["code"] == "node_down"  # with --format any name will do


def test_a_killed_node_is_seen_and_started_anew(folder: Path, devnet: Command) -> None:
    assert devnet("up")[0] == 0
    record = node_records(folder)["devnet"]
    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: process_identity(record.pid) is None)

    code, seen = devnet("status")
    assert (code, seen["ok"], seen["chains"][0]["health"]) == (1, False, "dead")
    code, error = devnet("export")
    assert (code, error["code"]) == (12, "node_down")

    code, up = devnet("up")  # the stale record does not stand in the way
    assert (code, up["chains"][0]["health"]) == (0, "ok")
    assert up["chains"][0]["pid"] != record.pid


def test_down_clears_the_record_of_a_node_that_is_gone(folder: Path, devnet: Command) -> None:
    assert devnet("up")[0] == 0
    record = node_records(folder)["devnet"]
    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: process_identity(record.pid) is None)
    assert devnet("down") == (0, {"ok": True, "stopped": {"devnet": False}})
    assert node_records(folder) == {}


def test_a_process_that_only_has_the_same_number_is_left_alone(folder: Path, devnet: Command) -> None:
    assert devnet("up")[0] == 0
    record = node_records(folder)["devnet"]
    stop_process(record.pid, record.identity)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        forged = msgspec.structs.replace(record, pid=other.pid)
        (folder / "devnet" / "node.json").write_bytes(msgspec.json.encode(forged))
        assert node_status(forged).health == "dead"
        assert stop_nodes(folder) == {"devnet": False}
        assert other.poll() is None
        other.communicate(b"\n")


def test_another_chain_at_the_port_is_told_apart(folder: Path, devnet: Command) -> None:
    assert devnet("up", "--chains", "devnet:31337:12,other-dev:31338:12")[0] == 0
    records = node_records(folder)
    crossed = msgspec.structs.replace(records["devnet"], port=records["other-dev"].port)
    assert node_status(crossed).health == "foreign"


def test_a_node_that_makes_no_blocks_is_stuck(folder: Path, devnet: Command) -> None:
    assert devnet("up")[0] == 0
    record = node_records(folder)["devnet"]
    late = msgspec.structs.replace(record, started_at_s=record.started_at_s - 100)
    assert node_status(record).health == "ok"
    assert node_status(late).health == "stuck"


@pytest.mark.slow
def test_a_node_that_hangs_is_silent_and_is_stopped_all_the_same(folder: Path, devnet: Command) -> None:
    assert devnet("up")[0] == 0
    record = node_records(folder)["devnet"]
    os.kill(record.pid, signal.SIGSTOP)
    eventually(lambda: node_status(record).health == "silent")
    assert devnet("status")[0] == 1
    assert devnet("down") == (0, {"ok": True, "stopped": {"devnet": True}})
    assert process_identity(record.pid) is None


def test_a_record_that_can_not_be_read_is_named(folder: Path, devnet: Command) -> None:
    (folder / "devnet").mkdir(parents=True)
    (folder / "devnet" / "node.json").write_text('{"chain": 5}')
    for verb in ("up", "down", "export"):
        code, error = devnet(verb)
        assert (code, error["code"]) == (3, "record")
        assert "node.json" in error["found"]
    code, seen = devnet("status")
    assert (code, seen["ok"]) == (1, False)
    assert [(one["chain"], one["health"]) for one in seen["chains"]] == [("devnet", "unreadable")]
    (folder / "devnet" / "node.json").unlink()


def test_people_get_a_table(devnet: Command) -> None:
    assert "nothing is up" in devnet("status", as_json=False)[1]
    code, printed = devnet("up", as_json=False)
    assert code == 0
    assert "31337" in printed
    assert "http://127.0.0.1:" in printed
    assert "devnet: stopped" in devnet("down", as_json=False)[1]
    assert "nothing was up" in devnet("down", as_json=False)[1]


def test_a_node_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    garbage = tmp_path / "state.json"
    garbage.write_text("no state")
    cached = replace(cached_devnet(), state_file=garbage)
    command = node_command(ChainPlan("x", 31_337, 12), cached, port := free_port())
    record = NodeRecord("x", 31_337, 12, port, 0, " ".join(command), 0, 0)
    with locked(tmp_path) as lock:
        write_record(tmp_path, record, cached)
        begun = spawn_node(tmp_path, record, command, lock)
    with pytest.raises(Unavailable, match="does not come up") as caught:
        begun.wait()
    assert caught.value.found
    assert process_identity(begun.pid) is None


def test_a_process_is_known_by_more_than_its_number(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
    with locked(tmp_path) as lock:
        pid = spawn_detached(command, log, tmp_path / "pid", lock)
    assert identity_of_command(pid, " ".join(command[:-1])) is None
    assert identity_of_command(pid, " ".join(command)) == process_identity(pid)
    eventually(lambda: "here" in log.read_text())
    identity = process_identity(pid)
    assert identity
    assert not stop_process(pid, identity + "x")
    assert process_identity(pid) == identity
    assert stop_process(pid, identity)
    assert process_identity(pid) is None
    assert not stop_process(pid, identity)
