"""What a subscription says, passed on as what it is: a reason to look now."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tidegate.chain.heads.follower import HeadFollower
from tidegate.chain.rpc import HeadHint, Hint


async def pass_on(hints: AsyncIterator[Hint], follower: HeadFollower) -> None:
    """Wake ``follower`` at each hint, until the hints end or this is cancelled.

    Nothing that a hint says is believed: the follower asks the chain, as it would without.
    """
    async for hint in hints:
        follower.hint(hint.number if isinstance(hint, HeadHint) else hint.block_number)
