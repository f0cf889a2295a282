"""Live stages sign in a process of its own, under the newest capability that fits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tidegate.app.config import SignerConfig
from tidegate.custody import SignerClient, SignerConnection
from tidegate.custody.requests import CapabilityStatus
from tidegate.model import Address, Denied, Reason, Stage


@asynccontextmanager
async def bound_signer(
    config: SignerConfig, home: Path, *, desk: str, stage: Stage, chain_id: int
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
    async with SignerConnection(path) as connection:
        status = await connection.status()
        address = next((one.address for one in status.keys if one.name == config.key), None)
        found = _newest(status.capabilities, address, desk=desk, stage=stage, chain_id=chain_id)
        yield await SignerClient.bind(
            connection, key=config.key, desk=desk, stage=stage, capability_id=found.id
        )


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
