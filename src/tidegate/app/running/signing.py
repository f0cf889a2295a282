"""Live stages sign in a process of its own, under the newest capability that fits.

Capabilities end and are renewed while a desk runs. So the signer is asked now and then how it stands: what
renews ours is taken up before ours ends, and the metrics of the signer, which has no network, are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tidegate.app.config import SignerConfig
from tidegate.custody import SignerClient, SignerConnection
from tidegate.custody.requests import CapabilityStatus
from tidegate.model import Address, Denied, Reason, Recorder, Stage, TidegateError

_LOOK_EVERY_S = 10.0


@asynccontextmanager
async def bound_signer(
    config: SignerConfig, home: Path, *, desk: str, stage: Stage, chain_id: int, recorder: Recorder
) -> AsyncIterator[SignerClient]:
    """Reach the signer and bind its key to the capability in force for desk, chain and stage.

    Raises
    ------
    Denied
        ``capability`` if the signer holds none that fits.
    Unavailable
        If no signer answers.
    """
    path = Path(config.socket) if config.socket else home / "signer" / "signer.sock"
    async with SignerConnection(path, recorder=recorder) as connection:
        status = await connection.status()
        address = next((one.address for one in status.keys if one.name == config.key), None)
        found = _newest(status.capabilities, address, desk=desk, stage=stage, chain_id=chain_id)
        signer = await SignerClient.bind(
            connection, key=config.key, desk=desk, stage=stage, capability_id=found.id
        )
        following = asyncio.create_task(_follow(signer))
        try:
            yield signer
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _follow(signer: SignerClient) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        with suppress(TidegateError):  # a signer that is away is told of by whoever wants a signature
            await signer.follow()


def _newest(
    capabilities: tuple[CapabilityStatus, ...],
    address: Address | None,
    *,
    desk: str,
    stage: Stage,
    chain_id: int,
) -> CapabilityStatus:
    fitting = [
        one
        for one in capabilities
        if (one.desk, one.stage, one.chain_id, one.key_address, one.purpose, one.is_revoked)
        == (desk, stage, chain_id, address, "act", False)
    ]
    if not fitting:
        raise Denied(
            Reason.CAPABILITY,
            f"the signer holds no capability for {desk} in {stage.value} on chain {chain_id}",
            found=f"{len(capabilities)} others" if capabilities else "none at all",
            allowed="one for this desk, stage, chain and key",
            fix="on a devnet: tidegate devnet grant, then tidegate signer load; else the gate issues it",
        )
    return max(fitting, key=lambda one: one.serial)
