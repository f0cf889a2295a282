"""Signer and witness as two processes over a real node: no signature for a target of other code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.custody.process.ground import CHAIN_ID, TARGET, Ground, SignerProcess, load, sign

from tidegate.chain import keccak256
from tidegate.custody.capability import Target
from tidegate.model import Address, Denied, Reason
from tidegate.sim import ExactWorld

CODE = bytes.fromhex("602a60005260206000f3")
OTHER = Address("0x00000000000000000000000000000000000000bb")


@pytest.fixture(scope="module")
def world() -> Iterator[ExactWorld]:
    with ExactWorld(chain_id=CHAIN_ID) as world:
        world.set_code(TARGET, CODE)
        world.set_code(OTHER, b"\x60\x01")
        yield world


def witness_config(folder: Path, urls: dict[str, str]) -> Path:
    endpoints = "".join(
        f'[[chains.devnet.endpoints]]\nname = "{name}"\nurl = "{url}"\noperator = "{name}"\n'
        for name, url in urls.items()
    )
    path = folder / "witness.toml"
    path.write_text(f'[chains.devnet]\nchain_id = {CHAIN_ID}\nkind = "devnet"\n{endpoints}')
    return path


@contextmanager
def witness(folder: Path, urls: dict[str, str], *, quorum: int = 2) -> Iterator[Path]:
    """Run ``tidegate signer witness`` as a process; yield its socket."""
    socket = folder / "w" / "witness.sock"
    command = ["signer", "witness", "--json", "--quorum", str(quorum), "--socket", str(socket)]
    with subprocess.Popen(
        [sys.executable, "-m", "tidegate", *command, "--config", str(witness_config(folder, urls))],
        stdout=subprocess.PIPE,
        env={**os.environ, "TIDEGATE_HOME": str(folder)},
    ) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts.get("process") == "witness", facts
        try:
            yield socket
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=120) == 0


def signed_under(process: SignerProcess, nonce: int, **capability: Any) -> Reason | None:
    async def conversation() -> Reason | None:
        async with process.connect() as connection:
            signer = await load(connection, process.ground, **capability)
            try:
                await sign(signer, nonce, to=capability["targets"][0].address)
            except Denied as denied:
                return denied.reason
            return None

    return asyncio.run(conversation())


def target(address: Address, code: bytes) -> dict[str, Any]:
    return {"targets": (Target(address=address, code_hash="0x" + keccak256(code).hex(), selectors=("0x",)),)}


def test_a_target_is_signed_for_while_its_code_is_the_approved_one(world: ExactWorld, tmp_path: Path) -> None:
    two = {"one": world.url, "two": world.url.replace("127.0.0.1", "localhost")}
    place = tmp_path / "w" / "witness.sock"
    with SignerProcess(Ground(tmp_path / "s"), witness=f'socket = "{place}"') as process:
        assert signed_under(process, 1, **target(TARGET, CODE)) is Reason.WITNESS_MISSING
        with witness(tmp_path, two):
            world.mine()
            for _ in range(20):  # a signer waits three seconds for its witness; a busy machine may need more
                answer = signed_under(process, 2, **target(TARGET, CODE))
                if answer is not Reason.WITNESS_MISSING:
                    break
            assert answer is None
            assert signed_under(process, 3, **target(OTHER, CODE)) is Reason.CODE_CHANGED
        # The witness is gone: what it read lately still counts, what it never read does not.
        assert signed_under(process, 4, **target(TARGET, CODE)) is None
        never_read = Address("0x00000000000000000000000000000000000000cc")
        assert signed_under(process, 5, **target(never_read, b"")) is Reason.WITNESS_MISSING


def test_without_a_quorum_of_operators_the_check_fails(world: ExactWorld, tmp_path: Path) -> None:
    """The witness may run with one operator on a devnet; a signer that wants two takes none of it."""
    place = tmp_path / "w" / "witness.sock"
    with (
        SignerProcess(Ground(tmp_path / "s"), witness=f'socket = "{place}"') as process,
        witness(tmp_path, {"one": world.url}, quorum=1),
    ):
        assert signed_under(process, 1, **target(TARGET, CODE)) is Reason.WITNESS_MISSING


def test_too_few_operators_in_its_file_are_a_config_error(tmp_path: Path) -> None:
    config = witness_config(tmp_path, {"one": "http://127.0.0.1:1"})
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", "signer", "witness", "--json", "--config", str(config)],
        capture_output=True,
        check=False,
        timeout=240,
        env={**os.environ, "TIDEGATE_HOME": str(tmp_path)},
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["code"] == "witness_operators"
