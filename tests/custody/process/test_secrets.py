"""No key or password in any file, log, traceback, ``/proc`` entry or memory but the signer's own."""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.custody.process.ground import Ground, SignerProcess, load, sign

from tidegate.custody.keys import KeyFile, Password
from tidegate.model import Denied, Tampered, Unavailable

WORKER = """
import asyncio, sys
from pathlib import Path
from tests.custody.process.ground import bind, sign, transaction
from tidegate.custody import SignerClient, SignerConnection
from tidegate.model import Stage

async def work():
    async with SignerConnection(Path(sys.argv[1])) as connection:
        signer = await SignerClient.bind(
            connection, key="operator", desk="atomic", stage=Stage.CANARY, capability_id=sys.argv[2]
        )
        for nonce in range(2, 5):
            await sign(signer, nonce)
        print(repr(signer), flush=True)
        sys.stdin.readline()

asyncio.run(work())
"""


def forms(*secrets: bytes) -> list[bytes]:
    """Return the ways in which a secret may stand somewhere."""
    found: list[bytes] = []
    for secret in secrets:
        found += [secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)]
        found += [secret[::-1], repr(secret)[2:-1].encode()]
    return found


def files_under(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def memory_of(pid: int | str) -> Iterator[bytes]:
    """Yield a process's readable memory, a mapping at a time."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) r", maps, re.MULTILINE):
            try:
                memory.seek(int(start, 16))
                yield memory.read(int(end, 16) - int(start, 16))
            except (OSError, ValueError, OverflowError):  # the kernel's own pages
                continue


def holds(octets: bytes, wanted: list[bytes]) -> bool:
    return any(one in octets for one in wanted)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    with SignerProcess(Ground(tmp_path_factory.mktemp("signer"))) as process:
        yield process


def test_no_key_or_password_in_any_file_log_or_journal(running: SignerProcess) -> None:
    ground = running.ground
    wanted = forms(ground.secret, ground.password)

    async def conversation() -> None:
        async with running.connect() as connection:
            signer = await load(connection, ground)
            await sign(signer, 1)
            with pytest.raises(Denied):
                await sign(signer, 1, value_wei=5)

    asyncio.run(conversation())
    for name in ("environ", "cmdline", "status", "comm"):
        assert not holds(Path(f"/proc/{running.pid}/{name}").read_bytes(), wanted), name
    assert not holds(repr(running.facts).encode(), wanted)
    looked_at = dict(files_under(ground.folder))
    assert {"journal.sqlite", "signer.toml", "stderr.txt", "keys/operator.json"} <= set(looked_at)
    assert [name for name, octets in looked_at.items() if holds(octets, wanted)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_no_key_or_password_in_the_worker_s_memory_environment_or_command(running: SignerProcess) -> None:
    ground = running.ground
    wanted = [ground.secret, ground.secret.hex().encode(), ground.password]
    capability = ground.capability()

    async def prepare() -> None:
        async with running.connect() as connection:
            await connection.load_capability(ground.envelope(capability))

    asyncio.run(prepare())
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(ground.socket), capability.id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as worker:
        assert worker.stdout is not None
        assert ground.address.encode() in worker.stdout.readline()
        for name in ("environ", "cmdline"):
            assert not holds(Path(f"/proc/{worker.pid}/{name}").read_bytes(), wanted)
        assert sum(len(part) for part in memory_of(worker.pid)) > 10**6
        assert not any(holds(part, wanted) for part in memory_of(worker.pid))
        assert any(holds(part, wanted) for part in memory_of("self"))  # the search does find
        worker.communicate(b"\n")


def test_no_key_or_password_in_a_traceback(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "s")
    wanted = forms(ground.secret, ground.password)

    async def conversation() -> None:
        async with process.connect() as connection:
            with pytest.raises(Unavailable):
                await connection.status()

    with SignerProcess(ground, fault="defect") as process:
        asyncio.run(conversation())
        assert process.ended() == 1  # a process that met a defect does not go on with keys
    looked_at = dict(files_under(ground.folder))
    [crash] = [octets for name, octets in looked_at.items() if name.startswith("crash/")]
    assert b"a defect of ours" in crash
    assert [name for name, octets in looked_at.items() if holds(octets, wanted)] == []


def test_a_wrong_password_is_not_repeated(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "s")
    file = KeyFile.read(ground.folder / "keys" / "operator.json")
    with pytest.raises(Tampered) as wrong:
        file.open(Password(b"not-the-password-at-all"))
    assert "not-the-password" not in str(wrong.value) + repr(wrong.value)
    ground.password = b"not-the-password-at-all"
    with pytest.raises(AssertionError, match="wrong_password"), SignerProcess(ground):
        pass
    for name, octets in files_under(ground.folder):
        assert not holds(octets, forms(b"not-the-password-at-all", ground.secret)), name
