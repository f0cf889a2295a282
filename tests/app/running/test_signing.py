"""A worker signs under the capability to act, and exits under the one to exit when that is held or over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.custody.signer_world import CHAIN, HOT, SignerWorld
from tests.custody.test_executor_policy import REPAYMENT, calling, desk

from tidegate.app.config import SignerConfig
from tidegate.app.running.signing import BoundSigner, bound_signer
from tidegate.custody import Door, Purpose, SignerServer, listen
from tidegate.custody.requests import Freeze
from tidegate.model import Denied, NullRecorder, Reason, Stage, SystemClock, UnsignedTransaction

EXIT = calling(REPAYMENT)
FREEZE = Freeze(reason="odd", by="watch")


def with_signer(folder: Path, world: SignerWorld, act: Callable[[BoundSigner], Awaitable[None]]) -> None:
    """Serve the core on a socket of its own, and bind to it as a run does."""

    async def held() -> None:
        socket = folder / "s" / "signer.sock"
        server = SignerServer(world.core, clock=SystemClock(), rate_per_s=10_000)
        doors = [Door(listen(socket), frozenset({os.geteuid()}), is_admin=False)]
        serving = asyncio.create_task(server.serve(doors))
        try:
            config = SignerConfig(socket=str(socket), key="hot")
            async with bound_signer(
                config,
                folder,
                desk="atomic",
                stage=Stage.CANARY,
                chain_id=CHAIN,
                recorder=NullRecorder(),
            ) as signer:
                await act(signer)
        finally:
            server.stop()
            await serving

    asyncio.run(held())


async def sign(signer: BoundSigner, wanted: UnsignedTransaction) -> str:
    signed = await signer.sign_transaction(wanted, intent_id="i", plan_digest=wanted.content_digest)
    return signed.sender


def test_under_a_freeze_the_exit_capability_signs_the_exit_and_no_opening(tmp_path: Path) -> None:
    world = SignerWorld()
    acting = desk(world)
    desk(world, purpose=Purpose.EXIT)

    async def act(signer: BoundSigner) -> None:
        assert signer.capability_id == acting
        world.ask(FREEZE)
        assert await sign(signer, EXIT) == HOT.address
        with pytest.raises(Denied) as refused:
            await sign(signer, calling(nonce=1))
        assert refused.value.reason is Reason.FROZEN, "what held the opening, not what the exit asked for"

    with_signer(tmp_path, world, act)


def test_without_an_exit_capability_a_freeze_holds_exits_too(tmp_path: Path) -> None:
    world = SignerWorld()
    desk(world)

    async def act(signer: BoundSigner) -> None:
        world.ask(FREEZE)
        with pytest.raises(Denied) as refused:
            await sign(signer, EXIT)
        assert refused.value.reason is Reason.FROZEN

    with_signer(tmp_path, world, act)


def test_an_exit_capability_that_comes_later_is_taken_up_and_outlives_the_one_to_act(tmp_path: Path) -> None:
    world = SignerWorld()
    desk(world, notional_tx_usd_e6=1, notional_day_usd_e6=1)

    async def act(signer: BoundSigner) -> None:
        with pytest.raises(Denied) as refused:
            await sign(signer, EXIT)
        assert refused.value.reason is Reason.NOTIONAL_LIMIT
        desk(world, purpose=Purpose.EXIT)
        assert await signer.follow()
        assert await sign(signer, EXIT) == HOT.address

    with_signer(tmp_path, world, act)


def test_with_an_exit_capability_alone_exits_are_signed_and_nothing_else(tmp_path: Path) -> None:
    world = SignerWorld()
    exiting = desk(world, purpose=Purpose.EXIT)

    async def act(signer: BoundSigner) -> None:
        assert signer.capability_id == exiting
        assert signer.address == HOT.address
        assert await sign(signer, EXIT) == HOT.address
        with pytest.raises(Denied) as refused:
            await sign(signer, calling(nonce=1))
        assert refused.value.reason is Reason.POLICY_REFUSED

    with_signer(tmp_path, world, act)


def test_without_any_capability_nobody_is_bound(tmp_path: Path) -> None:
    async def act(signer: BoundSigner) -> None:
        raise AssertionError(signer)

    with pytest.raises(Denied) as refused:
        with_signer(tmp_path, SignerWorld(), act)
    assert refused.value.reason is Reason.CAPABILITY
