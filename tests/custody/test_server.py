"""The server around a core of the tests' own: batching, limits of connections, what nobody foresaw."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.custody import Door, SignerConnection, SignerServer, WitnessView, listen
from tidegate.custody.frames import FRAME_BYTES_MAX, LENGTH_BYTES, decode_answers, encode_frame
from tidegate.custody.requests import (
    REQUESTS_MAX,
    AddressAnswer,
    AddressOf,
    Answer,
    CapabilityStatus,
    Freeze,
    Refused,
    Request,
    Status,
    StatusAnswer,
)
from tidegate.model import Address, ManualClock, Reason, Stage, SystemClock

ADDRESS = Address("0x00000000000000000000000000000000000000AA")
ME = f"uid {os.geteuid()}"


class ScriptedCore:
    """Answers every request with its key's name, and remembers how it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Request], bool, str]] = []
        self.notes: list[tuple[str, str]] = []
        self.status = StatusAnswer(
            is_frozen=False, allows_exit=True, freeze_reason="", keys=(), capabilities=()
        )
        self.fails: Exception | None = None

    def handle(self, requests: Sequence[Request], *, is_admin: bool, asked_by: str = "") -> list[Answer]:
        assert 1 <= len(requests) <= REQUESTS_MAX
        self.calls.append((list(requests), is_admin, asked_by))
        if self.fails is not None:
            raise self.fails
        return [
            self.status
            if isinstance(one, Status)
            else AddressAnswer(key=getattr(one, "key", "-"), address=ADDRESS, is_throw_away=True)
            for one in requests
        ]

    def note(self, verb: str, found: str, *, asked_by: str = "") -> None:
        assert found
        self.notes.append((verb, asked_by))

    def questions(self, requests: Sequence[Request]) -> Iterable[tuple[int, Address]]:
        return {(31337, ADDRESS)} if any(isinstance(one, AddressOf) for one in requests) else set()


class Place:
    """A server with both of its doors."""

    def __init__(self, folder: Path, core: ScriptedCore, **options: Any) -> None:
        self.core = core
        self.worker, self.admin = folder / "d" / "w.sock", folder / "d" / "a.sock"
        self.server = SignerServer(core, **{"clock": SystemClock(), "rate_per_s": 10_000, **options})

    def run(self, act: Callable[[Place], Awaitable[None]]) -> None:
        async def held() -> None:
            me = frozenset({os.geteuid()})
            doors = [
                Door(listen(self.worker), me, is_admin=False),
                Door(listen(self.admin), me, is_admin=True),
            ]
            serving = asyncio.create_task(self.server.serve(doors))
            try:
                await act(self)
            finally:
                self.server.stop()
                await serving

        asyncio.run(held())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, ScriptedCore())


async def eventually(holds: Callable[[], Any]) -> None:
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never held")


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_frames_that_are_here_together_share_one_call_up_to_64_requests(place: Place) -> None:
    async def act(place: Place) -> None:
        peers = [await asyncio.open_unix_connection(str(place.worker)) for _ in range(20)]
        for index, (_, writer) in enumerate(peers):
            writer.write(encode_frame([AddressOf(key=f"{index}-{number}") for number in range(5)]))
        for index, (reader, writer) in enumerate(peers):
            length = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
            answers = decode_answers(await reader.readexactly(length))
            assert [one.key for one in answers if isinstance(one, AddressAnswer)] == [
                f"{index}-{number}" for number in range(5)
            ]
            writer.close()

    place.run(act)
    sizes = [len(requests) for requests, _, _ in place.core.calls]
    assert sum(sizes) == 100
    assert max(sizes) <= REQUESTS_MAX
    assert len(sizes) < 20  # not one commit a connection


def test_each_door_s_requests_are_asked_apart_and_say_whose_they_are(place: Place) -> None:
    async def act(place: Place) -> None:
        async with SignerConnection(place.worker) as worker, SignerConnection(place.admin) as admin:
            await asyncio.gather(worker.ask(AddressOf(key="w")), admin.ask(AddressOf(key="a")))

    place.run(act)
    assert sorted((requests[0].key, is_admin, by) for requests, is_admin, by in place.core.calls) == [  # type: ignore[union-attr]
        ("a", True, ME),
        ("w", False, ME),
    ]


def test_a_frame_that_is_begun_and_not_finished_is_closed(tmp_path: Path) -> None:
    place = Place(tmp_path, ScriptedCore(), frame_s=0.05)

    async def act(place: Place) -> None:
        for beginning in (b"\0", encode_frame([Status()])[:-1]):
            reader, writer = await asyncio.open_unix_connection(str(place.worker))
            writer.write(beginning)
            assert await closed(reader)
            writer.close()
        async with SignerConnection(place.worker) as idle:  # a connection that says nothing may stay
            await idle.ask(Status())

    place.run(act)
    assert place.core.notes == [("too_slow", ME)] * 2


def test_more_connections_than_may_be_open_are_closed(tmp_path: Path) -> None:
    place = Place(tmp_path, ScriptedCore(), connections_max=3)

    async def act(place: Place) -> None:
        peers = [await asyncio.open_unix_connection(str(place.worker)) for _ in range(3)]
        reader, writer = await asyncio.open_unix_connection(str(place.worker))
        assert await closed(reader)
        for _, one in (*peers, (reader, writer)):
            one.close()
        await eventually(lambda: not place.server._connections)
        async with SignerConnection(place.worker) as another:
            await another.ask(Status())

    place.run(act)
    assert place.core.notes == [("too_many_connections", ME)]


def test_a_peer_that_asks_on_and_never_reads_is_closed(place: Place) -> None:
    """Its answers would pile up in the signer's memory."""
    place.core.status = big_status(150)

    async def act(place: Place) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.setblocking(False)
            await loop.sock_connect(peer, str(place.worker))
            for asked in range(1, 500):
                try:
                    await loop.sock_sendall(peer, encode_frame([Status()]))
                except (BrokenPipeError, ConnectionResetError):
                    break
                await eventually(lambda asked=asked: len(place.core.calls) >= asked or place.server.closed)
            assert place.server.closed == {"not_reading": 1}

    place.run(act)
    assert place.core.notes == [("not_reading", ME)]


def big_status(capabilities: int) -> StatusAnswer:
    one = CapabilityStatus(
        id="ab" * 32,
        purpose="act",
        desk="a-desk-with-a-name",
        stage=Stage.CANARY,
        chain_id=31337,
        key_address=ADDRESS,
        serial=1,
        not_before=0,
        expires_at=1,
        is_revoked=False,
        notional_used_usd_e6=0,
        notional_day_usd_e6=0,
        at_risk_used_usd_e6=0,
        at_risk_day_usd_e6=0,
        tx_used=0,
        tx_day=0,
    )
    return StatusAnswer(
        is_frozen=False, allows_exit=True, freeze_reason="", keys=(), capabilities=(one,) * capabilities
    )


def test_answers_longer_than_a_frame_are_refused_one_by_one_and_the_rest_arrive(place: Place) -> None:
    place.core.status = big_status(100)

    async def act(place: Place) -> None:
        reader, writer = await asyncio.open_unix_connection(str(place.worker))
        writer.write(encode_frame([AddressOf(key="k"), *[Status()] * 5]))
        head = await reader.readexactly(LENGTH_BYTES)
        assert int.from_bytes(head) + LENGTH_BYTES <= FRAME_BYTES_MAX
        address, *statuses = decode_answers(await reader.readexactly(int.from_bytes(head)))
        assert isinstance(address, AddressAnswer)
        kinds = [type(one) for one in statuses]
        assert kinds.count(StatusAnswer) == 1
        assert kinds.count(Refused) == 4
        writer.close()

    place.run(act)


def test_sixty_four_long_denials_keep_their_reasons(place: Place) -> None:
    """Their texts are longer than a frame together; nothing may loop over that."""
    long = Refused(
        check="target",
        reason=Reason.TARGET_NOT_ALLOWED,
        message="m" * 400,
        found="f" * 500,
        allowed="a" * 500,
    )

    def deny(requests: Sequence[Request], **_: Any) -> list[Answer]:
        return [long] * len(requests)

    place.core.handle = deny  # type: ignore[method-assign, assignment]

    async def act(place: Place) -> None:
        reader, writer = await asyncio.open_unix_connection(str(place.worker))
        writer.write(encode_frame([Status()] * REQUESTS_MAX))
        head = await reader.readexactly(LENGTH_BYTES)
        answers = decode_answers(await reader.readexactly(int.from_bytes(head)))
        assert len(answers) == REQUESTS_MAX
        for answer in answers:
            assert isinstance(answer, Refused)
            assert (answer.check, answer.reason) == ("target", Reason.TARGET_NOT_ALLOWED)
        assert long in answers
        writer.close()

    place.run(act)


def test_workers_can_not_shut_administrators_out(tmp_path: Path) -> None:
    place = Place(tmp_path, ScriptedCore(), connections_max=2)

    async def act(place: Place) -> None:
        peers = [await asyncio.open_unix_connection(str(place.worker)) for _ in range(3)]
        assert await closed(peers[-1][0])
        async with SignerConnection(place.admin) as administrator:
            await administrator.ask(Status())
        for _, writer in peers:
            writer.close()

    place.run(act)


def test_a_status_says_what_was_closed(place: Place) -> None:
    async def act(place: Place) -> None:
        reader, writer = await asyncio.open_unix_connection(str(place.worker))
        writer.write(b"\xff\xff\xff\xff")
        assert await closed(reader)
        writer.close()
        async with SignerConnection(place.worker) as connection:
            assert (await connection.status()).closed_connections == {"oversized": 1}

    place.run(act)


def test_a_freeze_is_never_too_fast(tmp_path: Path) -> None:
    place = Place(tmp_path, ScriptedCore(), rate_per_s=1, clock=ManualClock(0))

    async def act(place: Place) -> None:
        async with SignerConnection(place.worker) as connection:
            assert isinstance(await connection.ask(AddressOf(key="first")), AddressAnswer)
            refused = await connection.ask(AddressOf(key="second"))
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.RATE_LIMIT
            assert not isinstance(await connection.ask(Freeze(reason="r", by="me")), Refused)

    place.run(act)
    assert [type(requests[0]) for requests, _, _ in place.core.calls] == [AddressOf, Freeze]
    assert place.core.notes == [("rate_limit", ME)]


def test_what_nobody_foresaw_ends_the_process_and_answers_nobody(place: Place) -> None:
    place.core.fails = RuntimeError("a defect")

    async def act(place: Place) -> None:
        reader, writer = await asyncio.open_unix_connection(str(place.worker))
        writer.write(encode_frame([Status()]))
        assert await closed(reader)
        writer.close()

    with pytest.raises(RuntimeError, match="a defect"):
        place.run(act)


class RecordingWitness(WitnessView):
    """Remembers what it was asked to ensure; never answers."""

    def __init__(self, place: Path) -> None:
        super().__init__(place / "nobody.sock", age_max_s=600, clock=ManualClock(0))
        self.ensured: list[set[tuple[int, Address]]] = []

    async def ensure(self, subjects: Iterable[tuple[int, Address]]) -> None:
        self.ensured.append(set(subjects))
        await super().ensure(subjects)


def test_the_witness_is_asked_before_the_core_is_and_a_silent_one_does_not_hold_it_up(tmp_path: Path) -> None:
    witness = RecordingWitness(tmp_path)
    place = Place(tmp_path, ScriptedCore(), witness=witness)

    async def act(place: Place) -> None:
        async with SignerConnection(place.worker) as connection:
            await connection.ask(Status())
            assert witness.ensured == []
            await connection.ask(AddressOf(key="k"))  # the scripted core has a question about it
            assert witness.ensured == [{(31337, ADDRESS)}]

    place.run(act)
    assert len(place.core.calls) == 2


@pytest.mark.slow
def test_random_bytes_never_end_the_server(place: Place) -> None:
    import random

    random_bytes = random.Random(7)

    async def act(place: Place) -> None:
        for _ in range(3_000):
            reader, writer = await asyncio.open_unix_connection(str(place.worker))
            octets = random_bytes.randbytes(random_bytes.randrange(1, 400))
            if random_bytes.random() < 0.7:
                octets = (len(octets)).to_bytes(LENGTH_BYTES) + octets
            writer.write(octets)
            writer.write_eof()
            assert await closed(reader)
            writer.close()
        async with SignerConnection(place.worker) as connection:
            await connection.ask(Status())

    place.run(act)
    assert place.core.calls[-1][0] == [Status()]
