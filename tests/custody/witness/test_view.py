"""What the signer keeps of the witness: by its own clock, and only while nobody contradicts it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.custody import WitnessService, WitnessView, listen
from tidegate.custody.frames import encode_frame
from tidegate.custody.witness import Answer, CodeHash, Question, Read, Unread
from tidegate.model import Address, ManualClock

TARGET = Address("0x00000000000000000000000000000000000000AA")
OTHER = Address("0x00000000000000000000000000000000000000bb")
SUBJECT = (31337, TARGET)
HASH = b"\x11" * 32


class Scripted:
    """A chain that answers what a test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer_with: Answer = Read(
            value=HASH, block_number=7, block_hash=b"\x22" * 32, providers=("one", "two")
        )
        self.asked: list[Question] = []

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked += questions
        return [self.answer_with] * len(questions)


def serving(
    folder: Path, chain: Any, act: Callable[[Path], Awaitable[None]], *, uids: set[int] | None = None
) -> WitnessService:
    path = folder / "w" / "witness.sock"
    service = WitnessService({31337: chain}, uids=frozenset(uids if uids is not None else {os.geteuid()}))

    async def held() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(service.serve(listen(path), stop))
        try:
            await act(path)
        finally:
            stop.set()
            await task

    asyncio.run(held())
    return service


def test_a_reading_is_aged_by_the_signer_s_own_clock(tmp_path: Path) -> None:
    clock, chain = ManualClock(1_000_000), Scripted()

    async def act(path: Path) -> None:
        view = WitnessView(path, age_max_s=600, clock=clock)
        assert view.code(*SUBJECT) is None
        assert view.missing([SUBJECT]) == {SUBJECT}
        await view.ensure([SUBJECT])
        reading = view.code(*SUBJECT)
        assert reading is not None
        assert (reading.code_hash, reading.read_at_ms) == (HASH, 1_000_000)
        assert (reading.block_hash, reading.providers) == (b"\x22" * 32, ("one", "two"))
        clock.set_ms(1_600_000)
        assert view.missing([SUBJECT]) == set()
        clock.set_ms(1_600_001)
        assert view.missing([SUBJECT]) == {SUBJECT}

    serving(tmp_path, chain, act)


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    clock, chain = ManualClock(0), Scripted()

    async def act(path: Path) -> None:
        view = WitnessView(path, age_max_s=600, clock=clock)
        await asyncio.gather(*(view.ensure([SUBJECT]) for _ in range(5)))
        await view.ensure([SUBJECT, (31337, OTHER)])

    serving(tmp_path, chain, act)
    assert chain.asked == [CodeHash(chain_id=31337, address=TARGET), CodeHash(chain_id=31337, address=OTHER)]


def test_no_answer_leaves_an_older_reading_and_a_divergence_takes_it(tmp_path: Path) -> None:
    clock, chain = ManualClock(0), Scripted()

    async def act(path: Path) -> None:
        view = WitnessView(path, age_max_s=600, clock=clock)
        await view.ensure([SUBJECT])
        clock.set_ms(600_001)
        chain.answer_with = Unread(code="no_quorum")
        await view.ensure([SUBJECT])
        reading = view.code(*SUBJECT)
        assert reading is not None
        assert reading.read_at_ms == 0  # still old: the core refuses it for its age
        chain.answer_with = Unread(code="divergence")
        await view.ensure([SUBJECT])
        assert view.code(*SUBJECT) is None

    serving(tmp_path, chain, act)


def test_a_provider_named_twice_counts_once(tmp_path: Path) -> None:
    clock, chain = ManualClock(0), Scripted()
    chain.answer_with = Read(value=HASH, block_number=7, block_hash=b"\x22" * 32, providers=("one", "one"))

    async def act(path: Path) -> None:
        view = WitnessView(path, age_max_s=600, clock=clock)
        await view.ensure([SUBJECT])
        reading = view.code(*SUBJECT)
        assert reading is not None
        assert reading.providers == ("one",)

    serving(tmp_path, chain, act)


def test_without_a_witness_nothing_is_known_and_nothing_is_raised(tmp_path: Path) -> None:
    async def act() -> None:
        view = WitnessView(tmp_path / "nobody.sock", age_max_s=600, clock=ManualClock(0))
        await view.ensure([SUBJECT])
        assert view.missing([SUBJECT]) == {SUBJECT}

    asyncio.run(act())


def test_who_waits_behind_a_silent_witness_is_not_made_to_wait_again(tmp_path: Path) -> None:
    clock, chain = ManualClock(0), Scripted()

    async def act(path: Path) -> None:
        view = WitnessView(tmp_path / "nobody.sock", age_max_s=600, clock=clock)
        await view.ensure([SUBJECT])
        view._path = path  # it is back at once; who asked at the same moment has its answer already
        await view.ensure([SUBJECT])
        assert view.code(*SUBJECT) is None
        clock.set_ms(1_000)
        await view.ensure([SUBJECT])
        assert view.code(*SUBJECT) is not None

    serving(tmp_path, chain, act)


@pytest.mark.parametrize(
    "answer",
    [b"\x00\x00\x00\x01\xc1", b"\xff\xff\xff\xff", encode_frame([]), encode_frame([{"type": "read"}]), b""],
)
def test_a_witness_that_answers_nonsense_is_no_witness(tmp_path: Path, answer: bytes) -> None:
    async def act() -> None:
        async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(answer)
            writer.close()

        server = await asyncio.start_unix_server(nonsense, sock=listen(tmp_path / "w" / "witness.sock"))
        view = WitnessView(tmp_path / "w" / "witness.sock", age_max_s=600, clock=ManualClock(0))
        await view.ensure([SUBJECT])
        server.close()
        assert view.missing([SUBJECT]) == {SUBJECT}

    asyncio.run(act())


def test_only_the_signer_s_user_is_answered(tmp_path: Path) -> None:
    async def act(path: Path) -> None:
        view = WitnessView(path, age_max_s=600, clock=ManualClock(0))
        await view.ensure([SUBJECT])
        assert view.code(*SUBJECT) is None

    chain = Scripted()
    service = serving(tmp_path, chain, act, uids={12345})
    assert service.closed == {"wrong_uid": 1}
    assert chain.asked == []


def test_an_unknown_chain_and_a_broken_frame(tmp_path: Path) -> None:
    async def act(path: Path) -> None:
        view = WitnessView(path, age_max_s=600, clock=ManualClock(0))
        await view.ensure([(1, TARGET)])
        assert view.code(1, TARGET) is None
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(encode_frame([{"type": "sign_transaction"}]))
        assert await reader.read() == b""
        writer.close()

    chain = Scripted()
    service = serving(tmp_path, chain, act)
    assert service.closed == {"malformed": 1}
    assert chain.asked == []
