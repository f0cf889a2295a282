"""Who signs creations: a devnet's throw-away keys here, for every other chain the signer process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tidegate.app.config import LoadedConfig
from tidegate.app.places import Place
from tidegate.app.running.signing import bound_signer
from tidegate.app.safes import key_of
from tidegate.chain import NetworkKind
from tidegate.custody import SignerConnection
from tidegate.custody.keys import KeyFile
from tidegate.custody.ports import KeyHandle
from tidegate.custody.transactions import encode_unsigned, sign
from tidegate.model import (
    Address,
    ConfigError,
    Denied,
    NullRecorder,
    Reason,
    SignedTransaction,
    Stage,
    TransactionSigner,
    UnsignedTransaction,
)

DESK = "deploy"
"""The desk of a capability that allows creations."""


class KeySigner:
    """A key of this machine behind the signer's interface; for devnets alone."""

    capability_id = ""

    def __init__(self, key: KeyHandle) -> None:
        self._key = key

    @property
    def address(self) -> Address:
        """Return the account that the key controls."""
        return self._key.address

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Return the signed form of ``transaction``.

        Raises
        ------
        Denied
            ``plan_digest_mismatch`` if it is not what was planned.
        """
        if transaction.content_digest != plan_digest:
            raise Denied(
                Reason.PLAN_DIGEST_MISMATCH,
                "the transaction is not the one that was planned",
                found=f"{transaction.content_digest} for {intent_id}",
                allowed=plan_digest,
            )
        return sign(encode_unsigned(transaction), self._key)


async def deployer_address(
    place: Place, loaded: LoadedConfig, home: Path, *, key: str, password: str, uses_signer: bool
) -> Address:
    """Return the deployer's account without signing anything; as ``deployer_signer`` finds it.

    Raises
    ------
    ConfigError
        If nobody here or in the signer has a key of this name.
    """
    path = home / "keys" / f"{key}.json"
    if path.exists():
        return KeyFile.read(path).shown_address
    if place.network.kind is NetworkKind.DEVNET and not uses_signer:
        return key_of(place, key, keys=home / "keys", password=password).address
    socket = loaded.config.signer.socket
    async with SignerConnection(Path(socket) if socket else home / "signer" / "signer.sock") as connection:
        keys = {one.name: one.address for one in (await connection.status()).keys}
    if key not in keys:
        raise ConfigError(
            f"the signer has no key {key}",
            found=", ".join(sorted(keys)) or "no key",
            allowed="a key of the signer",
            fix="tidegate keys list",
        )
    return keys[key]


@asynccontextmanager
async def deployer_signer(
    place: Place,
    loaded: LoadedConfig,
    home: Path,
    *,
    key: str,
    password: str,
    uses_signer: bool,
    stage: Stage = Stage.CANARY,
) -> AsyncIterator[TransactionSigner]:
    """Yield who signs for the deployer called ``key``.

    On a devnet that is a key of this machine, unless the signer is asked for. Everywhere else it is the
    signer process, under a capability of the desk ``deploy`` that lists the hash of the creation code.

    Raises
    ------
    Denied
        ``capability`` if the signer holds none.
    ConfigError
        If a devnet has no such key.
    """
    if place.network.kind is NetworkKind.DEVNET and not uses_signer:
        yield KeySigner(key_of(place, key, keys=home / "keys", password=password))
        return
    config = msgspec.structs.replace(loaded.config.signer, key=key)
    chain_id = place.network.chain_id
    async with bound_signer(
        config, home, desk=DESK, stage=stage, chain_id=chain_id, recorder=NullRecorder()
    ) as signer:
        yield signer
