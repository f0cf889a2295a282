"""Live stages sign in a process of its own, under the newest capabilities that fit: to act, and to exit.

Capabilities end and are renewed while a desk runs. So the signer is asked now and then how it stands: what
renews ours is taken up before ours ends, and the metrics of the signer, which has no network, are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from tidegate.app.config import SignerConfig
from tidegate.custody import Purpose, SignerClient, SignerConnection
from tidegate.custody.client import line_of
from tidegate.model import (
    Address,
    Denied,
    Reason,
    Recorder,
    SignedTransaction,
    Stage,
    TidegateError,
    UnsignedTransaction,
)

_LOOK_EVERY_S = 10.0


_EXIT_MAY_DIFFER = frozenset(
    {
        Reason.FROZEN,
        Reason.CAPABILITY_UNKNOWN,
        Reason.CAPABILITY_EXPIRED,
        Reason.CAPABILITY_NOT_YET,
        Reason.CAPABILITY_REVOKED,
        Reason.TARGET_NOT_ALLOWED,
        Reason.SELECTOR_NOT_ALLOWED,
        Reason.NOTIONAL_LIMIT,
        Reason.AT_RISK_LIMIT,
        Reason.COUNT_LIMIT,
        Reason.GAS_CAP,
        Reason.POLICY_REFUSED,
    }
)
"""What the capability to act may be refused for while the one to exit still holds."""

Find: TypeAlias = Callable[[Purpose], Awaitable[SignerClient | None]]


class BoundSigner:
    """One key of the signer process for one desk, chain and stage: a ``model.TransactionSigner``.

    It signs under the capability to act. Where that is frozen, over, withdrawn or used up, it asks under the
    one to exit, which survives all of these; whether the bytes are an exit is for the signer to say.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._act: SignerClient | None = None
        self._exit: SignerClient | None = None

    @property
    def address(self) -> Address:
        """Return the account that the key controls."""
        return self._first.address

    @property
    def capability_id(self) -> str:
        """Return the id of the capability to act; of the one to exit if there is no other."""
        return self._first.capability_id

    async def follow(self) -> bool:
        """Take up what the signer holds by now, and say whether there is a capability at all."""
        self._act = await self._newest(self._act, Purpose.ACT)
        self._exit = await self._newest(self._exit, Purpose.EXIT)
        return self._act is not None or self._exit is not None

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Return the signed bytes as ``model.TransactionSigner`` asks; errors as ``SignerClient``."""
        try:
            return await self._first.sign_transaction(
                transaction, intent_id=intent_id, plan_digest=plan_digest
            )
        except Denied as refusal:
            if self._exit in (None, self._first) or refusal.reason not in _EXIT_MAY_DIFFER:
                raise
            with suppress(Denied):  # no exit: what the capability to act was refused for stands
                return await self._exit.sign_transaction(
                    transaction, intent_id=intent_id, plan_digest=plan_digest
                )
            raise

    @property
    def _first(self) -> SignerClient:
        found = self._act or self._exit
        assert found is not None, "bound_signer yields none without a capability"
        return found

    async def _newest(self, held: SignerClient | None, purpose: Purpose) -> SignerClient | None:
        if held is None:
            return await self._find(purpose)
        await held.follow()
        return held


@asynccontextmanager
async def bound_signer(
    config: SignerConfig, home: Path, *, desk: str, stage: Stage, chain_id: int, recorder: Recorder
) -> AsyncIterator[BoundSigner]:
    """Reach the signer and bind its key to the capabilities in force for desk, chain and stage.

    Raises
    ------
    Denied
        ``capability`` if the signer holds none that fits.
    Unavailable
        If no signer answers.
    """
    path = Path(config.socket) if config.socket else home / "signer" / "signer.sock"
    async with SignerConnection(path, recorder=recorder) as connection:

        async def find(purpose: Purpose) -> SignerClient | None:
            status = await connection.status()
            address = next((one.address for one in status.keys if one.name == config.key), None)
            wanted = (desk, stage, chain_id, address, purpose.value)
            fitting = [one for one in status.capabilities if line_of(one) == wanted and not one.is_revoked]
            if not fitting:
                return None
            newest = max(fitting, key=lambda one: one.serial)
            return await SignerClient.bind(
                connection, key=config.key, desk=desk, stage=stage, capability_id=newest.id
            )

        signer = BoundSigner(find)
        if not await signer.follow():
            held = len((await connection.status()).capabilities)
            raise _no_capability(desk, stage, chain_id, held)
        following = asyncio.create_task(_follow(signer))
        try:
            yield signer
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _follow(signer: BoundSigner) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        with suppress(TidegateError):  # a signer that is away is told of by whoever wants a signature
            await signer.follow()


def _no_capability(desk: str, stage: Stage, chain_id: int, held: int) -> Denied:
    return Denied(
        Reason.CAPABILITY,
        f"the signer holds no capability for {desk} in {stage.value} on chain {chain_id}",
        found=f"{held} others" if held else "none at all",
        allowed="one for this desk, stage, chain and key",
        fix="on a devnet: tidegate devnet grant, then tidegate signer load; else the gate issues it",
    )
