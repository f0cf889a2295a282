"""Reads pinned to a block's hash on a node that knows blocks by number alone (no EIP-1898)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tidegate.chain.rpc.attempt import Call
from tidegate.chain.rpc.methods import BLOCK_BY_HASH, BLOCK_BY_NUMBER, pinned_hash, with_block
from tidegate.model import TidegateError, Unavailable

Ask = Callable[[Call], Awaitable[Any]]


async def ask_by_number(ask: Ask, call: Call) -> Any:
    """Return the result of a pinned read by the block's number, if that is the block throughout.

    The read travels between two looks at which block has the number.

    Raises
    ------
    Unavailable
        If the node does not have the block, or another one at its height before or after.
    """
    wanted = str(pinned_hash(call.method, call.params))
    header = await ask(Call(BLOCK_BY_HASH, [wanted, False]))
    if not isinstance(header, dict):
        raise _missing(wanted)
    look = Call(BLOCK_BY_NUMBER, [header.get("number"), False])
    read = Call(call.method, with_block(call.method, call.params, header.get("number")))
    before, result, after = await asyncio.gather(ask(look), ask(read), ask(look), return_exceptions=True)
    for seen in (before, after):
        if isinstance(seen, BaseException):
            raise seen
        if not isinstance(seen, dict) or str(seen.get("hash")).lower() != wanted.lower():
            raise _missing(wanted)
    if isinstance(result, BaseException):
        raise result
    return result


def _missing(wanted: str) -> TidegateError:
    return Unavailable("the node does not have this block as its own", code="state_missing", found=wanted)
