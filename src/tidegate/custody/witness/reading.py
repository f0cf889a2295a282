"""Reading a chain for the signer: every operator is asked about the same block, by its hash.

The pool's own quorum says that enough operators agree; the signer wants to know *which*. So each
operator has a pool of its own here, all are asked, and the answer names those whose bytes were the
same. One that answers something else for the same block hash is no minority to outvote: there is no
answer then, because one of them lies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tidegate.chain import ChainReads, Network, NetworkKind, address, keccak256
from tidegate.custody.witness.questions import (
    DIVERGENCE,
    VALUE_BYTES_MAX,
    Answer,
    Balance,
    Call,
    CodeHash,
    Question,
    Read,
    Unread,
)
from tidegate.model import Block, Clock, TidegateError

BLOCK_AGE_MAX_S = 120
"""How old the block of an answer may be by this machine's clock; a devnet may stand still."""


class WitnessedChain:
    """One chain, through the eyes of several operators.

    Parameters
    ----------
    network
        Which chain.
    operators
        Uncached reads of each operator, by its name.
    quorum
        How many operators must agree.
    clock
        Judges the age of blocks.
    """

    def __init__(
        self, network: Network, operators: Mapping[str, ChainReads], *, quorum: int, clock: Clock
    ) -> None:
        self.network = network
        self._operators = dict(operators)
        self._quorum = quorum
        self._clock = clock

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answers, all at one block. Whatever fails is ``Unread``; nothing is raised."""
        try:
            block = await self._common_block()
        except TidegateError as error:
            return [Unread(code=error.code, found=error.found or error.message)] * len(questions)
        return list(await asyncio.gather(*(self._agree(question, block) for question in questions)))

    async def _common_block(self) -> Block:
        """Return the newest block that enough operators say they have."""
        heads = await asyncio.gather(
            *(reads.block() for reads in self._operators.values()), return_exceptions=True
        )
        known = sorted((one for one in heads if isinstance(one, Block)), key=lambda one: -one.number)
        if len(known) < self._quorum:
            raise _NoQuorum(f"{len(known)} of {len(self._operators)} operators answer", self._quorum)
        block = known[self._quorum - 1]
        age_s = self._clock.now_ms() // 1000 - block.timestamp
        if age_s > BLOCK_AGE_MAX_S and self.network.kind is not NetworkKind.DEVNET:
            raise _NoQuorum(f"their newest common block is {age_s} s old", self._quorum)
        return block

    async def _agree(self, question: Question, block: Block) -> Answer:
        names = list(self._operators)
        said = await asyncio.gather(
            *(_read(self._operators[name], question, block.hash) for name in names), return_exceptions=True
        )
        values = {name: one for name, one in zip(names, said, strict=True) if isinstance(one, bytes)}
        if len(set(values.values())) > 1:
            return Unread(code=DIVERGENCE, found=f"{', '.join(values)} answer differently for one block")
        if len(values) < self._quorum:
            return Unread(code="no_quorum", found=f"{len(values)} answers, {self._quorum} needed")
        value = next(iter(values.values()))
        if len(value) > VALUE_BYTES_MAX:
            return Unread(code="too_long", found=f"{len(value)} bytes")
        return Read(value=value, block_number=block.number, block_hash=block.hash, providers=tuple(values))


async def _read(reads: ChainReads, question: Question, block_hash: bytes) -> bytes:
    match question:
        case CodeHash():
            return keccak256(await reads.code(address(question.address), block_hash))
        case Balance():
            return (await reads.balance(address(question.address), block_hash)).to_bytes(32)
        case Call():
            return await reads.call(address(question.to), question.data, block=block_hash)


class _NoQuorum(TidegateError):
    default_code = "no_quorum"

    def __init__(self, found: str, quorum: int) -> None:
        super().__init__("not enough operators agree", found=found, allowed=f"{quorum} of them")
