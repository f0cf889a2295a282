"""What the witness last said, as the signer keeps it: asked ahead, aged by the signer's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from tidegate.custody.frames import LENGTH_BYTES, BrokenFrame, FrameBuffer, encode_frame
from tidegate.custody.ports import CodeReading
from tidegate.custody.steady import SteadyTime
from tidegate.custody.witness.questions import (
    DIVERGENCE,
    QUESTIONS_MAX,
    Answer,
    CodeHash,
    Unread,
    decode_answers,
)
from tidegate.model import Address, Clock

Subject = tuple[int, Address]
ASK_S = 3.0
"""How long the witness may take; the signer's client waits longer."""
RENEW_S = 5.0
_HASH_BYTES = 32
_SILENCE_NS = 1_000_000_000


class WitnessView:
    """The signer core's ``Witness``: what was read, and when.

    What is asked for once is kept fresh from then on. A reading stands until the core finds it too old
    or its providers too few, or until operators are seen to disagree.

    Parameters
    ----------
    path
        The witness's socket.
    age_max_s
        The age that the core still takes; readings are renewed at half of it.
    clock
        Ages readings: from before they were asked for.
    """

    def __init__(self, path: Path, *, age_max_s: int, clock: Clock) -> None:
        self._path = path
        self._age_max_ms = age_max_s * 1000
        self._clock = clock
        self._time = SteadyTime(clock)  # as the core: its clock set back makes no reading young
        self._readings: dict[Subject, CodeReading] = {}
        self._wanted: set[Subject] = set()
        self._asking = asyncio.Lock()
        self._silent_until_ns = 0

    def code(self, chain_id: int, address: Address) -> CodeReading | None:
        """Return the newest reading, however old, or None if there is none."""
        return self._readings.get((chain_id, address))

    def missing(self, subjects: Iterable[Subject]) -> set[Subject]:
        """Return the subjects of which nothing is known that the core would still take."""
        return {one for one in subjects if self._age_ms(one) > self._age_max_ms}

    async def ensure(self, subjects: Iterable[Subject]) -> None:
        """Ask about what is missing. Whatever fails stays missing: the core refuses then.

        Who waits behind a question that the witness let lie is not made to wait for another one.
        """
        async with self._asking:
            if self._clock.monotonic_ns() >= self._silent_until_ns:
                await self._renew(self.missing(subjects))

    async def keep_fresh(self) -> None:
        """Renew for ever what was asked for, at half of its age."""
        while True:
            async with self._asking:
                old = {one for one in self._wanted if self._age_ms(one) > self._age_max_ms // 2}
                await self._renew(old)
            await asyncio.sleep(RENEW_S)

    async def _renew(self, subjects: set[Subject]) -> None:
        self._wanted |= subjects
        ordered, asked_at_ms = sorted(subjects), self._time.latest_ms()
        try:
            async with asyncio.timeout(ASK_S):
                answers = await self._ask(ordered)
        except (OSError, EOFError, TimeoutError, BrokenFrame):
            self._silent_until_ns = self._clock.monotonic_ns() + _SILENCE_NS
            return
        for subject, answer in zip(ordered, answers, strict=True):
            self._keep(subject, answer, asked_at_ms)

    def _age_ms(self, subject: Subject) -> float:
        known = self._readings.get(subject)
        return float("inf") if known is None else self._time.latest_ms() - known.read_at_ms

    async def _ask(self, subjects: Sequence[Subject]) -> list[Answer]:
        if not subjects:
            return []
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            answers: list[Answer] = []
            for start in range(0, len(subjects), QUESTIONS_MAX):
                part = subjects[start : start + QUESTIONS_MAX]
                writer.write(encode_frame([CodeHash(chain_id=one, address=what) for one, what in part]))
                await writer.drain()
                head = await reader.readexactly(LENGTH_BYTES)
                buffer = FrameBuffer()
                buffer.feed(head)
                payload = buffer.feed(await reader.readexactly(int.from_bytes(head)))
                assert payload is not None
                given = decode_answers(payload)
                if len(given) != len(part):
                    raise EOFError(f"{len(given)} answers to {len(part)} questions")
                answers += given
            return answers
        finally:
            writer.transport.abort()

    def _keep(self, subject: Subject, answer: Answer, asked_at_ms: int) -> None:
        if isinstance(answer, Unread):
            if answer.code == DIVERGENCE:
                self._readings.pop(subject, None)  # one of them lies: nothing known before counts now
            return
        if len(answer.value) != _HASH_BYTES:
            return
        self._readings[subject] = CodeReading(
            chain_id=subject[0],
            address=subject[1],
            code_hash=answer.value,
            block_hash=answer.block_hash,
            providers=tuple(sorted(set(answer.providers))),
            read_at_ms=asked_at_ms,
        )
