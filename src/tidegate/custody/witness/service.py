"""The witness's socket: questions in, readings out, for the signer's user alone. No keys here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence

from tidegate.custody.frames import BrokenFrame, FrameBuffer, Offence, encode_frame
from tidegate.custody.sockets import peer_uid
from tidegate.custody.witness.questions import Answer, Question, Unread, decode_questions
from tidegate.custody.witness.reading import WitnessedChain

FRAME_S = 5.0
_CHUNK_BYTES = 65_536
_FRAME_OF_ANSWERS_BYTES = 60_000


class WitnessService:
    """Answers frames of questions about the chains that it was given."""

    def __init__(self, chains: Mapping[int, WitnessedChain], *, uids: frozenset[int]) -> None:
        self._chains = dict(chains)
        self._uids = uids
        self.closed: dict[str, int] = {}

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Answer until ``stop`` is set."""
        server = await asyncio.start_unix_server(self._converse, sock=listener)
        try:
            await stop.wait()
        finally:
            server.close()

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answers in the order of the questions, those of one chain at one block."""
        places: dict[int, list[int]] = {}
        for place, question in enumerate(questions):
            places.setdefault(question.chain_id, []).append(place)
        answers: list[Answer] = [Unread(code="unknown_chain")] * len(questions)
        known = [chain_id for chain_id in places if chain_id in self._chains]
        replies = await asyncio.gather(
            *(self._chains[one].answer([questions[place] for place in places[one]]) for one in known)
        )
        for chain_id, reply in zip(known, replies, strict=True):
            for place, answer in zip(places[chain_id], reply, strict=True):
                answers[place] = answer
        return answers

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = FrameBuffer()
        try:
            if peer_uid(writer.get_extra_info("socket")) not in self._uids:
                raise BrokenFrame(Offence.WRONG_UID, "not the signer's user")
            while octets := await reader.read(_CHUNK_BYTES):
                payload = buffer.feed(octets)
                if payload is not None:
                    writer.write(_as_frame(await self.answer(decode_questions(payload))))
                    await writer.drain()
        except BrokenFrame as broken:
            self.closed[broken.offence.value] = self.closed.get(broken.offence.value, 0) + 1
        except ConnectionError:
            pass  # the signer went away; it asks again when it is back
        finally:
            writer.transport.abort()


def _as_frame(answers: list[Answer]) -> bytes:
    """Return answers as one frame; calls that return too much for it together stay unread."""
    room = _FRAME_OF_ANSWERS_BYTES
    fitting: list[Answer] = []
    for answer in answers:
        size = len(encode_frame(answer))
        room -= size
        fitting.append(answer if room >= 0 else Unread(code="too_long", found="ask in fewer questions"))
    return encode_frame(fitting)
