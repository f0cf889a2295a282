"""Attacks that starve: connections by the thousand, bytes one by one, the dearest requests there are."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.custody.process.ground import CHAIN_ID, TARGET, Ground, SignerProcess, load, sign

from tidegate.app.cli import run_command
from tidegate.custody.capability import TypedDomain
from tidegate.custody.frames import LENGTH_BYTES, decode_answers, encode_frame
from tidegate.custody.requests import (
    Answer,
    Done,
    Freeze,
    Refused,
    Request,
    SignTypedData,
    Status,
    StatusAnswer,
    Unfreeze,
)
from tidegate.custody.server import CONNECTIONS_MAX
from tidegate.model import Reason, Stage

DOMAIN = TypedDomain(
    name="Escrow", version=None, chain_id=CHAIN_ID, verifying_contract=TARGET, primary_types=("Order",)
)
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    with SignerProcess(Ground(tmp_path_factory.mktemp("floods") / "s")) as running:
        yield running
        assert running.stop() == 0


async def peer(place: Path) -> Peer:
    return await asyncio.open_unix_connection(str(place))


async def answers(reader: asyncio.StreamReader) -> list[Answer]:
    head = await reader.readexactly(LENGTH_BYTES)
    return decode_answers(await reader.readexactly(int.from_bytes(head)))


async def still_answers(process: SignerProcess) -> StatusAnswer:
    """Ask through the administrators' door."""
    async with process.administer() as administrator:
        return await administrator.status()


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


async def close_all(peers: list[Peer]) -> None:
    for _, writer in peers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in peers), return_exceptions=True)


async def flood(process: SignerProcess, connections: int) -> None:
    """Open and keep as many connections as one can, a thousand at once, again and again."""
    before = memory_kib(process.pid)
    open_now: list[Peer] = []
    for _ in range(connections):
        try:
            open_now.append(await peer(process.ground.socket))
        except OSError:  # the backlog is full: an answer too
            await asyncio.sleep(0)
        if len(open_now) >= 500:
            assert (await still_answers(process)).keys
            await close_all(open_now)
            open_now.clear()
    status = await still_answers(process)
    await close_all(open_now)
    assert status.closed_connections["too_many_connections"] >= 1
    assert memory_kib(process.pid) - before < 64 * 1024


def test_a_flood_of_connections_shuts_no_administrator_out_and_fills_no_memory(
    process: SignerProcess,
) -> None:
    asyncio.run(flood(process, 400))


@pytest.mark.slow
def test_ten_thousand_connections_shut_no_administrator_out_and_fill_no_memory(
    process: SignerProcess,
) -> None:
    asyncio.run(flood(process, 10_000))


def test_peers_that_send_byte_by_byte_or_nothing_hold_up_nobody(process: SignerProcess) -> None:
    """All but one of the workers' places are taken by frames that never end."""

    async def act() -> None:
        frame = encode_frame([Status()])
        slow = [await peer(process.ground.socket) for _ in range(CONNECTIONS_MAX - 1)]
        for place, (_, writer) in enumerate(slow):
            writer.write(frame[: place % len(frame)])
        async with process.connect() as connection:
            signer = await load(connection, process.ground)
            assert await sign(signer, 1)
        await close_all(slow)

    asyncio.run(act())


def test_a_person_freezes_although_workers_crowd_their_own_door(process: SignerProcess) -> None:
    """`tidegate signer freeze` takes the administrators' socket where it may be opened."""

    async def act() -> None:
        crowd = [await peer(process.ground.socket) for _ in range(CONNECTIONS_MAX)]
        config = ["--config", str(process.ground.config)]
        for verb in ("freeze", "unfreeze"):
            assert await asyncio.to_thread(run_command, ["signer", verb, "--reason", "a crowd", *config]) == 0
        await close_all(crowd)

    asyncio.run(act())


# Dear requests


def dear_order(number: int) -> bytes:
    """Return typed data that takes long to hash for its size: many structs, each naming all types."""
    types: dict[str, list[dict[str, str]]] = {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Order": [{"name": "number", "type": "uint256"}, {"name": "parts", "type": "Part[]"}],
        "Part": [{"name": "leaves", "type": "Leaf[]"}],
        "Leaf": [{"name": f"field{place}", "type": "uint256"} for place in range(20)],
    }
    domain = {"name": DOMAIN.name, "chainId": CHAIN_ID, "verifyingContract": TARGET}
    message = {"number": number, "parts": [{"leaves": []}] * 300}
    document = {"types": types, "primaryType": "Order", "domain": domain, "message": message}
    return json.dumps(document, separators=(",", ":")).encode()


def asking(capability_id: str, number: int) -> Request:
    return SignTypedData(
        key="operator",
        desk="atomic",
        stage=Stage.CANARY,
        capability_id=capability_id,
        intent_id="dear",
        typed=dear_order(number),
    )


def test_an_administrator_s_freeze_goes_ahead_of_every_dear_request_that_waits(
    process: SignerProcess,
) -> None:
    """Without an order of who goes first, 128 connections would keep a freeze waiting for minutes."""

    async def act() -> None:
        async with process.connect() as connection:
            signer = await load(connection, process.ground, typed_domains=(DOMAIN,), tx_day=100_000)
        capability_id = signer.capability_id
        order: list[str] = []

        async def heard(name: str, reader: asyncio.StreamReader) -> list[Answer]:
            said = await answers(reader)
            order.append(name)
            return said

        workers = [await peer(process.ground.socket) for _ in range(40)]
        admin = await peer(process.ground.admin_socket)
        for number, (_, writer) in enumerate(workers):
            writer.write(encode_frame([asking(capability_id, number)] * 2))
        admin[1].write(encode_frame([Freeze(reason="an attack", by="test")]))
        said = await asyncio.gather(
            *(heard("worker", reader) for reader, _ in workers), heard("administrator", admin[0])
        )
        assert not isinstance(said[-1][0], Refused)
        assert order.index("administrator") < len(workers)
        late: list[Any] = [one for frame in said[:-1] for one in frame]
        assert {one.reason for one in late if isinstance(one, Refused)} >= {Reason.FROZEN}
        await close_all([*workers, admin])
        async with process.administer() as administrator:
            await administrator.demand(Unfreeze(reason="over", by="test"), Done)

    asyncio.run(act())


def test_sixty_four_dear_requests_without_a_capability_are_refused_unread(process: SignerProcess) -> None:
    """Nobody may make the signer hash for nothing: what no capability lists is not even decoded."""

    async def act() -> None:
        reader, writer = await peer(process.ground.socket)
        bad = SignTypedData(
            key="operator",
            desk="atomic",
            stage=Stage.CANARY,
            capability_id="ab" * 32,
            intent_id="dear",
            typed=b"[" * 700,
        )
        writer.write(encode_frame([bad] * 64))
        said = await answers(reader)
        assert {(one.check, one.reason) for one in said if isinstance(one, Refused)} == {
            ("capability", Reason.CAPABILITY_UNKNOWN)
        }
        assert len(said) == 64
        await close_all([(reader, writer)])

    asyncio.run(act())


def test_a_freeze_in_a_frame_buys_no_rate_for_what_stands_beside_it(tmp_path: Path) -> None:
    """Sixty-three requests and a freeze: the freeze is heard, the rest as often as the rate allows."""
    with SignerProcess(Ground(tmp_path / "s"), signer="rate_per_s = 2") as process:

        async def act() -> list[Answer]:
            reader, writer = await peer(process.ground.socket)
            frozen = Freeze(reason="cover", by="attacker")
            writer.write(encode_frame([*[Status()] * 31, frozen, *[Status()] * 32]))
            said = await answers(reader)
            await close_all([(reader, writer)])
            return said

        said = asyncio.run(act())
        refused = [one for one in said if isinstance(one, Refused)]
        assert {one.reason for one in refused} == {Reason.RATE_LIMIT}
        assert len(refused) == 61
        assert not isinstance(said[31], Refused)
        asked = [record for record in process.ground.records() if record.kind.value == "freeze"]
        assert json.loads(asked[0].body_json)["asked_by"] == f"uid {os.geteuid()}"
